"""What retrieval is judged on: queries, the documents that are searched, and which of them each query should find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stbench.data.convert import listed
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Collection:
    """Queries and documents by id, and the ids of the documents that are relevant to each query."""

    queries: dict[str, str] = field(default_factory=dict)
    corpus: dict[str, str] = field(default_factory=dict)
    relevant: dict[str, set[str]] = field(default_factory=dict)


def collection_of(rows: Dataset) -> Collection:
    """Held-out rows as a collection, ids by content: every document of every row is searched by every query."""
    found = Collection()
    for row in rows:
        query = content_hash(row["anchor"])
        found.queries[query] = row["anchor"]
        for document, relevance in zip(*listed(row), strict=True):
            key = content_hash(document)
            found.corpus[key] = document
            if relevance > 0:
                found.relevant.setdefault(query, set()).add(key)
    return found
