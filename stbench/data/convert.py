"""The arrows of the graph of shapes, on real rows. Mining and teachers are in modules of their own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from stbench.data.rows import each
from stbench.data.shapes import Conversion
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset

Row = Mapping[str, Any]
CHUNK = 10_000
"""Rows that are Python objects at a time."""

DELETED = 0.6
"""Share of the words that TSDAE deletes (Wang et al. 2021, arXiv:2104.06979, section 4)."""
TENSION = 8
"""Pairs for each pair of equal texts: 1 + 7 different ones (Carlsson et al. 2021, openreview Ov_sMNau-PF)."""


def negatives_of(row: Row) -> list[str]:
    return [row[name] for name in row if name.startswith("negative")]


def convert(rows: Dataset, step: Conversion, classes: Sequence[str] = (), seed: int = 0) -> Dataset:
    """`rows` after one conversion that needs no model; `classes` are the names behind class ids.

    Raises `Refused` when no row is left.
    """
    found = table_of(_BY_NAME[step.name](rows, classes=classes, seed=seed))
    if not len(found):
        what = f"no {step.target} rows come out of the {len(rows):,} {step.source} rows ({step.says})"
        raise Refused(Problem(what, "dataset", _WHY_NONE.get(step.name, "another loss=…")))
    return found


def listed(row: Row) -> tuple[list[str], list[float]]:
    """Documents of a query and their relevance, whatever shape the row has."""
    if "documents" in row:
        return list(row["documents"]), [float(value) for value in row["relevance"]]
    negatives = negatives_of(row)
    return [row["positive"], *negatives], [1.0] + [0.0] * len(negatives)


def texts_of(rows: Dataset) -> list[str]:
    """Every distinct text of `rows`, in their order."""
    names = [name for name in rows.column_names if name in _TEXTS or name.startswith("negative")]
    found: dict[str, None] = {}
    for row in each(rows, *names):
        for name in names:
            found.update(dict.fromkeys(row[name] if isinstance(row[name], list) else [row[name]]))
    return list(found)


_TEXTS = ("text", "translation", "anchor", "positive", "documents")


def table_of(yielded: Iterator[Row]) -> Dataset:
    """`yielded` as an Arrow table: far smaller than lists of Python objects."""
    import pyarrow
    from datasets import Dataset

    tables: list[Any] = []
    while chunk := list(islice(yielded, CHUNK)):
        tables.append(pyarrow.Table.from_pylist(chunk, schema=tables[0].schema if tables else None))
    return Dataset(pyarrow.concat_tables(tables)) if tables else Dataset.from_dict({})


def _rank(rows: Dataset, **_: Any) -> Iterator[Row]:
    for row in each(rows):
        documents, relevance = listed(row)
        yield {"anchor": row["anchor"], "documents": documents, "relevance": relevance}


def _unfold(rows: Dataset, **_: Any) -> Iterator[Row]:
    for row in each(rows):
        for document, relevance in zip(*listed(row), strict=True):
            yield {"anchor": row["anchor"], "positive": document, "label": int(relevance > 0)}


def _group(rows: Dataset, **_: Any) -> Iterator[Row]:
    """Lists with relevant and irrelevant documents; an anchor with only one kind teaches no order."""
    lists: dict[str, tuple[list[str], list[float]]] = {}
    for row in each(rows):
        documents, relevance = lists.setdefault(row["anchor"], ([], []))
        documents.append(row["positive"])
        relevance.append(float(row["label"]))
    for anchor, (documents, relevance) in lists.items():
        if len(set(relevance)) > 1:
            yield {"anchor": anchor, "documents": documents, "relevance": relevance}


def _contrast(rows: Dataset, **_: Any) -> Iterator[Row]:
    """Each relevant document once, beside the less relevant ones in turn."""
    for row in each(rows):
        documents, relevance = listed(row)
        for place, (document, grade) in enumerate(zip(documents, relevance, strict=True)):
            worse = [text for text, other in zip(documents, relevance, strict=True) if other < grade]
            if grade > 0 and worse:
                yield {"anchor": row["anchor"], "positive": document, "negative": worse[place % len(worse)]}


def _keep_positives(rows: Dataset, **_: Any) -> Iterator[Row]:
    return ({"anchor": row["anchor"], "positive": row["positive"]} for row in each(rows) if row["label"] == 1)


def _keep(rows: Dataset, *names: str, **_: Any) -> Iterator[Row]:
    return iter(rows.select_columns(list(names)))


def _first_negative(rows: Dataset, **_: Any) -> Iterator[Row]:
    first = next(name for name in rows.column_names if name.startswith("negative"))
    for row in each(rows):
        yield {"anchor": row["anchor"], "positive": row["positive"], "negative": row[first]}


def _as_scores(rows: Dataset, **_: Any) -> Iterator[Row]:
    for row in each(rows):
        yield {"anchor": row["anchor"], "positive": row["positive"], "score": float(row["label"])}


def _infer(rows: Dataset, classes: Sequence[str], **_: Any) -> Iterator[Row]:
    """NLI: each entailed hypothesis of a premise beside each contradicted one, in turn."""
    entailed, contradicted = (_by_anchor(rows, classes, start) for start in ("entail", "contradict"))
    for anchor, positives in entailed.items():
        negatives = contradicted.get(anchor, [])
        for place, positive in enumerate(positives if negatives else []):
            yield {"anchor": anchor, "positive": positive, "negative": negatives[place % len(negatives)]}


def _by_anchor(rows: Dataset, classes: Sequence[str], start: str) -> dict[str, list[str]]:
    wanted = {number for number, name in enumerate(classes) if name.lower().startswith(start)}
    found: dict[str, list[str]] = {}
    for row in each(rows):
        if row["label"] in wanted:
            found.setdefault(row["anchor"], []).append(row["positive"])
    return found


def _same_label(rows: Dataset, **_: Any) -> Iterator[Row]:
    """Each text beside the next one of its label; the last beside the first."""
    by_label: dict[int, list[str]] = {}
    for row in each(rows):
        by_label.setdefault(row["label"], []).append(row["text"])
    for texts in by_label.values():
        for place, text in enumerate(texts if len(texts) > 1 else []):
            yield {"anchor": text, "positive": texts[(place + 1) % len(texts)]}


def _translate(rows: Dataset, **_: Any) -> Iterator[Row]:
    return ({"anchor": row["text"], "positive": row["translation"]} for row in each(rows))


def _drop_scores(rows: Dataset, **_: Any) -> Iterator[Row]:
    return _keep(rows, *(name for name in rows.column_names if name not in ("scores", "margin")))


def _margins(rows: Dataset, **_: Any) -> Iterator[Row]:
    for row in each(rows):
        positive, *others = row["scores"]
        for negative, score in zip(negatives_of(row), others, strict=True):
            yield {
                "anchor": row["anchor"], "positive": row["positive"], "negative": negative, "margin": positive - score,
            }  # fmt: skip


def _score_pairs(rows: Dataset, **_: Any) -> Iterator[Row]:
    """One row a document; the scores of all rows are brought to 0 … 1."""
    scores = [float(score) for some in rows["scores"] for score in some]
    low, high = min(scores), max(scores)
    for row in each(rows):
        for document, score in zip(listed(row)[0], row["scores"], strict=True):
            yield {"anchor": row["anchor"], "positive": document, "score": (score - low) / (high - low or 1.0)}


def _texts(rows: Dataset, **_: Any) -> Iterator[Row]:
    return ({"text": text} for text in texts_of(rows))


def _damage(rows: Dataset, seed: int, **_: Any) -> Iterator[Row]:
    draw = random.Random(seed)
    for row in each(rows):
        words = row["text"].split()
        kept = [word for word in words if draw.random() >= DELETED] or [draw.choice(words)]
        yield {"damaged": " ".join(kept), "text": row["text"]}


def _twin(rows: Dataset, **_: Any) -> Iterator[Row]:
    return ({"text": row["text"], "twin": row["text"]} for row in each(rows))


def _tension(rows: Dataset, seed: int, **_: Any) -> Iterator[Row]:
    draw = random.Random(seed)
    texts = rows["text"][:]
    for place, text in enumerate(texts):
        yield {"text": text, "other": text if place % TENSION == 0 else draw.choice(texts)}


_WHY_NONE = {
    "group": "negatives=mined keeps the positives and mines lists for them",
    "infer": "the classes must begin with entail… and contradict…, on the same anchors: dataset.classes=[…] names them",
    "same_label": "every label needs at least two texts",
    "keep_positives": "no pair has label 1: name the column with dataset.roles.label=…",
}
_BY_NAME: dict[str, Callable[..., Iterator[Row]]] = {
    "rank": _rank,
    "unfold": _unfold,
    "group": _group,
    "contrast": _contrast,
    "keep_positives": _keep_positives,
    "drop_negatives": lambda rows, **_: _keep(rows, "anchor", "positive"),
    "first_negative": _first_negative,
    "as_scores": _as_scores,
    "infer": _infer,
    "same_label": _same_label,
    "translate": _translate,
    "drop_scores": _drop_scores,
    "margins": _margins,
    "score_pairs": _score_pairs,
    "texts": _texts,
    "damage": _damage,
    "twin": _twin,
    "tension": _tension,
}
