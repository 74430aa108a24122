"""What is compared of the rows of a data set: what each of them asks, and what it answers.

What is judged decides what can leak. Retrieval judges queries: one that was trained on leaks, whatever other queries share
its documents. Scored and labelled pairs are judged as pairs: their texts come in several of them, and only both together
are one that was trained on. Single texts are judged by themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from stbench.data.convert import listed
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset

Unit = Literal["query", "pair", "text"]

OF_PAIRS = (
    "similarity", "correlation", "binary", "classes", "label_accuracy", "paraphrase_mining", "translation", "triplet",
)  # fmt: skip
"""Kinds of evaluators that judge pairs of texts (with a third one to hold against them) by themselves."""


class Entry(NamedTuple):
    """One sample, or one training row."""

    row: int
    """Of the rows that it comes from; the first of them."""
    texts: tuple[str, ...]
    """The query, the text, or both texts of the pair."""
    label: float | None = None
    """Score or class."""
    answers: tuple[str, ...] = ()
    """Texts that answer the query."""
    mentions: tuple[str, ...] = ()
    """Other texts of a training row in which a query or text could stand."""
    ordered: bool = False
    """Whether the texts of a pair must not be turned round."""


def unit_of(columns: Iterable[str], kind: str) -> Unit:
    """What an evaluator of that kind judges one by one in rows of these columns."""
    names = set(columns)
    if "text" in names:
        return "pair" if "translation" in names else "text"
    return "pair" if kind in OF_PAIRS else "query"


def samples_of(rows: Dataset, unit: Unit) -> list[Entry]:
    """The samples that held-out rows are judged by; rows of one query are one sample."""
    if unit != "query":
        return list(_by_row(rows, unit, ordered=False))
    merged: dict[str, Entry] = {}
    for entry in _by_row(rows, unit, ordered=False):
        key = content_hash(entry.texts[0])
        before = merged.get(key)
        merged[key] = before._replace(answers=before.answers + entry.answers) if before else entry
    return list(merged.values())


def entries_of(rows: Dataset, unit: Unit, *, ordered: bool = False) -> list[Entry]:
    """What training rows could give away of samples of that unit; `ordered`: the texts of their pairs have roles."""
    return list(_by_row(rows, unit, ordered))


def _by_row(rows: Dataset, unit: Unit, ordered: bool) -> Iterator[Entry]:
    names = set(rows.column_names)
    if "text" in names:
        return _texts(rows, unit)
    if unit == "text":
        return (Entry(entry.row, (), mentions=entry.texts) for entry in _pairs(rows, ordered))
    return _pairs(rows, ordered) if unit == "pair" else _queries(rows)


def _texts(rows: Dataset, unit: Unit) -> Iterator[Entry]:
    columns = [rows[name][:] for name in ("text", "translation") if name in rows.column_names]
    labels = rows["label"][:] if "label" in rows.column_names else [None] * len(rows)
    for row, (texts, label) in enumerate(zip(zip(*columns, strict=True), labels, strict=True)):
        if unit == "query":
            yield Entry(row, (), mentions=texts)
        elif unit == "text" or len(texts) > 1:
            yield Entry(row, texts[:1] if unit == "text" else texts, label)


def _pairs(rows: Dataset, ordered: bool) -> Iterator[Entry]:
    if "documents" in rows.column_names:
        for place, row in enumerate(rows.select_columns(["anchor", "documents", "relevance"])):
            for text, value in zip(*listed(row), strict=True):
                yield Entry(place, (row["anchor"], text), float(value > 0), ordered=ordered)
        return
    label = next((name for name in ("label", "score") if name in rows.column_names), None)
    labels = rows[label][:] if label else [None] * len(rows)
    columns = (rows["anchor"][:], rows["positive"][:], labels)
    for place, (*texts, value) in enumerate(zip(*columns, strict=True)):
        yield Entry(place, tuple(texts), value, ordered=ordered)


def _queries(rows: Dataset) -> Iterator[Entry]:
    if "documents" in rows.column_names:
        for place, row in enumerate(rows.select_columns(["anchor", "documents", "relevance"])):
            answers = tuple(text for text, value in zip(*listed(row), strict=True) if value > 0)
            yield Entry(place, (row["anchor"],), answers=answers)
        return
    labels = rows["label"][:] if "label" in rows.column_names else [1] * len(rows)
    columns = (rows["anchor"][:], rows["positive"][:], labels)
    for place, (anchor, text, label) in enumerate(zip(*columns, strict=True)):
        yield Entry(place, (anchor,), answers=(text,) if label == 1 else (), mentions=(text,))


def digest_of(entries: Sequence[Entry]) -> str:
    """Of all that is compared."""
    digest = hashlib.blake2b(digest_size=20)
    for entry in entries:
        digest.update(repr(entry).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
