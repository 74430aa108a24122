"""Held-out rows as a collection: what retrieval is judged on where the data has no collection of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stbench.data.collection import Collection, Grades
from stbench.data.convert import listed
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
        return by_label(list(rows["text"]), list(rows["label"]))
    queries: dict[str, str] = {}
    corpus: dict[str, str] = {}
    grades: Grades = {}
    for row in rows:
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
    """Half of the texts, chosen by content, search the other half for texts of their own label.

    Queries without any text of their label to find are left out.
    """
    texts_by_id = {content_hash(text): (text, label) for text, label in zip(texts, labels, strict=True)}
    order = sorted(texts_by_id)
    asking, searched = order[::2], order[1::2]
    with_label: dict[object, dict[str, float]] = {}
    for key in searched:
        with_label.setdefault(texts_by_id[key][1], {})[key] = 1.0
    grades = {key: with_label[texts_by_id[key][1]] for key in asking if texts_by_id[key][1] in with_label}
    queries = {key: texts_by_id[key][0] for key in grades}
    return Collection({key: texts_by_id[key][0] for key in searched}, queries, grades)
