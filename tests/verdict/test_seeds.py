"""Several seeds, one verdict: samples and seeds could both have been others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stbench.evaluation.scores import Scores
from stbench.verdict.judge import judge
from stbench.verdict.seeds import judge_seeds

KEY = "cosine_ndcg@10"


def scores(value: np.ndarray) -> Scores:
    return Scores(KEY, {KEY: float(value.mean())}, "mean", {"id": np.arange(len(value)), "value": value})


def runs(gains: list[float], size: int = 300, spread: float = 0.1, seed: int = 0) -> list[tuple[Scores, Scores]]:
    """Runs whose differences are exactly `gains`."""
    random = np.random.default_rng(seed)
    before = random.random(size)
    noise = random.normal(size=size)
    noise = spread * (noise - noise.mean()) / noise.std()
    return [(scores(before), scores(before + noise + gain)) for gain in gains]


def test_seeds_that_agree_say_what_each_of_them_says() -> None:
    pairs = runs([0.03, 0.03])
    alone, together = judge(*pairs[0]), judge_seeds(pairs)
    assert together.outcome == alone.outcome == "WIN"
    assert (together.delta, together.score, together.baseline) == pytest.approx(
        (alone.delta, alone.score, alone.baseline)
    )
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=5e-4)
    assert together.extras == {"seeds": 2.0, "seed_sd": 0.0}


def test_the_spread_between_seeds_widens_the_interval_as_student_says() -> None:
    gains = [0.00, 0.03, 0.06]
    found = judge_seeds(runs(gains, size=20_000, spread=0.001), resamples=200)
    # With so many samples the seeds alone are left: 4.303 is Student's 97.5 % point with two degrees of freedom.
    reach = 4.303 * np.std(gains, ddof=1) / np.sqrt(3)
    assert (found.delta, found.low, found.high) == pytest.approx((0.03, 0.03 - reach, 0.03 + reach), abs=2e-3)
    assert found.outcome == "MARGINAL"
    assert "more seeds would settle it" in found.settle
    assert found.extras["seed_sd"] == pytest.approx(0.03, abs=1e-9)


def test_noise_of_seeds_and_samples_seldom_wins() -> None:
    random = np.random.default_rng(3)
    wins = ignored = 0
    for trial in range(200):
        pairs = runs([0.0] * 3, seed=trial)
        shifts = random.normal(0, 0.02, 3)
        noise = random.normal(0, 0.1, (3, 300))
        pairs = [
            (before, scores(before.samples["value"] + own + shift))
            for (before, _), own, shift in zip(pairs, noise, shifts, strict=True)
        ]
        found = judge_seeds(pairs, resamples=300, seed=trial)
        wins += found.outcome == "WIN"
        ignored += max(judge(*pair, resamples=300, seed=trial).low for pair in pairs) > 0
    assert wins / 200 <= 0.06
    assert ignored / 200 >= 0.5  # the best of three seeds, each taken for itself


def test_a_metric_that_counts_downwards_is_turned() -> None:
    pairs = [tuple(replace(side, greater_is_better=False) for side in pair) for pair in runs([-0.03, -0.031])]
    found = judge_seeds(pairs)  # type: ignore[arg-type]
    assert found.outcome == "WIN"
    assert found.delta == pytest.approx(0.0305)
    assert found.score < found.baseline


def test_a_reason_denies_the_win() -> None:
    found = judge_seeds(runs([0.05, 0.05]), reservations=["the vectors are dense"])
    assert (found.outcome, found.settle) == ("MARGINAL", "the vectors are dense")


def test_few_changed_samples_decide_nothing() -> None:
    value = np.linspace(0, 1, 50)
    after = value.copy()
    after[:3] += 0.9
    found = judge_seeds([(scores(value), scores(after))] * 2)
    assert found.outcome == "MARGINAL"


def test_other_samples_or_a_lone_seed_are_no_matter_for_it() -> None:
    first, second = runs([0.03, 0.03])
    other = replace(second[1], samples={**second[1].samples, "id": second[1].samples["id"][::-1]})
    with pytest.raises(ValueError, match="same metric on the same samples"):
        judge_seeds([first, (second[0], other)])
    with pytest.raises(ValueError, match="two"):
        judge_seeds([first])
