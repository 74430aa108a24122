"""One evaluation becomes `Scores`, and `Scores` come back from disk as they went."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from stbench.cache import Store
from stbench.evaluation.evaluate import cached, evaluate, read, write
from stbench.evaluation.scores import Scores
from stbench.plan.plan import EvaluatorPlan

RERANKING = EvaluatorPlan("reranking", "reranking", "CrossEncoderRerankingEvaluator", "ndcg@10", "mean", 10, 64)


class Recorded:
    """A recorder that has seen two queries."""

    primary_metric = "test_ndcg@10"
    greater_is_better = True
    judged = "1a2b"
    references: ClassVar[dict[str, float]] = {"BM25": 0.3}

    def __init__(self) -> None:
        self.outcomes = {"id": np.array(["a", "b"]), "value": np.array([0.5, 1.0])}

    def __call__(self, model: Any) -> dict[str, Any]:
        self.model = model
        return {"test_ndcg@10": np.float64(0.75), "test_base_ndcg@10": 0.4, "test_base_map": 0.3}


def test_scores_are_plain_numbers_with_their_samples() -> None:
    recorder = Recorded()
    scores = evaluate("a model", recorder, RERANKING)  # type: ignore[arg-type]
    assert recorder.model == "a model"
    assert (scores.primary, scores.score, scores.statistic) == ("test_ndcg@10", 0.75, "mean")
    assert {type(value) for value in scores.metrics.values()} == {float}
    assert scores.samples["value"].tolist() == [0.5, 1.0]
    assert scores.references == {"BM25": 0.3}
    assert (scores.metric, scores.judged) == ("ndcg@10", "1a2b")
    assert scores.seconds >= 0


@pytest.fixture
def scores() -> Scores:
    return Scores(
        primary="m", metrics={"m": 0.1 + 0.2, "other": 1 / 3}, statistic="spearman", greater_is_better=False,
        samples={"id": np.array(["ä", "b"]), "prediction": np.array([0.1, np.nan]), "target": np.array([1.0, 0.0])},
        references={"first": 0.5}, seconds=2.5,
    )  # fmt: skip


def test_scores_come_back_to_the_last_bit(scores: Scores, tmp_path: Path) -> None:
    write(scores, tmp_path)
    same(read(tmp_path), scores)


def same(found: Scores, expected: Scores) -> None:
    for name in ("primary", "metrics", "statistic", "greater_is_better", "references", "seconds"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.samples.keys() == expected.samples.keys()
    for name, column in expected.samples.items():
        assert found.samples[name].dtype == column.dtype
        assert found.samples[name].tobytes() == column.tobytes()


def test_scores_are_made_once_a_key(scores: Scores, tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Scores:
        made.append(1)
        return scores

    for key in ("a" * 40, "a" * 40, "b" * 40):
        same(cached(Store(tmp_path, "on"), key, make), scores)
    assert len(made) == 2


def test_a_failed_evaluation_leaves_nothing_in_the_store(scores: Scores, tmp_path: Path) -> None:
    def broken() -> Scores:
        raise ValueError("no")

    store = Store(tmp_path, "on")
    with pytest.raises(ValueError, match="no"):
        cached(store, "a" * 40, broken)
    same(cached(store, "a" * 40, lambda: scores), scores)
