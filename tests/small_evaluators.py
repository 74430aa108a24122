"""Small evaluators of every kind, with the rows they read and the tiny models they judge."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import tiny_models

from stbench.config.discovery import load
from stbench.config.sentence import Evaluator
from stbench.evaluation import build as module
from stbench.evaluation.build import build_evaluator
from stbench.models.base import locate
from stbench.models.build import Blueprint, build
from stbench.plan.evaluators import statistic_of
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    import pytest
    from datasets import Dataset

    from stbench.cache import Store
    from stbench.config.sentence import ModelType

N = 24
QUESTIONS = [f"what is thing number {i}?" for i in range(N)]
ANSWERS = [
    f"thing number {i} is a {('tool', 'plant', 'box')[i % 3]} of {('red', 'blue')[i % 2]} colour" for i in range(N)
]
OTHERS = [f"nothing known about the {('room', 'garden')[i % 2]} {i}" for i in range(N)]
STRANGE = [f"does the small box {i} belong to no one?" for i in range(N)]


def choice(kind: str) -> Evaluator:
    return Evaluator.model_validate(load("evaluator", kind))


def columns(kind: str, type_: str = "") -> dict[str, list[Any]]:
    """Rows that the evaluator `kind` reads, by column."""
    pairs: dict[str, list[Any]] = {"anchor": QUESTIONS, "positive": ANSWERS}
    # Texts come back, so that one vector serves several pairs.
    repeated = {"anchor": QUESTIONS, "positive": [ANSWERS[i - i % 2] for i in range(N)]}
    more: dict[str, dict[str, list[Any]]] = {
        "reranking": {"negative": OTHERS},
        "triplet": {"negative": OTHERS},
        "similarity": {"score": [(i * 7 % N) / N for i in range(N)]},
        "correlation": {"score": [(i * 7 % N) / N for i in range(N)]},
        "binary": {**repeated, "label": [i % 2 for i in range(N)]},
        "paraphrase_mining": {**repeated, "label": [i % 2 for i in range(N)]},
        "classes": {"label": [i * 5 % 3 for i in range(N)]},
        "label_accuracy": {"label": [i * 5 % 3 for i in range(N)]},
        "distillation": {
            "negative_1": OTHERS, "negative_2": STRANGE, "scores": [[5 - i % 3, i % 4, i / N] for i in range(N)],
        },
    }  # fmt: skip
    if kind == "mse":
        size = len(model(type_, "").tokenizer) if type_ == "sparse_encoder" else 32  # type: ignore[arg-type]
        return {"text": QUESTIONS, "embedding": [[((i * 7 + j) % 5) / 5 for j in range(size)] for i in range(N)]}
    return {**pairs, **more.get(kind, {})}


def rows(kind: str, type_: str = "") -> Dataset:
    from datasets import Dataset

    return Dataset.from_dict(columns(kind, type_))


@cache
def model(type_: ModelType, kind: str) -> Any:
    tiny = tiny_models.build()
    base = locate("masked", None, str(tiny.masked), None, None)
    return build(Blueprint(type_, base, "cpu", num_labels=3 if kind == "classes" else 1, embedding_dim=16), seed=4)


def plan_for(kind: str, type_: ModelType, **more: Any) -> EvaluatorPlan:
    known = choice(kind)
    metric = more.pop("metric", known.metric)
    statistic = statistic_of(metric, known.metrics)
    assert statistic is not None
    plain = {"depth": 4, "batch_size": 5, **more}
    return EvaluatorPlan(kind, kind, known.classes[type_], metric, statistic, **plain)


def evaluator(kind: str, type_: ModelType, store: Store, **more: Any) -> Any:
    """A recorder; `rows`, `precision` and `miner` may be given, and parts of its plan."""
    given = {name: more.pop(name, None) for name in ("rows", "precision", "miner")}
    judged = given["rows"] if given["rows"] is not None else rows(kind, type_)
    plan = plan_for(kind, type_, **more)
    return build_evaluator(plan, type_, judged, "test", given["precision"] or "fp32", given["miner"], store)


def library(kind: str, type_: ModelType, store: Store, patch: pytest.MonkeyPatch, **more: Any) -> Any:
    """The evaluator of the library itself, with the same inputs."""
    with patch.context() as during:
        for recorders in (module.RECORDERS, module.CROSSED):
            during.setitem(recorders, kind, lambda cls: cls)
        return evaluator(kind, type_, store, **more)


def same(found: dict[str, float], expected: dict[str, float], within: float = 1e-12) -> None:
    import pytest

    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=within), key
