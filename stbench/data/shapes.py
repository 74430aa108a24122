"""The shapes of rows, and the conversions between them.

A conversion turns the rows of one shape into those of another. `path` finds the cheapest way from the shape the data
has to one that the loss takes. Ways that mine or ask a teacher cost a model's pass over the texts, the others nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Literal

from stbench.config.sentence import Shape

COLUMNS: dict[Shape, tuple[str, ...]] = {
    "text": ("text",),
    "labeled_text": ("text", "label"),
    "parallel_text": ("text", "translation"),
    "pair": ("anchor", "positive"),
    "triplet": ("anchor", "positive", "negative"),
    "n_tuple": ("anchor", "positive", "negative_1", "…", "negative_n"),
    "labeled_pair": ("anchor", "positive", "label"),
    "scored_pair": ("anchor", "positive", "score"),
    "class_pair": ("anchor", "positive", "label"),
    "ranked_list": ("anchor", "documents", "relevance"),
    "margin_triplet": ("anchor", "positive", "negative", "margin"),
    "scored_n_tuple": ("anchor", "positive", "negative_1", "…", "negative_n", "scores"),
    "embedded_text": ("text", "embedding"),
    "damaged_text": ("damaged", "text"),
    "twin_text": ("text", "twin"),
    "tension_pair": ("text", "other"),
}
"""Columns of each shape, in the order in which the library reads them; an embedded text may have a translation."""

TAUGHT: tuple[Shape, ...] = ("scored_pair", "margin_triplet", "scored_n_tuple", "embedded_text")
"""Shapes that can hold what a teacher said."""

Means = Literal["miner", "cross_encoder", "bi_encoder", "sparse_encoder"]
"""Models that a conversion may need: the miner, or a teacher of a kind."""
Must = Literal["mine", "ask"]
"""What a way can be required to do."""
MINER: frozenset[Means] = frozenset({"miner"})
TEACHERS: tuple[Means, ...] = ("cross_encoder", "bi_encoder", "sparse_encoder")


@dataclass(frozen=True)
class Conversion:
    """One arrow of the graph."""

    name: str
    source: Shape
    target: Shape
    cost: float
    says: str
    needs: frozenset[Means] = frozenset()
    """Any one of these models can do it; empty: no model is needed."""

    @property
    def mines(self) -> bool:
        return self.name == "mine"

    @property
    def asks_teacher(self) -> bool:
        return bool(self.needs) and not self.mines


def _mine(target: Shape, cost: float, says: str) -> Conversion:
    return Conversion("mine", "pair", target, cost, says, MINER)


_SCORED: frozenset[Means] = frozenset({"cross_encoder"})
_EMBEDDED: frozenset[Means] = frozenset({"bi_encoder", "sparse_encoder"})
_ANY_TEXT: tuple[Shape, ...] = (
    "labeled_text", "pair", "triplet", "n_tuple", "labeled_pair", "scored_pair", "class_pair", "ranked_list",
)  # fmt: skip

CONVERSIONS: tuple[Conversion, ...] = (
    _mine("triplet", 10, "mine one hard negative for each pair"),
    _mine("n_tuple", 10, "mine hard negatives for each pair"),
    _mine("labeled_pair", 11, "mine hard negatives; positives get label 1, negatives 0"),
    _mine("ranked_list", 10, "mine hard negatives; one list of documents a query"),
    Conversion("unfold", "ranked_list", "labeled_pair", 1, "one row a document; relevant ones get label 1"),
    Conversion("group", "labeled_pair", "ranked_list", 2, "the texts beside the same anchor become one list"),
    Conversion("contrast", "ranked_list", "triplet", 2, "each relevant document beside each less relevant one"),
    Conversion("keep_positives", "labeled_pair", "pair", 1, "keep the pairs with label 1"),
    Conversion("drop_negatives", "triplet", "pair", 2, "keep anchor and positive"),
    Conversion("drop_negatives", "n_tuple", "pair", 2, "keep anchor and positive"),
    Conversion("rank", "triplet", "ranked_list", 1, "positive and negatives become one list a query"),
    Conversion("rank", "n_tuple", "ranked_list", 1, "positive and negatives become one list a query"),
    Conversion("unfold", "triplet", "labeled_pair", 1, "positives get label 1, negatives 0"),
    Conversion("unfold", "n_tuple", "labeled_pair", 1, "positives get label 1, negatives 0"),
    Conversion("first_negative", "n_tuple", "triplet", 2, "keep the first negative"),
    Conversion("as_scores", "labeled_pair", "scored_pair", 3, "labels 0 and 1 become scores"),
    Conversion("infer", "class_pair", "triplet", 1, "entailed text is the positive, contradicted the negative"),
    Conversion("same_label", "labeled_text", "pair", 1, "two texts of the same label make a pair"),
    Conversion("translate", "parallel_text", "pair", 1, "a text and its translation make a pair"),
    Conversion("drop_scores", "scored_n_tuple", "n_tuple", 3, "keep the texts, forget the scores"),
    Conversion("drop_scores", "margin_triplet", "triplet", 3, "keep the texts, forget the margin"),
    Conversion("margins", "scored_n_tuple", "margin_triplet", 1, "score of the positive less that of each negative"),
    Conversion("score_pairs", "scored_n_tuple", "scored_pair", 1, "one row a document with its score"),
    *(Conversion("texts", shape, "text", 3, "every distinct text of its own") for shape in _ANY_TEXT),
    Conversion("score", "triplet", "margin_triplet", 20, "the teacher scores both texts; their margin is learned", _SCORED),
    Conversion("score", "n_tuple", "scored_n_tuple", 20, "the teacher scores each text of a row", _SCORED),
    Conversion("score", "pair", "scored_pair", 35, "the teacher scores each pair", _SCORED),
    Conversion("embed", "text", "embedded_text", 20, "the teacher embeds each text", _EMBEDDED),
    Conversion("embed", "parallel_text", "embedded_text", 20, "the teacher embeds the text, not its translation", _EMBEDDED),
    Conversion("damage", "text", "damaged_text", 1, "a share of the words is deleted"),
    Conversion("twin", "text", "twin_text", 1, "each text beside itself: dropout makes the difference"),
    Conversion("tension", "text", "tension_pair", 1, "each text beside itself once in eight times, else beside another"),
)  # fmt: skip


def path(
    source: Shape, targets: Collection[Shape], means: Collection[Means] = MINER, must: Collection[Must] = ()
) -> list[Conversion] | None:
    """The cheapest conversions from `source` to any of `targets`: [] when none is needed, None when there is no way.

    `means` are the models at hand; `must` takes only ways that mine, or ask a teacher, or both. Dijkstra's algorithm;
    among equals the order of `targets` and of `CONVERSIONS` decides.
    """
    queue: list[tuple[float, int, Shape, list[Conversion]]] = [(0.0, 0, source, [])]
    seen: set[tuple[Shape, frozenset[Must]]] = set()
    count = 0
    while queue:
        cost, _, shape, steps = heappop(queue)
        done = _done(steps) & set(must)
        if shape in targets and done == set(must):
            return steps
        if (shape, done) in seen:
            continue
        seen.add((shape, done))
        for arrow in _from(shape, means):
            if _FORGETS.get(arrow.name) in done:
                continue
            count += 1
            heappush(queue, (cost + arrow.cost, count, arrow.target, [*steps, arrow]))
    return None


_FORGETS: dict[str, Must] = {"drop_scores": "ask", "drop_negatives": "mine", "texts": "mine"}
"""Conversions that throw away what was to be made."""


def _done(steps: Iterable[Conversion]) -> frozenset[Must]:
    found: set[Must] = set()
    for step in steps:
        if step.mines:
            found.add("mine")
        elif step.asks_teacher:
            found.add("ask")
    return frozenset(found)


def _from(shape: Shape, means: Collection[Means]) -> Iterable[Conversion]:
    return (arrow for arrow in CONVERSIONS if arrow.source == shape and (not arrow.needs or arrow.needs & set(means)))
