"""Baseline against final on the same samples: WIN, MARGINAL or REGRESSION, and what would settle it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from stbench.evaluation.scores import Scores
from stbench.verdict.statistics import ROUNDING, Interval, paired_bootstrap, widened, widened_p

Outcome = Literal["WIN", "MARGINAL", "REGRESSION"]

CONFIDENCE = 0.95
POWER = 0.8
# With k samples changed, all in one direction, a sign test reaches p = 2 / 2**k: below 0.05 from six on.
FEWEST_CHANGED = 6

_SIMILARITY = r"(?:cosine|dot|euclidean|manhattan|maxsim|meanmaxsim|max)_"
_METRIC = re.compile(
    rf"(?:^|_)((?:{_SIMILARITY})?(?:[a-z]+@\d+|ndcg|mrr|map|ap|f1|mcc|accuracy)"
    r"|(?:spearman|pearson)(?:_[a-z]+)?|average_precision|f1_(?:macro|micro|weighted)|(?:mean|src2trg|trg2src)_accuracy|negative_mse|kl_divergence)$"
)


@dataclass(frozen=True)
class Verdict:
    """What the paired test says.

    `delta`, `low` and `high` are positive where the final model is better, also for metrics that count
    downwards; `score` and `baseline` are as measured.
    """

    outcome: Outcome
    score: float
    baseline: float
    delta: float
    low: float
    high: float
    p: float
    n: int
    metric: str
    min_effect: float
    settle: str = ""
    """What would settle a MARGINAL, in one sentence; empty otherwise."""
    needed: int | None = None
    """Samples that detect `min_effect` with 80 % power, from the spread of the paired differences."""
    detectable: float = math.nan
    """The smallest difference that these n samples detect with 80 % power."""
    extras: dict[str, float] = field(default_factory=dict)
    reservations: tuple[str, ...] = ()
    """What keeps the score from being believed, whatever it is; each of them denies a WIN."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no nan: None stands for it."""
        return {name: none_for_nan(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        """The inverse of `as_dict`. Raises TypeError for missing or unknown names."""
        floats = {one.name for one in fields(cls) if one.type == "float"}
        values: dict[str, Any] = {
            name: _nan_for_none(value) if name in floats else value for name, value in data.items()
        }
        values["extras"] = {name: _nan_for_none(value) for name, value in data.get("extras", {}).items()}
        values["reservations"] = tuple(data.get("reservations", ()))
        return cls(**values)


def judge(
    baseline: Scores,
    final: Scores,
    *,
    min_effect: float = 0.005,
    resamples: int = 10_000,
    seed: int = 12,
    reservations: Sequence[str] = (),
    extras: Mapping[str, float] | None = None,
) -> Verdict:
    """Compare two evaluations sample by sample.

    WIN: delta >= `min_effect` (on the metric's own scale) and the 95 % interval above zero. REGRESSION: delta
    and interval below zero. MARGINAL: everything between, scores that do not exist, fewer than six changed
    samples, and what would be a WIN but for `reservations`: reasons such as "the sparse vectors have 5,000
    active dimensions". The interval is a paired bootstrap's, widened for small samples; samples that did not
    change carry no evidence, so the changed ones are counted for that.

    Raises ValueError if the two do not hold the same metric of the same samples in the same order.
    """
    _check_comparable(baseline, final)
    changed = changed_samples(baseline, final)
    interval = _paired(baseline, final, changed, resamples, seed)
    n = len(final.samples["id"])
    effect = min_effect if min_effect > 0 else abs(interval.delta)
    needed, detectable = power_of(interval, n, effect)
    missing = _missing(baseline.score, final.score, interval.delta)
    decided = "MARGINAL" if missing or changed < FEWEST_CHANGED else outcome_of(interval, min_effect)
    outcome: Outcome = "MARGINAL" if decided == "WIN" and reservations else decided
    settle = "; ".join(reservations) or missing or _settle(n, changed, needed, effect, detectable)
    return Verdict(
        outcome=outcome,
        score=float(final.score),
        baseline=float(baseline.score),
        delta=interval.delta,
        low=interval.low,
        high=interval.high,
        p=interval.p,
        n=n,
        metric=readable(final.primary),
        min_effect=min_effect,
        settle=settle if outcome == "MARGINAL" else "",
        needed=needed,
        detectable=detectable,
        extras={name: float(value) for name, value in (extras or {}).items()},
        reservations=tuple(reservations),
    )


def readable(key: str) -> str:
    """The library's metric key without data sets: "NanoBEIR_mean_dot_ndcg@10" becomes "dot_ndcg@10"."""
    found = _METRIC.search(key)
    return found[1] if found else key.removeprefix("eval_")


def _check_comparable(baseline: Scores, final: Scores) -> None:
    for name in ("primary", "statistic", "greater_is_better"):
        before, after = getattr(baseline, name), getattr(final, name)
        if before != after:
            raise ValueError(f"baseline and final differ in {name}: {before!r}, {after!r}")
    for column in {"id", "target"} & final.samples.keys():
        if not np.array_equal(baseline.samples[column], final.samples[column]):
            raise ValueError(f"baseline and final must hold the same {column}s in the same order")
    if len(final.samples["id"]) == 0:
        raise ValueError("a verdict of no samples")


def changed_samples(baseline: Scores, final: Scores) -> int:
    column = "value" if final.statistic.startswith("mean") else "prediction"
    return int(np.count_nonzero(baseline.samples[column] != final.samples[column]))


def _paired(baseline: Scores, final: Scores, changed: int, resamples: int, seed: int) -> Interval:
    before, after = baseline.samples, final.samples
    if not final.greater_is_better:
        before, after = after, before
    size = max(2, changed)
    confidence = widened(CONFIDENCE, size)
    found = paired_bootstrap(before, after, final.statistic, resamples=resamples, seed=seed, confidence=confidence)
    return replace(found, p=widened_p(found.p, size))


def outcome_of(interval: Interval, min_effect: float) -> Outcome:
    # Rounded, so that one hit in 200 samples is 0.005 and not 0.00499….
    if round(interval.delta, 12) >= min_effect and interval.low > 0:
        return "WIN"
    return "REGRESSION" if interval.delta < 0 and interval.high < 0 else "MARGINAL"


def power_of(interval: Interval, n: int, effect: float) -> tuple[int | None, float]:
    """(samples needed for `effect`, effect detectable with n): standard errors shrink with the root of n."""
    normal = NormalDist()
    detectable = (normal.inv_cdf((1 + CONFIDENCE) / 2) + normal.inv_cdf(POWER)) * interval.deviation
    countable = math.isfinite(detectable) and detectable > ROUNDING and effect > 0
    return math.ceil(n * (detectable / effect) ** 2) if countable else None, detectable


def _missing(baseline: float, final: float, delta: float) -> str:
    if all(map(math.isfinite, (baseline, final, delta))):
        return ""
    scores = f"baseline {baseline:.4f}, final {final:.4f}, difference {delta:.4f}"
    return f"constant or non-finite outputs have no score to compare ({scores}): mend the model first"


def _settle(n: int, changed: int, needed: int | None, effect: float, detectable: float) -> str:
    if changed == 0:
        return f"none of the {n:,} samples changed: only training that changes the model more would settle it"
    if changed < FEWEST_CHANGED:
        return f"only {changed} of {n:,} samples changed, too few to decide: evaluate on more samples"
    if needed is None:
        return f"the {n:,} samples agree: only training that changes the model more would settle it"
    if n < needed:
        return (
            f"about {needed:,} evaluation samples would detect a difference of {effect:.4g} (80 % power), "
            f"the {n:,} at hand detect {detectable:.2g}"
        )
    return f"{n:,} samples are enough to detect {effect:.4g}: more seeds would settle it, more data would not"


def none_for_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: none_for_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [none_for_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _nan_for_none(value: float | None) -> float:
    return math.nan if value is None else value
