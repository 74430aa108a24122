"""One evaluation of one model on one split, and the same kept in the cache for untouched models."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from stbench.cache import Store
from stbench.evaluation.recording import Recorder
from stbench.evaluation.scores import Scores
from stbench.plan.plan import EvaluatorPlan


def evaluate(model: Any, evaluator: Recorder, plan: EvaluatorPlan) -> Scores:
    """Scores of `model`, and those of other systems that the evaluator knows."""
    start = time.perf_counter()
    metrics = evaluator(model)
    return Scores(
        primary=str(evaluator.primary_metric),
        metrics={key: float(value) for key, value in metrics.items()},
        statistic=plan.statistic,
        samples=dict(evaluator.outcomes),
        greater_is_better=evaluator.greater_is_better,
        references=dict(evaluator.references),
        seconds=time.perf_counter() - start,
        metric=plan.metric,
        judged=evaluator.judged,
    )


def cached(store: Store, key: str, make: Any) -> Scores:
    """What `make()` returns, kept under `key`, without what was asked of it: an untouched model scores the same each time."""

    def build(folder: Path) -> None:
        write(make(), folder)

    return read(store.product("baseline", key, build))


def write(scores: Scores, folder: Path) -> None:
    """`scores.json` and `samples.npz` in `folder`."""
    plain = {
        "primary": scores.primary, "metrics": scores.metrics, "statistic": scores.statistic,
        "greater_is_better": scores.greater_is_better, "references": scores.references, "seconds": scores.seconds,
    }  # fmt: skip
    (folder / "scores.json").write_text(json.dumps(plain), encoding="utf-8")
    np.savez(folder / "samples.npz", allow_pickle=False, **scores.samples)


def read(folder: Path) -> Scores:
    plain = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    with np.load(folder / "samples.npz") as samples:
        return Scores(**plain, samples={name: samples[name] for name in samples.files})
