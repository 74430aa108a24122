"""A trial while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stbench.sweep.search.compose import Composed
from stbench.sweep.search.drawing import Drawn
from stbench.sweep.search.goal import Moment
from stbench.sweep.search.share import is_last, share


@dataclass
class Trial:
    """What was drawn, and what has come of it so far."""

    asked: Any
    """Optuna's."""
    drawn: Drawn
    job: Composed
    steps: int = 0
    """Of training, so far."""
    stop: str = ""
    """Why it was stopped; empty as long as it goes on."""
    twins: list[Trial] = field(default_factory=list)
    """Trials that say the same, and take what it comes to."""

    @property
    def number(self) -> int:
        return int(self.asked.number) + 1

    @property
    def label(self) -> str:
        return f"{self.number}: {self.drawn.says}"

    def at(self, step: int, score: float, total: int) -> Moment:
        """A score, and how far its training of `total` steps was."""
        return Moment(share(step, total, self._eval_steps), score)

    def is_last(self, step: int, total: int) -> bool:
        return is_last(step, total, self._eval_steps)

    @property
    def _eval_steps(self) -> float:
        """That of its own sentence, where it says one."""
        said = self.job.sentence.training.eval_steps
        return said if said is not None else self.drawn.legal.facts.eval_steps
