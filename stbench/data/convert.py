"""The arrows of the graph of shapes, on real rows. Mining is in `stbench.data.mining`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stbench.data.shapes import Conversion

if TYPE_CHECKING:
    from datasets import Dataset

Row = Mapping[str, Any]


def negatives_of(row: Row) -> list[str]:
    return [row[name] for name in row if name.startswith("negative")]


def convert(rows: Dataset, step: Conversion) -> Dataset:
    """`rows` after one conversion that needs no model."""
    return _BY_NAME[step.name](rows)


def listed(row: Row) -> tuple[list[str], list[float]]:
    """Documents of a query and their relevance, whatever shape the row has."""
    if "documents" in row:
        return list(row["documents"]), [float(value) for value in row["relevance"]]
    negatives = negatives_of(row)
    return [row["positive"], *negatives], [1.0] + [0.0] * len(negatives)


def _rank(rows: Dataset) -> Dataset:
    def to_list(row: Row) -> dict[str, Any]:
        documents, relevance = listed(row)
        return {"anchor": row["anchor"], "documents": documents, "relevance": relevance}

    return rows.map(to_list, remove_columns=rows.column_names, desc=None)


def _unfold(rows: Dataset) -> Dataset:
    def to_pairs(batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {"anchor": [], "positive": [], "label": []}
        for index in range(len(batch["anchor"])):
            row = {name: values[index] for name, values in batch.items()}
            for document, relevance in zip(*listed(row), strict=True):
                found["anchor"].append(row["anchor"])
                found["positive"].append(document)
                found["label"].append(int(relevance > 0))
        return found

    return rows.map(to_pairs, batched=True, remove_columns=rows.column_names, desc=None)


def _keep_positives(rows: Dataset) -> Dataset:
    kept = [index for index, label in enumerate(rows["label"]) if label == 1]
    return rows.select(kept).select_columns(["anchor", "positive"])


def _drop_negatives(rows: Dataset) -> Dataset:
    return rows.select_columns(["anchor", "positive"])


def _first_negative(rows: Dataset) -> Dataset:
    first = next(name for name in rows.column_names if name.startswith("negative"))
    return rows.select_columns(["anchor", "positive", first]).rename_column(first, "negative")


_BY_NAME: dict[str, Callable[[Any], Any]] = {
    "rank": _rank,
    "unfold": _unfold,
    "keep_positives": _keep_positives,
    "drop_negatives": _drop_negatives,
    "first_negative": _first_negative,
}
