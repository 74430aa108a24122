"""Held-out rows as a collection: what retrieval is judged on where the data has no collection of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stbench.data.collection import Collection, Grades
from stbench.data.convert import listed
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset


def collection_of(rows: Dataset) -> Collection:
    """Held-out rows as a collection, ids by content: every document of every row is searched by every query."""
    queries: dict[str, str] = {}
    corpus: dict[str, str] = {}
    grades: Grades = {}
    for row in rows:
        query = content_hash(row["anchor"])
        for document, relevance in zip(*listed(row), strict=True):
            key = content_hash(document)
            corpus[key] = document
            judged = grades.setdefault(query, {})
            judged[key] = max(relevance, judged.get(key, 0.0))
        if any(grade > 0 for grade in grades.get(query, {}).values()):
            queries[query] = row["anchor"]
    return Collection(corpus, queries, {query: grades[query] for query in queries})
