"""Held-out rows as a collection: what retrieval is judged on where the data has no collection of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stbench.data.collection import Collection, Grades
from stbench.data.convert import listed
from stbench.data.rows import each
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset


def collection_of(rows: Dataset) -> Collection:
    """Every document of every row is searched by every query; ids are hashes of the content.

    A text that is judged twice for a query counts by its better grade, a query without any relevant text is left out.
    """
    if "damaged" in rows.column_names:
        rows = rows.rename_columns({"damaged": "anchor", "text": "positive"})
    if "text" in rows.column_names:
        return by_label(rows["text"][:], rows["label"][:])
    queries: dict[str, str] = {}
    corpus: dict[str, str] = {}
    grades: Grades = {}
    for row in each(rows):
        query = content_hash(row["anchor"])
        judged = grades.setdefault(query, {})
        for document, relevance in zip(*_judged(row), strict=True):
            key = content_hash(document)
            corpus[key] = document
            judged[key] = max(relevance, judged.get(key, 0.0))
        if any(grade > 0 for grade in judged.values()):
            queries[query] = row["anchor"]
    return Collection(corpus, queries, {query: grades[query] for query in queries})


def _judged(row: Mapping[str, Any]) -> tuple[list[str], list[float]]:
    if "label" in row:
        return [row["positive"]], [float(row["label"])]
    return listed(row)


def by_label(texts: Sequence[str], labels: Sequence[object]) -> Collection:
    """Every text searches all the others for those of its own label; it never finds itself (`Collection.itself`).

    A text whose label no other has is searched and does not search.
    """
    by_id = {content_hash(text): (text, label) for text, label in zip(texts, labels, strict=True)}
    of_label: dict[object, dict[str, float]] = {}
    for key, (_, label) in by_id.items():
        of_label.setdefault(label, {})[key] = 1.0
    corpus = {key: text for key, (text, _) in by_id.items()}
    asking = {key: label for key, (_, label) in by_id.items() if len(of_label[label]) > 1}
    grades = {
        query: {key: grade for key, grade in of_label[label].items() if key != query} for query, label in asking.items()
    }
    return Collection(corpus, {key: corpus[key] for key in asking}, grades)
