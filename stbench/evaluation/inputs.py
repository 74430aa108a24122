"""From held-out rows to what an evaluator of the library is built from, one small function for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.data.collection import Collection
from stbench.data.convert import listed, negatives_of
from stbench.data.mining import candidates
from stbench.data.splits import content_hash
from stbench.evaluation.collection import collection_of
from stbench.models.miner import Miner
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Means:
    """What inputs are made with, beside the rows."""

    plan: EvaluatorPlan
    type: ModelType
    miner: Miner | None
    store: Store
    collection: Collection | None = None
    """What the queries search, where it is more than the documents of the rows."""


@dataclass(frozen=True)
class Inputs:
    """What reaches the constructor of the library's evaluator, and the id of each sample it will judge."""

    arguments: Mapping[str, Any]
    ids: list[str]
    texts: int
    """Texts (or pairs) that one evaluation sends through the model."""
    collection: Collection | None = None
    """What retrieval searches."""


def retrieval(rows: Dataset, means: Means) -> Inputs:
    found = means.collection or collection_of(rows)
    arguments = {
        "queries": dict(found.queries), "corpus": dict(found.corpus), "relevant_docs": found.relevant,
        "corpus_chunk_size": chunk_size(means.type, len(found.queries)),
    }  # fmt: skip
    return Inputs(arguments, list(found.queries), len(found.corpus) + len(found.queries), found)


def chunk_size(type_: ModelType, queries: int) -> int:
    """Documents that are encoded and scored at a time, so that a large corpus needs no more memory than a small one.

    Token vectors of 1,000 documents take about 0.2 GB, an untrained SPLADE's 0.6 GB, the scores of a chunk at most 0.2 GB.
    """
    most = 10_000 if type_ == "sentence_transformer" else 1_000
    return max(1, min(most, 50_000_000 // max(1, queries)))


def reranking(rows: Dataset, means: Means) -> Inputs:
    bare = "documents" not in rows.column_names and not negatives_of(dict.fromkeys(rows.column_names))
    lists = _first_stage(rows, means.plan.depth, means.miner, means.store) if bare and means.miner else _own_lists(rows)
    samples = list(lists if means.type == "cross_encoder" else map(_as_negatives, lists))
    # A positive that the first stage missed is added, so this may count a few pairs too few.
    pairs = sum(len(sample.get("documents") or sample["positive"] + sample["negative"]) for sample in samples)
    return Inputs({"samples": samples}, [content_hash(sample["query"]) for sample in samples], pairs)


def _own_lists(rows: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        documents, relevance = listed(row)
        positive = [text for text, value in zip(documents, relevance, strict=True) if value > 0]
        negative = [text for text, value in zip(documents, relevance, strict=True) if value <= 0]
        if positive and negative:
            yield {"query": row["anchor"], "positive": positive, "negative": negative}


def _as_negatives(sample: dict[str, Any]) -> dict[str, Any]:
    """Evaluators of embeddings know no first stage: its documents are negatives, unless they are positives."""
    if "documents" not in sample:
        return sample
    negative = [text for text in sample["documents"] if text not in sample["positive"]]
    return {"query": sample["query"], "positive": sample["positive"], "negative": negative}


def _first_stage(rows: Dataset, depth: int, miner: Miner, store: Store) -> Iterable[dict[str, Any]]:
    """Candidates are what the miner finds among all held-out documents; a positive it missed is ranked last."""
    positives: dict[str, list[str]] = {}
    for row in rows:
        positives.setdefault(row["anchor"], []).append(row["positive"])
    documents = list(dict.fromkeys(rows["positive"]))
    ranks = candidates(list(positives), documents, depth, miner, store)
    for (query, positive), hits in zip(positives.items(), ranks, strict=True):
        yield {"query": query, "positive": positive, "documents": [documents[hit] for hit in hits]}


def scored_pairs(rows: Dataset, means: Means) -> Inputs:
    return _pairs(rows, means, {"scores": list(rows["score"])})


def labelled_pairs(rows: Dataset, means: Means) -> Inputs:
    return _pairs(rows, means, {"labels": list(rows["label"])})


def _pairs(rows: Dataset, means: Means, targets: dict[str, Any]) -> Inputs:
    """Cross-encoders take pairs, the others two columns."""
    first, second = list(rows["anchor"]), list(rows["positive"])
    ids = [content_hash(f"{one}\n{other}") for one, other in zip(first, second, strict=True)]
    if means.type == "cross_encoder":
        pairs = [list(pair) for pair in zip(first, second, strict=True)]
        return Inputs({"sentence_pairs": pairs, **targets}, ids, len(pairs))
    return Inputs({"sentences1": first, "sentences2": second, **targets}, ids, len(first) + len(second))


INPUTS: dict[str, Callable[[Dataset, Means], Inputs]] = {
    "retrieval": retrieval,
    "reranking": reranking,
    "similarity": scored_pairs,
    "correlation": scored_pairs,
    "binary": labelled_pairs,
    "classes": labelled_pairs,
}
