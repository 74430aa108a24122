"""The texts that a model's cost is measured on: the same few of the test split for every model."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from stbench.data.convert import listed
from stbench.data.splits import anchors_of

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.data.collection import Collection

MOST = 256
"""Queries, and documents."""
ROWS = 1000
"""Rows that they are drawn from."""
SEED = 12
"""Not that of the sentence: runs with different seeds are measured on the same texts."""


@dataclass(frozen=True)
class CostTexts:
    """At most `MOST` queries and as many documents, in an order drawn once; none is empty."""

    queries: tuple[str, ...]
    documents: tuple[str, ...]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each document with a query."""
        return list(zip(cycle(self.queries), self.documents, strict=False))


def cost_texts(rows: Dataset, collection: Collection | None) -> CostTexts:
    """Queries and documents of `collection`, or where there is none the texts of the first test rows."""
    if collection is not None:
        # Of a large corpus the ids are drawn, not the texts.
        queries, corpus = collection.queries, collection.corpus
        return CostTexts(tuple(queries[key] for key in _drawn(queries)), tuple(corpus[key] for key in _drawn(corpus)))
    some = rows.select(range(min(ROWS, len(rows))))
    alone = "anchor" not in rows.column_names
    documents = anchors_of(some) if alone else [text for row in some for text in listed(row)[0]]
    return CostTexts(tuple(_drawn(anchors_of(some))), tuple(_drawn(documents)))


def _drawn(texts: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(texts))
    return random.Random(SEED).sample(found, min(MOST, len(found)))
