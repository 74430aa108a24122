"""What evaluators beside the deciding one say of baseline and result: figures with an interval, and no verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stbench.audit.finding import Audit
from stbench.evaluation.baseline import ALSO
from stbench.evaluation.cost import Costs
from stbench.evaluation.scores import Scores, is_reference
from stbench.evaluation.sizes import Size
from stbench.verdict.judge import judge, readable


@dataclass(frozen=True)
class Beside:
    """One evaluator's own metric on the test split, before and after."""

    evaluator: str
    metric: str
    baseline: float
    final: float
    low: float
    """95 % interval of the change, positive where the result is better."""
    high: float
    n: int
    metrics: Mapping[str, tuple[float, float]]
    """All of its metrics before and after."""

    @property
    def name(self) -> str:
        return f"{self.evaluator}: {self.metric}"

    def as_dict(self) -> dict[str, object]:
        return {
            "metric": self.metric, "ci95": [self.low, self.high], "n": self.n,
            "metrics": {name: {"baseline": before, "final": after} for name, (before, after) in self.metrics.items()},
        }  # fmt: skip


@dataclass(frozen=True)
class Aside:
    """What is told beside the verdict."""

    also: tuple[Beside, ...] = ()
    sizes: tuple[Size, ...] = ()
    """The trained model cut to dimensions and layers."""
    costs: Costs | None = None
    audit: Audit | None = None
    """What was found in the data."""

    def metrics(self) -> dict[str, float]:
        """For the tracker."""
        cost = self.costs.metrics() if self.costs else {}
        also = {f"also.{one.evaluator}.{name}": after for one in self.also for name, (_, after) in one.metrics.items()}
        faults = {f"audit.{one.metric}": one.share for one in self.audit.findings} if self.audit else {}
        return {**also, **cost, **faults, **{f"size.{one.name}": one.score for one in self.sizes}}


def beside(
    baseline: Mapping[str, Scores], final: Mapping[str, Scores], *, resamples: int, seed: int
) -> tuple[Beside, ...]:
    """A line for each evaluator that was asked for beside the deciding one."""
    return tuple(
        _compared(name.removeprefix(ALSO), baseline[name], after, resamples, seed)
        for name, after in final.items()
        if name.startswith(ALSO)
    )


def _compared(name: str, before: Scores, after: Scores, resamples: int, seed: int) -> Beside:
    found = judge(before, after, resamples=resamples, seed=seed)
    return Beside(
        name, found.metric, found.baseline, found.score, found.low, found.high, found.n, paired_metrics(before, after)
    )


def paired_metrics(baseline: Scores, final: Scores) -> dict[str, tuple[float, float]]:
    """Metrics under readable names, the deciding one first."""
    names = [final.primary, *(key for key in final.metrics if key != final.primary)]
    own = [key for key in names if key in baseline.metrics and not is_reference(key)]
    found: dict[str, tuple[float, float]] = {}
    for key in own:
        # Several data sets have metrics of one name: the deciding one takes it, the others keep theirs in full.
        found.setdefault(key if readable(key) in found else readable(key), (baseline.metrics[key], final.metrics[key]))
    return found
