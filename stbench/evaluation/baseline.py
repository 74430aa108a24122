"""The untouched model's scores: taken with the same evaluators as the final ones, and kept by content."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stbench.cache import Store, key_of
from stbench.data.rows import each
from stbench.data.splits import Splits
from stbench.evaluation.evaluate import cached, evaluate
from stbench.evaluation.recording import Recorder
from stbench.evaluation.scores import Scores
from stbench.evaluation.sizes import Measured, measured
from stbench.models.digest import weights_digest
from stbench.plan.plan import EvaluatorPlan, Judging, Plan

SPLITS = ("validation", "test")
ALSO = "also "
"""Begins the name of what is reported and does not decide."""


def judges(plan: Judging) -> dict[str, tuple[str, EvaluatorPlan]]:
    """Every evaluation by its name: split and evaluator. Those called as the splits decide, the others are reported."""
    deciding = {name: (name, plan.evaluator) for name in SPLITS}
    return {**deciding, **{f"{ALSO}{one.name}": ("test", one) for one in plan.evaluator.also}}


def untouched(
    plan: Judging, splits: Splits, evaluators: Mapping[str, Recorder], model: Callable[[], Any], store: Store
) -> dict[str, Scores]:
    """Scores of the untouched model by each evaluator given; `model()` is asked for only where the cache is empty."""
    return {
        name: replace(
            cached(
                store,
                _key(plan, split, evaluator, evaluators[name].content or _judged(splits, split)),
                lambda name=name, evaluator=evaluator: evaluate(model(), evaluators[name], evaluator),
            ),
            metric=evaluator.metric,
            judged=evaluators[name].judged,
        )
        for name, (split, evaluator) in judges(plan).items()
        if name in evaluators
    }


def final(plan: Plan, evaluators: Mapping[str, Recorder], model: Any) -> dict[str, Scores]:
    """Scores of the trained model by each evaluator of the test split."""
    return {
        name: evaluate(model, evaluators[name], evaluator)
        for name, (split, evaluator) in judges(plan).items()
        if split == "test"
    }


def untouched_sizes(
    plan: Plan, splits: Splits, evaluator: Recorder, model: Callable[[], Any], store: Store
) -> tuple[Measured, ...]:
    """Scores of the untouched model at the sizes that the modifier trains, kept by content; none without a modifier."""
    dims, layers = sizes_of(plan)
    if not dims and not layers:
        return ()

    def build(folder: Path) -> None:
        found = [asdict(one) for one in measured(model(), evaluator, dims, layers)]
        (folder / "sizes.json").write_text(json.dumps(found), encoding="utf-8")

    key = key_of(
        _key(plan, "test", plan.evaluator, evaluator.content or _judged(splits, "test")), list(dims), list(layers)
    )
    kept = json.loads((store.product("sizes", key, build) / "sizes.json").read_text(encoding="utf-8"))
    return tuple(Measured(**one) for one in kept)


def sizes_of(plan: Plan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Dimensions and numbers of layers to score; a teacher's vectors can only be compared with whole ones."""
    if plan.modifier is None:
        return (), ()
    return () if plan.evaluator.kind == "mse" else plan.modifier.dims, plan.modifier.layers


def _judged(splits: Splits, name: str) -> object:
    """Content of what the split is judged by."""
    if found := splits.collections.get(name):
        return found.digest
    rows = getattr(splits, name)
    return [rows.column_names, [list(row.values()) for row in each(rows)]]


def _key(plan: Judging, name: str, evaluator: EvaluatorPlan, judged: object) -> str:
    """Everything that could change the score: weights, architecture, new heads (by seed), data, evaluator, precision, versions."""
    import sentence_transformers
    import torch
    import transformers

    from stbench import __version__

    blueprint = plan.blueprint
    return key_of(
        name,
        weights_digest(blueprint.base),
        [blueprint.identity(), plan.precision, plan.seed],
        [evaluator.cls, evaluator.kind, evaluator.metric, evaluator.statistic, evaluator.depth, evaluator.batch_size],
        [dict(evaluator.arguments), [step.name for step in evaluator.steps.get(name, ())], list(evaluator.classes)],
        weights_digest(plan.data.teacher.base) if plan.data.teacher and evaluator.asks_teacher else None,
        weights_digest(evaluator.retriever) if evaluator.retriever else None,
        judged,
        [evaluator.bm25, evaluator.fusion, evaluator.language, evaluator.first_stage, evaluator.add_missed],
        [
            __version__,
            torch.__version__,
            transformers.__version__,
            sentence_transformers.__version__,
            torch.get_num_threads(),
        ],
    )
