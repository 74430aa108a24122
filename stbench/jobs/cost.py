"""What a run would take, as figures: each stage measured on a part of the work, and brought to the whole of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stbench.plan.plan import TrainingPlan


@dataclass(frozen=True)
class Cost:
    """One stage of the run."""

    stage: str
    seconds: float
    """As measured."""
    factor: float = 1.0
    """How many times as much the whole is."""
    times: int = 1
    """How often the run does it."""
    how: str = ""
    """What was measured, and what it stands for."""

    @property
    def whole(self) -> float:
        """Seconds that the run spends on it."""
        return self.seconds * self.factor * self.times


@dataclass(frozen=True)
class Estimate:
    """All of it."""

    run: str
    """Name of the run that the same sentence trains."""
    costs: tuple[Cost, ...]
    steps: int
    step_seconds: float
    memory_bytes: int
    """The most that was held while it was measured: on the GPU where there is one."""
    disk_bytes: int
    free_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        return sum(cost.whole for cost in self.costs)

    def line(self) -> str:
        """`ESTIMATE: time=0:12:34 | steps=690 | step=0.031s | memory=1.2GiB | disk=180MiB | run=…`"""
        memory, disk = self.memory_bytes / 2**30, self.disk_bytes / 2**20
        return (
            f"ESTIMATE: time={clock(self.seconds)} | steps={self.steps} | step={self.step_seconds:.3g}s"
            f" | memory={memory:.1f}GiB | disk={disk:.0f}MiB | run={self.run}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        costs = [{**asdict(cost), "whole": cost.whole} for cost in self.costs]
        return {**asdict(self), "seconds": self.seconds, "costs": costs, "line": self.line()}


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def steps_of(training: TrainingPlan, batches: int) -> int:
    """Steps of the whole training, with `batches` in an epoch."""
    whole = math.ceil(math.ceil(batches / training.gradient_accumulation) * training.epochs)
    return max(1, min(training.max_steps or whole, whole))


def evaluations_of(training: TrainingPlan, steps: int) -> int:
    """Evaluations on the selection split while training, the one after the last step among them."""
    every = max(1, math.ceil(steps * training.eval_steps) if training.eval_steps < 1 else int(training.eval_steps))
    return math.ceil(steps / every)


def tabled(costs: Sequence[Cost]) -> list[tuple[str, str, str]]:
    """(stage, time in the run, how it was found) of each, as text."""
    rows = []
    for cost in costs:
        often = f" × {cost.times:,}" if cost.times > 1 else ""
        scaled = f" × {cost.factor:,.1f}" if cost.factor > 1.05 else ""
        measured = f"{cost.seconds:.2f} s{scaled}{often}"
        rows.append((cost.stage, clock(cost.whole), f"{measured}{': ' if cost.how else ''}{cost.how}"))
    return rows
