"""The shapes of rows, and the conversions between them.

A conversion turns the rows of one shape into those of another. `path` finds the cheapest way from the shape the data
has to one that the loss takes; a way that mines costs a model's pass over the texts, the others cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from stbench.config.sentence import Shape

COLUMNS: dict[Shape, tuple[str, ...]] = {
    "pair": ("anchor", "positive"),
    "triplet": ("anchor", "positive", "negative"),
    "n_tuple": ("anchor", "positive", "negative_1", "…", "negative_n"),
    "labeled_pair": ("anchor", "positive", "label"),
    "scored_pair": ("anchor", "positive", "score"),
    "class_pair": ("anchor", "positive", "label"),
    "ranked_list": ("anchor", "documents", "relevance"),
}


@dataclass(frozen=True)
class Conversion:
    """One arrow of the graph."""

    name: str
    source: Shape
    target: Shape
    cost: float
    says: str

    @property
    def mines(self) -> bool:
        return self.name == "mine"


CONVERSIONS: tuple[Conversion, ...] = (
    Conversion("mine", "pair", "triplet", 10, "mine one hard negative for each pair"),
    Conversion("mine", "pair", "n_tuple", 10, "mine hard negatives for each pair"),
    Conversion("mine", "pair", "labeled_pair", 11, "mine hard negatives; positives get label 1, negatives 0"),
    Conversion("mine", "pair", "ranked_list", 10, "mine hard negatives; one list of documents a query"),
    Conversion("unfold", "ranked_list", "labeled_pair", 1, "one row a document; relevant ones get label 1"),
    Conversion("keep_positives", "labeled_pair", "pair", 1, "keep the pairs with label 1"),
    Conversion("drop_negatives", "triplet", "pair", 2, "keep anchor and positive"),
    Conversion("drop_negatives", "n_tuple", "pair", 2, "keep anchor and positive"),
    Conversion("rank", "triplet", "ranked_list", 1, "positive and negatives become one list a query"),
    Conversion("rank", "n_tuple", "ranked_list", 1, "positive and negatives become one list a query"),
    Conversion("unfold", "triplet", "labeled_pair", 1, "positives get label 1, negatives 0"),
    Conversion("unfold", "n_tuple", "labeled_pair", 1, "positives get label 1, negatives 0"),
    Conversion("first_negative", "n_tuple", "triplet", 2, "keep the first negative"),
)


def path(source: Shape, targets: Collection[Shape], mining: bool = True) -> list[Conversion] | None:
    """The cheapest conversions from `source` to any of `targets`: [] when none is needed, None when there is no way.

    Dijkstra's algorithm; among equals the order of `targets` and of `CONVERSIONS` decides.
    """
    queue: list[tuple[float, int, Shape, list[Conversion]]] = [(0.0, 0, source, [])]
    seen: set[Shape] = set()
    count = 0
    while queue:
        cost, _, shape, steps = heappop(queue)
        if shape in targets:
            return steps
        if shape in seen:
            continue
        seen.add(shape)
        for arrow in _from(shape, mining):
            count += 1
            heappush(queue, (cost + arrow.cost, count, arrow.target, [*steps, arrow]))
    return None


def reachable(source: Shape, mining: bool = True) -> set[Shape]:
    """All shapes that rows of shape `source` can be brought into."""
    return {shape for shape in COLUMNS if path(source, (shape,), mining) is not None}


def _from(shape: Shape, mining: bool) -> Iterable[Conversion]:
    return (arrow for arrow in CONVERSIONS if arrow.source == shape and (mining or not arrow.mines))
