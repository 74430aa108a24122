from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from stbench.verdict.statistics import (
    STATISTICS,
    Samples,
    bootstrap,
    paired_bootstrap,
    widened,
    widened_p,
)

SET_LEVEL = ("spearman", "pearson", "average_precision", "macro_f1", "accuracy")


def reference(name: str, samples: Samples) -> float:
    """The statistic by the library that everybody trusts, on explicit samples."""
    from scipy import stats
    from sklearn import metrics

    by_library: Mapping[str, Callable[[], Any]] = {
        "mean": lambda: np.mean(samples["value"]),
        "spearman": lambda: stats.spearmanr(samples["prediction"], samples["target"]).statistic,
        "pearson": lambda: stats.pearsonr(samples["prediction"], samples["target"]).statistic,
        "average_precision": lambda: metrics.average_precision_score(samples["target"], samples["prediction"]),
        "macro_f1": lambda: metrics.f1_score(samples["target"], samples["prediction"], average="macro"),
        "weighted_f1": lambda: metrics.f1_score(samples["target"], samples["prediction"], average="weighted"),
        "accuracy": lambda: metrics.accuracy_score(samples["target"], samples["prediction"]),
        "mean_of_groups": lambda: np.mean(
            [samples["value"][samples["group"] == group].mean() for group in np.unique(samples["group"])]
        ),
        "best_f1": lambda: by_threshold("find_best_f1_and_threshold", samples),
        "best_accuracy": lambda: by_threshold("find_best_acc_and_threshold", samples),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(by_library[name]())


def by_threshold(method: str, samples: Samples) -> float:
    from sentence_transformers.sentence_transformer.evaluation import BinaryClassificationEvaluator

    found = getattr(BinaryClassificationEvaluator, method)(samples["prediction"], samples["target"], True)
    return float(found[0])


def columns(name: str, size: int, generator: np.random.Generator, *, ties: bool) -> dict[str, np.ndarray]:
    if name == "mean":
        return {"value": generator.random(size)}
    if name == "mean_of_groups":
        return {"value": generator.random(size), "group": generator.integers(0, 3, size)}
    if name in ("macro_f1", "weighted_f1", "accuracy"):
        return {key: generator.integers(0, 4, size) for key in ("prediction", "target")}
    prediction = generator.normal(size=size)
    if ties:
        prediction = np.round(prediction, 1)
    if name in ("average_precision", "best_f1", "best_accuracy"):
        return {"prediction": prediction, "target": generator.integers(0, 2, size)}
    target = prediction + generator.normal(size=size)
    return {"prediction": prediction, "target": np.round(target) if ties else target}


def drawn(size: int, resamples: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    picks = generator.integers(0, size, (resamples, size))
    return picks, np.stack([np.bincount(pick, minlength=size) for pick in picks])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("size", [3, 40])
@pytest.mark.parametrize("name", list(STATISTICS))
def test_equals_the_reference_on_every_resample(name: str, size: int, ties: bool) -> None:
    generator = np.random.default_rng(size)
    samples = columns(name, size, generator, ties=ties)
    picks, counts = drawn(size, 60, generator)
    explicit = [reference(name, {key: column[pick] for key, column in samples.items()}) for pick in picks]
    np.testing.assert_allclose(STATISTICS[name](samples, counts), explicit, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(STATISTICS))
def test_counts_of_one_give_the_plain_statistic(name: str) -> None:
    samples = columns(name, 50, np.random.default_rng(1), ties=True)
    plain = STATISTICS[name](samples, np.ones((1, 50), dtype=int))
    assert plain.shape == (1,)
    assert plain[0] == pytest.approx(reference(name, samples))


@pytest.mark.parametrize("name", ["spearman", "pearson"])
def test_a_correlation_of_constants_does_not_exist(name: str) -> None:
    target = np.random.default_rng(0).random(50)
    flat, steep = ({"prediction": slope * target + 0.1, "target": target} for slope in (0, 3))
    only_one_drawn = 50 * np.eye(50, dtype=int)
    assert np.isnan(STATISTICS[name](flat, np.ones((1, 50), dtype=int))).all()
    assert np.isnan(STATISTICS[name](steep, only_one_drawn)).all()


def test_without_positives_the_average_precision_is_zero() -> None:
    samples = {"prediction": np.array([0.1, 0.9]), "target": np.array([0, 1])}
    assert STATISTICS["average_precision"](samples, np.array([[2, 0], [0, 2]])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", ["mean", "spearman", "average_precision"])
def test_the_interval_is_scipys(name: str) -> None:
    from scipy import stats

    generator = np.random.default_rng(5)
    baseline = columns(name, 80, generator, ties=False)
    moved = "value" if name == "mean" else "prediction"
    final = {**baseline, moved: baseline[moved] + 0.3 * generator.normal(size=80)}
    ours = paired_bootstrap(baseline, final, name, seed=1, resamples=6000)

    def delta(before: np.ndarray, after: np.ndarray, *target: np.ndarray) -> float:
        rest = {"target": target[0]} if target else {}
        counts = np.ones((1, len(before)), dtype=int)
        values = [STATISTICS[name]({moved: side, **rest}, counts)[0] for side in (before, after)]
        return float(values[1] - values[0])

    data = [baseline[moved], final[moved], *([baseline["target"]] if "target" in baseline else [])]
    theirs = stats.bootstrap(data, delta, paired=True, vectorized=False, n_resamples=2500, method="percentile", rng=2)
    tolerance = 0.2 * theirs.standard_error
    assert ours.delta == pytest.approx(delta(*data))
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=tolerance)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=tolerance)
    assert ours.deviation == pytest.approx(theirs.standard_error, rel=0.08)


def test_p_agrees_with_the_t_test_and_is_never_zero() -> None:
    from scipy import stats

    generator = np.random.default_rng(3)
    zero, value = np.zeros(400), generator.normal(0.1, 1.0, 400)
    found = paired_bootstrap({"value": zero}, {"value": value}, "mean", seed=1)
    assert found.p == pytest.approx(stats.ttest_rel(value, zero).pvalue, abs=0.01)
    assert paired_bootstrap({"value": zero}, {"value": value + 9}, "mean", seed=1).p == 2 / 10_001


def test_the_same_seed_gives_the_same_interval() -> None:
    generator = np.random.default_rng(0)
    sides = {"value": generator.random(50)}, {"value": generator.random(50)}
    first, second, other = (paired_bootstrap(*sides, "mean", seed=seed, resamples=500) for seed in (1, 1, 2))
    assert first == second
    assert first != other


@pytest.mark.parametrize("name", list(STATISTICS))
def test_no_difference_is_exactly_none(name: str) -> None:
    samples = columns(name, 30, np.random.default_rng(0), ties=False)
    found = paired_bootstrap(samples, {**samples}, name, seed=1, resamples=200)
    assert (found.delta, found.low, found.high, found.p, found.deviation) == (0, 0, 0, 1, 0)


def test_one_sample_has_no_interval() -> None:
    found = paired_bootstrap({"value": np.array([0.1])}, {"value": np.array([0.9])}, "mean", seed=1)
    assert found.delta == pytest.approx(0.8)
    assert np.isnan([found.low, found.high, found.deviation]).all()
    assert found.p == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["mean", *SET_LEVEL])
def test_what_is_not_finite_has_no_interval(name: str, bad: float) -> None:
    samples = columns(name, 20, np.random.default_rng(0), ties=False)
    broken = {key: column.astype(float) for key, column in samples.items()}
    broken["value" if name == "mean" else "prediction"][3] = bad
    found = paired_bootstrap(samples, broken, name, seed=1, resamples=100)
    assert np.isnan([found.delta, found.low, found.high]).all()
    assert found.p == 1


def test_resamples_that_do_not_exist_count_as_no_difference() -> None:
    target = np.array([0.0, 1.0])
    before, after = {"prediction": target[::-1], "target": target}, {"prediction": target, "target": target}
    found = paired_bootstrap(before, after, "spearman", seed=1)
    assert found.delta == 2
    assert found.low == 0


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        paired_bootstrap({"value": np.array([])}, {"value": np.array([])}, "mean", seed=1)


@pytest.mark.parametrize("name", list(STATISTICS))
def test_memory_stays_bounded(name: str) -> None:
    generator = np.random.default_rng(0)
    samples = columns(name, 3000, generator, ties=False)
    tracemalloc.start()
    paired_bootstrap(samples, samples, name, seed=1, resamples=1500)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6


def test_widening_matters_for_small_samples_only() -> None:
    assert widened(0.95, 10) == pytest.approx(0.9829, abs=1e-4)
    assert widened(0.95, 600) == pytest.approx(0.9506, abs=1e-4)
    assert widened(0.95, 10**6) == pytest.approx(0.95, abs=1e-5)


@pytest.mark.parametrize("size", [2, 10, 600])
def test_the_widened_p_reaches_five_percent_where_the_interval_touches_zero(size: int) -> None:
    plain = 1 - widened(0.95, size)
    if plain > 0:
        assert widened_p(plain, size) == pytest.approx(0.05, rel=1e-3)
    assert widened_p(1.0, size) == 1


@pytest.mark.parametrize("name", SET_LEVEL)
def test_the_interval_of_one_score_agrees_with_scipy(name: str) -> None:
    from scipy import stats

    samples = columns(name, 200, np.random.default_rng(11), ties=False)
    found = bootstrap(samples, name, resamples=4000, seed=2)
    names = list(samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = stats.bootstrap(
            tuple(samples.values()),
            lambda *drawn: reference(name, dict(zip(names, drawn, strict=True))),
            paired=True, vectorized=False, n_resamples=600, method="percentile", rng=np.random.default_rng(2),
        ).confidence_interval  # fmt: skip
    width = theirs.high - theirs.low
    assert found.value == pytest.approx(reference(name, samples))
    assert (found.low, found.high) == (
        pytest.approx(theirs.low, abs=0.15 * width),
        pytest.approx(theirs.high, abs=0.15 * width),
    )


def test_a_score_that_does_not_exist_has_no_interval() -> None:
    constant = {"prediction": np.ones(20), "target": np.arange(20.0)}
    found = bootstrap(constant, "spearman", resamples=100, seed=1)
    assert np.isnan([found.value, found.low, found.high]).all()
