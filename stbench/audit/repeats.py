"""Training rows that say the same twice, or say of the same texts now this and now that."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from stbench.config.sentence import Shape
from stbench.data.convert import listed
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset

APART = 0.2
"""Scores from 0 to 1 of the same texts that differ by more contradict each other."""
LABELLED: tuple[Shape, ...] = ("scored_pair", "labeled_pair", "class_pair")
"""Shapes of pairs that a label or score is about."""
SAYING: tuple[Shape, ...] = (*LABELLED, "labeled_text", "ranked_list")
"""Shapes of rows that can contradict each other."""


class Said(NamedTuple):
    """What a row says of its texts."""

    row: int
    key: Hashable
    texts: tuple[str, ...]
    value: float


def repeated(rows: Dataset, shape: Shape) -> list[int]:
    """Rows whose anchor, text or (labelled) pair of texts stands in an earlier row, whatever else they hold."""
    seen: set[Hashable] = set()
    found = []
    for row, key in enumerate(_keys(rows, shape)):
        if key in seen:
            found.append(row)
        seen.add(key)
    return found


def contradictions(rows: Dataset, shape: Shape) -> list[list[Said]]:
    """What is said of the same texts, where it is not the same: other classes, or scores that are far apart.

    Which text of a pair comes first matters only for classes (a text may follow from another, and not the other way round).
    """
    by_texts: dict[Hashable, list[Said]] = {}
    for said in _said(rows, shape):
        by_texts.setdefault(said.key, []).append(said)
    least = APART if shape == "scored_pair" else 0.0
    return [some for some in by_texts.values() if _range(some) > least]


def _range(some: Sequence[Said]) -> float:
    values = [said.value for said in some]
    # Less what rounding makes of 0.9 - 0.7.
    return max(values) - min(values) - 1e-9


def _keys(rows: Dataset, shape: Shape) -> Iterator[Hashable]:
    if shape in LABELLED:
        return (_pair(texts, shape) for texts in _columns(rows, "anchor", "positive"))
    name = "text" if "text" in rows.column_names else "anchor"
    return (content_hash(text) for text in rows[name][:])


def _pair(texts: Sequence[str], shape: Shape) -> Hashable:
    keys = tuple(map(content_hash, texts))
    return keys if shape == "class_pair" else frozenset(keys)


def _columns(rows: Dataset, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(rows[name][:] for name in names), strict=True)


def _said(rows: Dataset, shape: Shape) -> Iterator[Said]:
    if shape == "labeled_text":
        for row, (text, label) in enumerate(_columns(rows, "text", "label")):
            yield Said(row, content_hash(text), (text,), label)
    elif shape in LABELLED:
        value = "score" if shape == "scored_pair" else "label"
        for row, (anchor, positive, said) in enumerate(_columns(rows, "anchor", "positive", value)):
            yield Said(row, _pair((anchor, positive), shape), (anchor, positive), said)
    elif shape == "ranked_list":
        for place, row in enumerate(rows):
            for text, grade in zip(*listed(row), strict=True):
                texts = (row["anchor"], text)
                yield Said(place, tuple(map(content_hash, texts)), texts, float(grade > 0))
