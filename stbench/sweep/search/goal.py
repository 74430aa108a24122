"""What a search wants of a trial.

`score` is the best score of the run's selection split, the one that chooses its checkpoint. The test split is never looked
at: a trial that was chosen by its test score would have been chosen for its luck on that split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stbench.errors import Failed
from stbench.records.folder import RunFolder

NEEDS_COST = ("latency", "size")
"""Objectives that `evaluator.cost` measures."""
OBJECTIVES = {
    "score": "the best score on the selection split",
    "latency": "milliseconds for one query alone, the median; lower is better",
    "size": "bytes of the weights; lower is better",
    "seconds": "seconds of training; lower is better",
}


@dataclass(frozen=True)
class Moment:
    """A selection score on the way."""

    percent: int
    """Of its training; what Optuna calls a step."""
    score: float


@dataclass(frozen=True)
class Goal:
    """One objective, or several."""

    objectives: tuple[str, ...]
    greater_is_better: bool
    """Of the score; what else there is counts downwards."""

    @property
    def directions(self) -> list[str]:
        up = [one == "score" and self.greater_is_better for one in self.objectives]
        return ["maximize" if one else "minimize" for one in up]

    @property
    def prunes(self) -> bool:
        """Whether scores on the way tell anything: Optuna stops no trial for several objectives, or without a score."""
        return self.objectives == ("score",)

    def values(self, folder: RunFolder) -> list[float]:
        """Of a finished run. Raises `Failed` where one was not measured."""
        return [_value(one, folder, self.greater_is_better) for one in self.objectives]

    def says(self, values: Sequence[float]) -> str:
        pairs = zip(self.objectives, values, strict=True)
        return ", ".join(f"{'selection ' * (name == 'score')}{name} {shown(name, value)}" for name, value in pairs)


def shown(objective: str, value: float) -> str:
    return f"{value:.4f}" if objective == "score" else f"{value:,.4g}"


def scores_of(folder: RunFolder) -> list[tuple[int, float]]:
    """(step, selection score) of a finished run, in their order."""
    history: list[dict[str, Any]] = folder.read("history.json") or []
    return [(int(entry["step"]), float(entry["score"])) for entry in history if "score" in entry]


def last_step(folder: RunFolder) -> int | None:
    found = (folder.read("metrics.json") or {}).get("last_step")
    return None if found is None else int(found)


def _value(objective: str, folder: RunFolder, greater_is_better: bool) -> float:
    if objective == "score":
        scores = [score for _, score in scores_of(folder)]
        found = (max if greater_is_better else min)(scores, default=None)
    elif objective == "seconds":
        found = (folder.read("metrics.json") or {}).get("seconds", {}).get("training")
    else:
        measured = (folder.read("cost.json") or {}).get("after") or {}
        found = measured.get({"latency": "query_ms_median", "size": "model_bytes"}[objective])
    if found is None:
        raise Failed(f"it finished, but {objective} ({OBJECTIVES[objective].split(';')[0]}) was not measured")
    return float(found)
