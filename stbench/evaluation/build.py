"""Evaluators out of held-out rows."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.data.convert import listed, negatives_of
from stbench.data.mining import candidates
from stbench.data.splits import content_hash
from stbench.evaluation.recording import RECORDERS, Recorder, per_prediction
from stbench.models.miner import Miner
from stbench.plan.hardware import Mode
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from datasets import Dataset


def build_evaluator(
    plan: EvaluatorPlan, type_: ModelType, rows: Dataset, name: str, precision: Mode, miner: Miner | None, store: Store
) -> Recorder:
    """The evaluator of `plan` over `rows`, named `name` (its metrics begin with that name)."""
    cls = getattr(importlib.import_module(f"sentence_transformers.{type_}.evaluation"), plan.cls)
    wrap = per_prediction if type_ == "cross_encoder" and plan.kind == "binary" else RECORDERS[plan.kind]
    inputs, ids = _INPUTS[plan.kind](rows, type_, plan, miner, store)
    evaluator: Recorder = wrap(cls)(
        **inputs, name=name, batch_size=plan.batch_size, show_progress_bar=False, write_csv=False
    )
    evaluator.autocast_mode = precision
    evaluator.sample_ids = ids
    evaluator.work = _texts(inputs)
    return evaluator


def _texts(inputs: Mapping[str, Any]) -> int:
    """Texts (or pairs) that one evaluation sends through the model."""
    if "samples" in inputs:
        # A positive that the first stage missed is added, so this may count a few pairs too few.
        return sum(len(item.get("documents") or item["positive"] + item["negative"]) for item in inputs["samples"])
    if "corpus" in inputs:
        return len(inputs["corpus"]) + len(inputs["queries"])
    return sum(len(inputs[name]) for name in ("sentences1", "sentences2", "sentence_pairs") if name in inputs)


def _retrieval(rows: Dataset, *_: Any) -> tuple[dict[str, Any], list[str]]:
    queries: dict[str, str] = {}
    corpus: dict[str, str] = {}
    relevant: dict[str, set[str]] = {}
    for row in rows:
        query = content_hash(row["anchor"])
        queries[query] = row["anchor"]
        for document, relevance in zip(*listed(row), strict=True):
            corpus[content_hash(document)] = document
            if relevance > 0:
                relevant.setdefault(query, set()).add(content_hash(document))
    return {"queries": queries, "corpus": corpus, "relevant_docs": relevant}, list(queries)


def _reranking(
    rows: Dataset, _type: ModelType, plan: EvaluatorPlan, miner: Miner | None, store: Store
) -> tuple[dict[str, Any], list[str]]:
    bare = "documents" not in rows.column_names and not negatives_of(dict.fromkeys(rows.column_names))
    samples = list(_first_stage(rows, plan.depth, miner, store) if bare and miner else _own_lists(rows))
    return {"samples": samples}, [content_hash(sample["query"]) for sample in samples]


def _own_lists(rows: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        documents, relevance = listed(row)
        positive = [text for text, value in zip(documents, relevance, strict=True) if value > 0]
        negative = [text for text, value in zip(documents, relevance, strict=True) if value <= 0]
        if positive and negative:
            yield {"query": row["anchor"], "positive": positive, "negative": negative}


def _first_stage(rows: Dataset, depth: int, miner: Miner, store: Store) -> Iterable[dict[str, Any]]:
    """Candidates are what the miner finds among all held-out documents; a positive it missed is ranked last."""
    positives: dict[str, list[str]] = {}
    for row in rows:
        positives.setdefault(row["anchor"], []).append(row["positive"])
    documents = list(dict.fromkeys(rows["positive"]))
    ranks = candidates(list(positives), documents, depth, miner, store)
    for (query, positive), hits in zip(positives.items(), ranks, strict=True):
        yield {"query": query, "positive": positive, "documents": [documents[hit] for hit in hits]}


def _scored(rows: Dataset, type_: ModelType, *_: Any) -> tuple[dict[str, Any], list[str]]:
    first, second, scores = list(rows["anchor"]), list(rows["positive"]), list(rows["score"])
    if type_ == "cross_encoder":
        pairs = [list(pair) for pair in zip(first, second, strict=True)]
        return {"sentence_pairs": pairs, "scores": scores}, _pair_ids(rows)
    return {"sentences1": first, "sentences2": second, "scores": scores}, _pair_ids(rows)


def _labelled(rows: Dataset, type_: ModelType, *_: Any) -> tuple[dict[str, Any], list[str]]:
    first, second, labels = list(rows["anchor"]), list(rows["positive"]), list(rows["label"])
    if type_ == "cross_encoder":
        pairs = [list(pair) for pair in zip(first, second, strict=True)]
        return {"sentence_pairs": pairs, "labels": labels}, _pair_ids(rows)
    return {"sentences1": first, "sentences2": second, "labels": labels}, _pair_ids(rows)


def _pair_ids(rows: Dataset) -> list[str]:
    return [content_hash(f"{row['anchor']}\n{row['positive']}") for row in rows]


_INPUTS: dict[str, Callable[..., tuple[dict[str, Any], list[str]]]] = {
    "retrieval": _retrieval,
    "reranking": _reranking,
    "similarity": _scored,
    "correlation": _scored,
    "binary": _labelled,
    "classes": _labelled,
}
