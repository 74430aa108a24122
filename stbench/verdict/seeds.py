"""Several seeds of one sentence, one verdict: both the samples and the seeds could have been others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np

from stbench.evaluation.scores import Scores
from stbench.verdict.judge import (
    CONFIDENCE,
    FEWEST_CHANGED,
    Outcome,
    Verdict,
    changed_samples,
    judge,
    outcome_of,
    power_of,
)
from stbench.verdict.statistics import Interval, averaged_bootstrap


def judge_seeds(
    pairs: Sequence[tuple[Scores, Scores]],
    *,
    min_effect: float = 0.005,
    resamples: int = 10_000,
    seed: int = 12,
    reservations: Sequence[str] = (),
    extras: Mapping[str, float] | None = None,
) -> Verdict:
    """One verdict over the runs of two or more seeds: `pairs` are baseline and final model of each, on the same samples.

    The difference is the mean over the seeds. Its variance has two parts that add up: that of the samples (paired
    bootstrap of the mean difference, every seed on the same draws) and that of the seeds (the variance of their
    differences, by their number). The interval is Student's, its degrees of freedom after Welch (1947) and Satterthwaite
    (1946). That training varies like a draw, and is to be counted: Bouthillier et al. 2021, arXiv:2103.03098.

    `reservations` are reasons that deny a WIN. The verdict's extras are those given, `seeds` and `seed_sd`, the standard deviation of the difference between them. Raises
    ValueError if the pairs do not hold the same metric of the same samples, or if there is only one.
    """
    if len(pairs) < 2:
        raise ValueError("a verdict over seeds needs two of them")
    _check_alike(pairs)
    alone = [judge(before, after, min_effect=min_effect, resamples=100, seed=seed) for before, after in pairs]
    deltas = [one.delta for one in alone]
    spread = stdev(deltas) if all(map(math.isfinite, deltas)) else math.nan
    interval = _combined(pairs, spread, resamples, seed)
    n, effect = alone[0].n, min_effect if min_effect > 0 else abs(interval.delta)
    needed, detectable = power_of(interval, n, effect)
    decided = outcome_of(interval, min_effect) if _decidable(pairs, interval) else "MARGINAL"
    outcome: Outcome = "MARGINAL" if decided == "WIN" and reservations else decided
    return replace(
        alone[0],
        outcome=outcome,
        score=fmean(one.score for one in alone),
        baseline=fmean(one.baseline for one in alone),
        delta=interval.delta, low=interval.low, high=interval.high, p=interval.p,
        settle=("; ".join(reservations) or _settle(spread, len(pairs), interval, n, effect, needed, detectable))
        if outcome == "MARGINAL" else "",
        needed=needed, detectable=detectable,
        reservations=tuple(reservations),
        extras={**(extras or {}), "seeds": float(len(pairs)), "seed_sd": spread},
    )  # fmt: skip


def _decidable(pairs: Sequence[tuple[Scores, Scores]], interval: Interval) -> bool:
    """Whether there is a difference, and enough samples changed for a verdict to rest on."""
    return math.isfinite(interval.delta) and max(changed_samples(*pair) for pair in pairs) >= FEWEST_CHANGED


def _check_alike(pairs: Sequence[tuple[Scores, Scores]]) -> None:
    first = pairs[0][1]
    for before, after in pairs:
        same = (after.primary, after.statistic, after.greater_is_better, after.judged) == (
            first.primary, first.statistic, first.greater_is_better, first.judged,
        )  # fmt: skip
        if not same or not np.array_equal(after.samples["id"], first.samples["id"]):
            raise ValueError("the runs of the seeds were not judged by the same metric on the same samples")
        if not np.array_equal(before.samples["id"], after.samples["id"]):
            raise ValueError("baseline and final must hold the same ids in the same order")


def _combined(pairs: Sequence[tuple[Scores, Scores]], spread: float, resamples: int, seed: int) -> Interval:
    from scipy.stats import t

    final = pairs[0][1]
    sides = [(before.samples, after.samples) for before, after in pairs]
    if not final.greater_is_better:
        sides = [(after, before) for before, after in sides]
    found = averaged_bootstrap(sides, final.statistic, resamples=resamples, seed=seed, confidence=CONFIDENCE)
    of_samples, of_seeds = found.deviation**2, spread**2 / len(pairs)
    total = of_samples + of_seeds
    if not total > 0:
        return found
    n = len(final.samples["id"])
    freedom = total**2 / (of_samples**2 / max(1, n - 1) + of_seeds**2 / (len(pairs) - 1))
    error = math.sqrt(total)
    reach = float(t.isf((1 - CONFIDENCE) / 2, freedom)) * error
    p = float(2 * t.sf(abs(found.delta) / error, freedom))
    return replace(found, low=found.delta - reach, high=found.delta + reach, p=p, deviation=error)


def _settle(
    spread: float, seeds: int, interval: Interval, n: int, effect: float, needed: int | None, detectable: float
) -> str:
    if not math.isfinite(interval.delta):
        return "constant or non-finite outputs have no score to compare: mend the model first"
    shared = f"the {seeds} seeds differ by {spread:.4f} (standard deviation)"
    if spread**2 / seeds > interval.deviation**2 / 2:
        return f"{shared}: more seeds would settle it, more data would not"
    if needed is not None and needed > n:
        return f"{shared}; about {needed:,} evaluation samples would detect a difference of {effect:.4g}, these detect {detectable:.2g}"
    return f"{shared}: enough seeds and samples to detect {effect:.4g}, and they show less"
