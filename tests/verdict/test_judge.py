from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stbench.evaluation.scores import Scores
from stbench.verdict.judge import Verdict, judge, readable


def mean_scores(value: np.ndarray, **changes: Any) -> Scores:
    key = "x_cosine_ndcg@10"
    samples = {"id": np.arange(len(value)), "value": value}
    plain = Scores(primary=key, metrics={key: float(np.mean(value))}, statistic="mean", samples=samples)
    return replace(plain, **changes)


def set_scores(statistic: str, prediction: np.ndarray, target: np.ndarray, score: float = 0.5) -> Scores:
    samples = {"id": np.arange(len(target)), "prediction": prediction, "target": target}
    return Scores(primary=statistic, metrics={statistic: score}, statistic=statistic, samples=samples)


def pair(gain: float, size: int = 400, spread: float = 0.1) -> tuple[Scores, Scores]:
    """Two evaluations whose difference is exactly `gain`."""
    generator = np.random.default_rng(0)
    before, noise = generator.random(size), generator.normal(size=size)
    noise = (noise - noise.mean()) / noise.std() * spread
    return mean_scores(before), mean_scores(before + noise + gain)


def test_a_clear_gain_wins() -> None:
    found = judge(*pair(0.05))
    assert found.outcome == "WIN"
    assert found.delta == pytest.approx(found.score - found.baseline) == pytest.approx(0.05)
    assert found.low == pytest.approx(0.05 - 1.965 * 0.005, abs=5e-4)
    assert found.high == pytest.approx(0.05 + 1.965 * 0.005, abs=5e-4)
    assert (found.n, found.metric, found.settle) == (400, "cosine_ndcg@10", "")


def test_a_clear_loss_is_a_regression() -> None:
    found = judge(*pair(-0.05))
    assert (found.outcome, found.settle) == ("REGRESSION", "")
    assert found.high < 0


def test_a_gain_within_the_noise_is_marginal_and_says_how_many_samples_it_takes() -> None:
    found = judge(*pair(0.006, size=100))
    assert found.outcome == "MARGINAL"
    assert found.detectable == pytest.approx(2.8016 * 0.01, rel=0.03)
    assert found.needed == pytest.approx((2.8016 * 0.1 / 0.005) ** 2, rel=0.06)
    assert f"about {found.needed:,} evaluation samples" in found.settle


def test_the_number_of_samples_needed_detects_the_effect_four_times_in_five() -> None:
    generator = np.random.default_rng(8)
    needed = judge(*pair(0.0, size=200, spread=0.1), min_effect=0.03).needed
    assert needed is not None
    wins = 0
    for trial in range(200):
        drawn = generator.normal(0.03, 0.1, needed)
        found = judge(mean_scores(np.zeros(needed)), mean_scores(drawn), min_effect=1e-9, resamples=400, seed=trial)
        wins += found.outcome == "WIN"
    assert 0.7 < wins / 200 < 0.9


def test_a_real_gain_below_the_minimum_effect_is_marginal_and_asks_for_seeds() -> None:
    found = judge(*pair(0.004, size=400, spread=0.02))
    assert found.outcome == "MARGINAL"
    assert found.low > 0
    assert "more seeds" in found.settle


def test_the_minimum_effect_itself_wins() -> None:
    generator = np.random.default_rng(0)
    for _ in range(20):
        before = generator.random(200)
        after = before + np.repeat([0.1, 0.0], [10, 190])
        sides = mean_scores(before), mean_scores(after)
        assert judge(*sides, min_effect=0.005, resamples=400).outcome == "WIN"
        assert judge(*sides, min_effect=0.0051, resamples=400).outcome == "MARGINAL"


def test_p_is_honest_about_ten_samples() -> None:
    from scipy import stats

    noise = np.random.default_rng(0).normal(size=10)
    value = (noise - noise.mean()) / noise.std(ddof=1) + 2 / np.sqrt(10)
    exact = stats.ttest_1samp(value, 0).pvalue
    assert exact == pytest.approx(0.077, abs=0.001)
    assert judge(mean_scores(np.zeros(10)), mean_scores(value)).p == pytest.approx(exact, abs=0.02)


def test_where_lower_is_better_the_sign_turns_and_the_scores_stay() -> None:
    before, after = pair(-0.05)
    down = [mean_scores(side.samples["value"], greater_is_better=False) for side in (before, after)]
    found = judge(*down)
    assert found.outcome == "WIN"
    assert found.score < found.baseline
    assert found.delta == pytest.approx(0.05)
    assert 0 < found.low < found.delta < found.high


@pytest.mark.parametrize("gain", [0.05, 0.0])
def test_a_collapse_denies_the_win_and_is_what_has_to_be_settled(gain: float) -> None:
    reasons = ["the sparse vectors have 5,000 active dimensions", "the test queries were trained on"]
    found = judge(*pair(gain), reservations=reasons)
    assert found.outcome == "MARGINAL"
    assert found.settle == "; ".join(reasons)
    assert Verdict.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False))).reservations == tuple(reasons)


def test_a_collapse_does_not_excuse_a_regression() -> None:
    found = judge(*pair(-0.05), reservations=["the sparse vectors have 5,000 active dimensions"])
    assert (found.outcome, found.settle) == ("REGRESSION", "")


def test_nothing_changed() -> None:
    same = mean_scores(np.random.default_rng(0).random(50))
    found = judge(same, same)
    assert (found.outcome, found.delta, found.p, found.needed) == ("MARGINAL", 0, 1, None)
    assert "none of the 50 samples changed" in found.settle


@pytest.mark.parametrize(("changed", "outcome"), [(1, "MARGINAL"), (5, "MARGINAL"), (8, "WIN")])
def test_a_handful_of_changed_samples_decides_nothing(changed: int, outcome: str) -> None:
    before, after = np.zeros(changed), np.full(changed, 0.5)
    found = judge(mean_scores(before), mean_scores(after))
    assert found.outcome == outcome
    assert ("too few" in found.settle) == (outcome == "MARGINAL")


def test_a_uniform_gain_below_the_minimum_effect_has_nothing_left_to_measure() -> None:
    before = np.arange(20) / 64
    found = judge(mean_scores(before), mean_scores(before + 1 / 256))
    assert (found.outcome, found.needed) == ("MARGINAL", None)
    assert "20 samples agree" in found.settle


def test_constant_predictions_never_win() -> None:
    target = np.random.default_rng(0).random(60)
    flat, good = (
        set_scores("spearman", np.full(60, 0.5), target, math.nan),
        set_scores("spearman", target, target, 1),
    )
    for sides in ((flat, good), (good, flat)):
        found = judge(*sides)
        assert found.outcome == "MARGINAL"
        assert "nan" in found.settle
        assert found.p == 1


def test_a_metric_that_is_not_a_number_never_wins_whatever_the_samples_say() -> None:
    before, after = pair(0.05)
    broken = mean_scores(after.samples["value"], metrics={"x_cosine_ndcg@10": math.nan})
    assert judge(before, broken).outcome == "MARGINAL"


def test_different_samples_are_a_mistake_of_the_program() -> None:
    before, after = pair(0.05)
    turned = {name: column[::-1] for name, column in after.samples.items()}
    with pytest.raises(ValueError, match="same ids in the same order"):
        judge(before, mean_scores(after.samples["value"], samples=turned))
    with pytest.raises(ValueError, match="primary"):
        judge(before, mean_scores(after.samples["value"], primary="other"))
    with pytest.raises(ValueError, match="no samples"):
        judge(*[mean_scores(np.zeros(1), samples={"id": np.array([]), "value": np.array([])})] * 2)


def test_different_targets_are_a_mistake_of_the_program() -> None:
    target = np.arange(10.0)
    with pytest.raises(ValueError, match="same targets"):
        judge(set_scores("spearman", target, target), set_scores("spearman", target, -target))


def null_pair(statistic: str, size: int, generator: np.random.Generator) -> tuple[Scores, Scores]:
    """Two models of equal worth, each wrong in its own way."""
    if statistic == "mean":
        changed = generator.random(size) < 0.3
        value = generator.integers(0, 4, size) / 3
        return mean_scores(value), mean_scores(np.where(changed, generator.integers(0, 4, size) / 3, value))
    if statistic in ("macro_f1", "accuracy"):
        target: np.ndarray = generator.integers(0, 3, size)
        right = generator.random((2, size)) < 0.6
        guesses = np.where(right, target, generator.integers(0, 3, (2, size)))
    else:
        truth = generator.normal(size=size)
        target = (truth > 0) if statistic == "average_precision" else truth
        guesses = target + generator.normal(size=(2, size))
    return set_scores(statistic, guesses[0], target), set_scores(statistic, guesses[1], target)


@pytest.mark.parametrize("size", [12, 80])
@pytest.mark.parametrize("statistic", ["mean", "spearman", "pearson", "average_precision", "macro_f1", "accuracy"])
def test_noise_seldom_wins(statistic: str, size: int) -> None:
    generator = np.random.default_rng(21)
    pairs = (null_pair(statistic, size, generator) for _ in range(200))
    outcomes = [judge(*sides, resamples=400, seed=trial).outcome for trial, sides in enumerate(pairs)]
    # 2.5 % are announced; 200 trials of that give more than 6 % once in 500 times.
    assert outcomes.count("WIN") / 200 <= 0.06
    assert outcomes.count("REGRESSION") / 200 <= 0.06


def test_noise_wins_no_oftener_in_a_handful_of_samples() -> None:
    generator, wins = np.random.default_rng(4), 0
    for trial in range(1000):
        noise = mean_scores(generator.normal(size=7))
        wins += judge(mean_scores(np.zeros(7)), noise, resamples=300, seed=trial).outcome == "WIN"
    # The plain percentile interval wins in 6 % of them.
    assert wins / 1000 <= 0.04


def test_dictionaries_round_trip_through_strict_json() -> None:
    found = judge(*pair(0.05), extras={"query_active_dims": np.float32(41.25)})  # type: ignore[dict-item]
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert Verdict.from_dict(json.loads(text)) == found
    assert found.extras == {"query_active_dims": 41.25}


def test_nan_survives_the_round_trip() -> None:
    found = judge(mean_scores(np.array([0.1])), mean_scores(np.array([0.9])))
    again = Verdict.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)))
    assert math.isnan(again.low)
    assert math.isnan(again.detectable)
    assert again.needed is None


def test_unknown_names_are_refused() -> None:
    with pytest.raises(TypeError):
        Verdict.from_dict({**judge(*pair(0.05)).as_dict(), "surprise": 1})


@pytest.mark.parametrize(
    ("key", "short"),
    [
        ("NanoBEIR_mean_cosine_ndcg@10", "cosine_ndcg@10"),
        ("NanoBEIR_R100_mean_ndcg@10", "ndcg@10"),
        ("test_dot_ndcg@10", "dot_ndcg@10"),
        ("maxsim_mrr@10", "maxsim_mrr@10"),
        ("stsb_test_spearman_cosine", "spearman_cosine"),
        ("spearman", "spearman"),
        ("quora_max_ap", "max_ap"),
        ("nli_f1_macro", "f1_macro"),
        ("rerank_map", "map"),
        ("pairs_average_precision", "average_precision"),
        ("en-de_mean_accuracy", "mean_accuracy"),
        ("all_cosine_accuracy", "cosine_accuracy"),
        ("eval_something_else", "something_else"),
    ],
)
def test_readable_metric(key: str, short: str) -> None:
    assert readable(key) == short
