"""Evaluators out of held-out rows."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.data.collection import Collection
from stbench.data.convert import convert
from stbench.data.rows import digest
from stbench.errors import Problem, Refused
from stbench.evaluation.bm25 import NAME, rankings_of
from stbench.evaluation.duplicates import per_duplicate
from stbench.evaluation.inputs import INPUTS, Means
from stbench.evaluation.judged import judged_digest
from stbench.evaluation.lists import per_list, per_reranked_list
from stbench.evaluation.nano import built, per_data_set
from stbench.evaluation.pairs import per_pair, per_prediction
from stbench.evaluation.probe import per_probed_row
from stbench.evaluation.ranking import per_query
from stbench.evaluation.recording import Recorder
from stbench.evaluation.scored_lists import per_scored_list
from stbench.evaluation.triplets import per_triplet
from stbench.evaluation.vectors import per_translation, per_vector
from stbench.models.miner import Miner
from stbench.models.teacher import Teacher
from stbench.plan.hardware import Mode
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from datasets import Dataset

RECORDERS: dict[str, Callable[[type[Any]], type[Any]]] = {
    "retrieval": per_query,
    "reranking": per_list,
    "similarity": per_pair,
    "binary": per_pair,
    "triplet": per_triplet,
    "translation": per_translation,
    "mse": per_vector,
    "paraphrase_mining": per_duplicate,
    "distillation": per_scored_list,
    "label_accuracy": per_probed_row,
}
"""What keeps the outcomes of single samples, by the kind of the evaluator."""
CROSSED: dict[str, Callable[[type[Any]], type[Any]]] = {
    "reranking": per_reranked_list,
    "correlation": per_prediction,
    "binary": per_prediction,
    "classes": per_prediction,
}
"""The same for cross-encoders, which predict instead of embedding."""
NOTHING = {
    "reranking": "no query has both relevant and irrelevant documents",
    "retrieval": "no query has a relevant document",
    "paraphrase_mining": "no two different texts are duplicates",
    "distillation": "the teacher gives all documents of a query the same score",
}
"""Why an evaluator may find nothing to do, by its kind."""


def build_evaluator(
    plan: EvaluatorPlan,
    type_: ModelType,
    rows: Dataset,
    name: str,
    precision: Mode,
    retriever: Miner | None,
    store: Store,
    collection: Collection | None = None,
    teacher: Teacher | None = None,
) -> Recorder:
    """The evaluator of `plan` over the held-out `rows` of the split `name` (its metrics begin with that name)."""
    if plan.kind == "nano_beir":
        return _settled(built(per_data_set(_class(plan, type_)), plan, name), plan, precision)
    rows = _converted(plan, rows, name, teacher, store)
    inputs = INPUTS[plan.kind](rows, Means(plan, type_, retriever, store, collection))
    if not inputs.ids:
        raise Refused(_nothing(plan, name, len(rows)))
    cls = recorder(plan, type_)
    given = {"name": name, "batch_size": plan.batch_size, "show_progress_bar": False, "write_csv": False}
    evaluator: Recorder = cls(**inputs.arguments, **plan.arguments, **_taken(cls, given))
    _settled(evaluator, plan, precision)
    if plan.asks_teacher:
        evaluator.content = evaluator.judged = digest(rows)
    else:
        evaluator.judged = judged_digest(inputs, plan.add_missed)
    evaluator.sample_ids = inputs.ids
    evaluator.work = inputs.texts
    evaluator.collection = inputs.collection
    evaluator.references = dict(inputs.references)
    if plan.kind == "reranking":
        evaluator.add_missed = plan.add_missed  # type: ignore[attr-defined]
    if plan.kind == "retrieval" and plan.bm25 and inputs.collection is not None:
        rankings = rankings_of(inputs.collection, evaluator.depth, plan.language, store)  # type: ignore[attr-defined]
        evaluator.refer_to(NAME, rankings, plan.fusion)  # type: ignore[attr-defined]
    return evaluator


def _converted(plan: EvaluatorPlan, rows: Dataset, split: str, teacher: Teacher | None, store: Store) -> Dataset:
    """The rows in a shape that the evaluator reads."""
    for step in plan.steps.get(split, ()):
        if step.asks_teacher and teacher is not None:
            rows = teacher.answer(rows, step, store)
        else:
            rows = convert(rows, step, plan.classes)
    return rows


def _nothing(plan: EvaluatorPlan, split: str, rows: int) -> Problem:
    why = NOTHING.get(plan.kind, "they hold nothing to judge")
    mend = "another evaluator=…, or more held-out rows: training.evaluation_rows=… dataset.test_size=…"
    return Problem(f"none of the {rows:,} {split} rows can be judged: {why}", f"evaluator={plan.name}", mend)


def _settled(evaluator: Recorder, plan: EvaluatorPlan, precision: Mode) -> Recorder:
    """`evaluator` with what all of them are told."""
    evaluator.autocast_mode = precision
    evaluator.batch_size = plan.batch_size
    evaluator.deciding = plan.metric
    evaluator.greater_is_better = plan.greater_is_better
    return evaluator


def _taken(cls: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the usual arguments that the constructor takes."""
    parameters = inspect.signature(cls).parameters
    return {name: value for name, value in given.items() if name in parameters or "kwargs" in parameters}


def recorder(plan: EvaluatorPlan, type_: ModelType) -> type[Any]:
    """The library's class, extended so that it keeps what became of each sample."""
    return (CROSSED if type_ == "cross_encoder" else RECORDERS)[plan.kind](_class(plan, type_))


def _class(plan: EvaluatorPlan, type_: ModelType) -> type[Any]:
    found: type[Any] = getattr(importlib.import_module(f"sentence_transformers.{type_}.evaluation"), plan.cls)
    return found
