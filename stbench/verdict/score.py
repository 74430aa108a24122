"""One model on its own: its score, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from stbench.evaluation.scores import Scores
from stbench.verdict.judge import CONFIDENCE, none_for_nan, readable
from stbench.verdict.statistics import bootstrap

EVALUATED = "EVALUATED"
"""What stands where a run that trained has its verdict."""


@dataclass(frozen=True)
class Scored:
    """A score with the interval in which other samples of the same kind would put it."""

    score: float
    low: float
    high: float
    n: int
    metric: str
    extras: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no nan: None stands for it."""
        return {name: none_for_nan(value) for name, value in asdict(self).items()}


def score(scores: Scores, *, resamples: int, seed: int, extras: Mapping[str, float] | None = None) -> Scored:
    """The score of one evaluation with the 95 % interval of a bootstrap over its samples.

    Raises ValueError for an evaluation of no samples.
    """
    found = bootstrap(scores.samples, scores.statistic, resamples=resamples, seed=seed, confidence=CONFIDENCE)
    names = {name: float(value) for name, value in (extras or {}).items()}
    return Scored(
        float(scores.score), found.low, found.high, len(scores.samples["id"]), readable(scores.primary), names
    )
