"""Evaluators out of held-out rows."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.data.collection import Collection
from stbench.data.convert import convert
from stbench.evaluation.inputs import INPUTS, Means
from stbench.evaluation.pairs import per_pair, per_prediction
from stbench.evaluation.ranking import per_list, per_query, per_reranked_list
from stbench.evaluation.recording import Recorder
from stbench.models.miner import Miner
from stbench.plan.hardware import Mode
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from datasets import Dataset

RECORDERS: dict[str, Callable[[type[Any]], type[Any]]] = {
    "retrieval": per_query,
    "reranking": per_list,
    "similarity": per_pair,
    "binary": per_pair,
}
"""What keeps the outcomes of single samples, by the kind of the evaluator."""
CROSSED: dict[str, Callable[[type[Any]], type[Any]]] = {
    "reranking": per_reranked_list,
    "correlation": per_prediction,
    "binary": per_prediction,
    "classes": per_prediction,
}
"""The same for cross-encoders, which predict instead of embedding."""


def build_evaluator(
    plan: EvaluatorPlan,
    type_: ModelType,
    rows: Dataset,
    name: str,
    precision: Mode,
    miner: Miner | None,
    store: Store,
    collection: Collection | None = None,
) -> Recorder:
    """The evaluator of `plan` over the held-out `rows` of the split `name` (its metrics begin with that name)."""
    for step in plan.steps.get(name, ()):
        rows = convert(rows, step)
    inputs = INPUTS[plan.kind](rows, Means(plan, type_, miner, store, collection))
    evaluator: Recorder = recorder(plan, type_)(
        **inputs.arguments, **plan.arguments, name=name, batch_size=plan.batch_size, show_progress_bar=False,
        write_csv=False,
    )  # fmt: skip
    evaluator.autocast_mode = precision
    evaluator.deciding = plan.metric
    evaluator.sample_ids = inputs.ids
    evaluator.work = inputs.texts
    evaluator.collection = inputs.collection
    return evaluator


def recorder(plan: EvaluatorPlan, type_: ModelType) -> type[Any]:
    """The library's class, extended so that it keeps what became of each sample."""
    cls = getattr(importlib.import_module(f"sentence_transformers.{type_}.evaluation"), plan.cls)
    return (CROSSED if type_ == "cross_encoder" else RECORDERS)[plan.kind](cls)
