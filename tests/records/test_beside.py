"""Evaluators beside the deciding one: figures with an interval, under names that do not collide."""

from __future__ import annotations

import numpy as np

from stbench.evaluation.scores import Scores
from stbench.records.beside import beside, paired_metrics


def scores(value: float, **metrics: float) -> Scores:
    generator = np.random.default_rng(0)
    values = np.clip(generator.normal(value, 0.1, 50), 0, 1)
    found = {"test_cosine_accuracy": float(values.mean()), **metrics}
    return Scores("test_cosine_accuracy", found, "mean", {"id": np.arange(50).astype(str), "value": values})


def test_only_what_is_beside_the_verdict_is_told() -> None:
    before = {"validation": scores(0.1), "test": scores(0.2), "also triplet": scores(0.3)}
    after = {"test": scores(0.4), "also triplet": scores(0.5)}
    (found,) = beside(before, after, resamples=200, seed=1)
    assert (found.name, found.n) == ("triplet: cosine_accuracy", 50)
    assert found.low <= found.final - found.baseline <= found.high
    assert (found.baseline, found.final) == (before["also triplet"].score, after["also triplet"].score)
    assert found.as_dict()["metrics"] == {"cosine_accuracy": {"baseline": found.baseline, "final": found.final}}


def test_the_deciding_metric_keeps_the_short_name() -> None:
    def nano(value: float) -> Scores:
        metrics = {"NanoNQ_cosine_ndcg@10": 0.1, "NanoBEIR_mean_cosine_ndcg@10": value, "NanoNQ_base_ndcg@10": 0.5}
        return Scores("NanoBEIR_mean_cosine_ndcg@10", metrics, "mean", {})

    assert paired_metrics(nano(0.2), nano(0.3)) == {
        "cosine_ndcg@10": (0.2, 0.3),
        "NanoNQ_cosine_ndcg@10": (0.1, 0.1),
    }
