"""One model on its own: the score, its interval, and the line it ends in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stbench.evaluation.scores import Scores
from stbench.verdict.line import score_line
from stbench.verdict.score import Scored, score

VALUES = np.random.default_rng(3).random(300)


def scores(values: np.ndarray) -> Scores:
    samples = {"id": np.arange(len(values)).astype(str), "value": values}
    mean = float(values.mean()) if len(values) else math.nan
    return Scores("test_cosine_ndcg@10", {"test_cosine_ndcg@10": mean}, "mean", samples)


def test_the_interval_of_a_mean_is_that_of_the_normal_curve() -> None:
    found = score(scores(VALUES), resamples=10_000, seed=1)
    error = 1.96 * VALUES.std(ddof=1) / math.sqrt(len(VALUES))
    assert (found.score, found.n, found.metric) == (pytest.approx(VALUES.mean()), 300, "cosine_ndcg@10")
    assert found.low == pytest.approx(VALUES.mean() - error, abs=0.002)
    assert found.high == pytest.approx(VALUES.mean() + error, abs=0.002)


def test_it_covers_the_true_mean_of_small_samples_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        found = score(scores(generator.normal(0.5, 0.1, 12)), resamples=400, seed=1)
        hits += found.low <= 0.5 <= found.high
    assert 0.91 <= hits / 400 <= 0.99


def test_the_same_seed_gives_the_same_interval() -> None:
    one, again, other = (score(scores(VALUES), resamples=500, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_a_single_sample_has_no_interval() -> None:
    found = score(scores(VALUES[:1]), resamples=100, seed=1)
    assert math.isnan(found.low)
    assert found.as_dict()["low"] is None


def test_no_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        score(scores(VALUES[:0]), resamples=100, seed=1)


def test_the_line_has_its_exact_shape() -> None:
    found = Scored(0.64624, 0.6021, 0.6891, 300, "cosine_ndcg@10")
    assert score_line(found, "evaluate-x-1a2b") == (
        "SCORE: 0.6462 | ci95=[0.602,0.689] | n=300 | metric=cosine_ndcg@10 | run=evaluate-x-1a2b"
    )
    sparse = Scored(0.5, 0.4, 0.6, 30, "dot_ndcg@10", {"query_active_dims": 41.23, "corpus_active_dims": 187.0})
    assert "| n=30 | query_active_dims=41.2 | corpus_active_dims=187.0 | metric=" in score_line(sparse, "r")
