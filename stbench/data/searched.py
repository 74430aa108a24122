"""Held-out rows that are pairs out of a collection: their queries search all of its documents, not those of the rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stbench.data.collection import Collection, CollectionFiles, joined, read_corpus, read_qrels, read_queries
from stbench.data.collection_pairs import Pairs
from stbench.data.splits import Splits, anchors_of, content_hash

if TYPE_CHECKING:
    from datasets import Dataset

JUDGED = ("validation", "test")


@dataclass(frozen=True)
class Searched:
    """How a collection judges."""

    files: CollectionFiles
    documents: Mapping[str, int | None]
    """How many documents each held-out split searches at most; None: all of them."""
    pairs: Pairs

    def judgements_of(self, split: str) -> str | None:
        """Whose judgements the rows of `split` are: its own, or those of the split that they were held out from."""
        for name in {"validation": ("validation", "train"), "test": ("test", "validation", "train")}[split]:
            if name in self.files.qrels:
                return name
        return None


def with_collections(splits: Splits, searched: Searched) -> Splits:
    """`splits` with the collection that each held-out one searches, and without training rows that give a query away.

    Raises `Refused` when the files of the collection cannot be read.
    """
    collections, counts = (
        collections_of(searched, {split: getattr(splits, split) for split in JUDGED}),
        dict(splits.counts),
    )
    train = without_queries(splits.train, collections)
    if dropped := len(splits.train) - len(train):
        counts["training rows whose query is held out, left out"] = dropped
    return replace(splits, train=train, counts=counts, collections=collections)


def collections_of(searched: Searched, judged: Mapping[str, Dataset]) -> dict[str, Collection]:
    """What the queries of each split in `judged` search, where somebody judged them.

    Raises `Refused` when the files of the collection cannot be read.
    """
    files, found = searched.files, {}
    corpus, queries = read_corpus(files.corpus, files.titles), read_queries(files.queries)
    for split, rows in judged.items():
        if origin := searched.judgements_of(split):
            whole = joined(corpus, queries, [read_qrels(files.qrels[origin])], str(files.qrels[origin]))
            found[split] = _asked(whole, rows).bounded(searched.documents.get(split))
    return found


def _asked(whole: Collection, rows: Dataset) -> Collection:
    """What the queries of `rows` search."""
    asked = {content_hash(anchor) for anchor in anchors_of(rows)}
    return whole.restricted(key for key, text in whole.queries.items() if content_hash(text) in asked)


def without_queries(train: Dataset, collections: Mapping[str, Collection]) -> Dataset:
    """`train` without the rows of queries that are judged."""
    held = {content_hash(text) for found in collections.values() for text in found.queries.values()}
    first = "anchor" if "anchor" in train.column_names else train.column_names[0]
    return train.select([index for index, text in enumerate(train[first]) if content_hash(text) not in held])
