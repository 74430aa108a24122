"""Negatives that are positives: the same text as one that answers the query, or nearly the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from stbench.audit.leaks import TOGETHER
from stbench.audit.words import LONGEST, Likeness, words_of
from stbench.config.sentence import Shape
from stbench.data.convert import listed
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset

WITH_NEGATIVES: tuple[Shape, ...] = ("triplet", "n_tuple", "labeled_pair", "ranked_list")
"""Shapes in which a negative is one for good; a teacher's scores would say how far."""
WEIGHED = 20_000
"""Texts that the weights of words are taken from."""
REMEMBERED = 50_000
"""Texts whose words are kept."""


class Judged(NamedTuple):
    """What a row says of its query."""

    row: int
    query: str
    positives: Sequence[str]
    negatives: Sequence[str]


class Mistaken(NamedTuple):
    """A negative, and the positive of the same query that it is (nearly)."""

    row: int
    query: str
    negative: str
    positive: str


def mistaken_negatives(rows: Dataset) -> list[Mistaken]:
    """Every negative of `rows` that is, or nearly is, a positive of its query in any of them."""
    judged = list(_by_row(rows))
    positives: dict[str, dict[str, str]] = {}
    for one in judged:
        known = positives.setdefault(one.query, {})
        known.update((content_hash(text), text) for text in one.positives)
    alike = Alike(text for one in judged for text in (*one.positives, *one.negatives))
    return [
        Mistaken(one.row, one.query, text, found)
        for one in judged
        for text in one.negatives
        if (found := alike.among(text, positives[one.query])) is not None
    ]


def _by_row(rows: Dataset) -> Iterator[Judged]:
    for place, row in enumerate(rows):
        if "label" in row:
            sides = ([row["positive"]], []) if row["label"] else ([], [row["positive"]])
            yield Judged(place, row["anchor"], *sides)
        else:
            texts, relevance = listed(row)
            found = list(zip(texts, relevance, strict=True))
            sides = ([text for text, grade in found if grade > 0], [text for text, grade in found if grade <= 0])
            yield Judged(place, row["anchor"], *sides)


class Alike:
    """Which texts are nearly the same, by the measure that finds leaks."""

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts` are those that are asked about, or some of them."""
        self._words = lru_cache(REMEMBERED)(words_of)
        self._likeness = Likeness.among(map(words_of, islice(dict.fromkeys(texts), WEIGHED)))

    def among(self, text: str, others: Mapping[str, str]) -> str | None:
        """That of `others` (by content hash) which `text` is or nearly is; None where it is none of them."""
        return others.get(content_hash(text)) or next(
            (other for other in others.values() if self.are(text, other)), None
        )

    def are(self, one: str, other: str) -> bool:
        sizes = sorted(min(len(text), LONGEST) for text in (one, other))
        # Texts with nearly the same words are nearly of one length, and most are told apart by it.
        if sizes[0] < sizes[1] / 2:
            return False
        return self._likeness.of(self._words(one), self._words(other)) >= TOGETHER
