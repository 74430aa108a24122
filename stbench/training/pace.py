"""How fast training goes and what memory it holds, step by step; evaluations and checkpoints are not counted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


@dataclass(frozen=True)
class Moment:
    """One step of the training."""

    step: int
    seconds: float
    """Wall time from the end of the step before, reading the rows included."""
    memory_bytes: int
    """Held after it: of the GPU where one computes, else of the process."""


class Pace(TrainerCallback):  # type: ignore[misc]
    """Notes each step's time and memory. A resumed training tells of the steps since then."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._mark = time.perf_counter()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._mark = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        now = time.perf_counter()
        self.moments.append(Moment(state.global_step, now - self._mark, held_bytes(args.device.type)))
        self._mark = time.perf_counter()

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._mark = time.perf_counter()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._mark = time.perf_counter()

    def rows_per_second(self, rows_per_step: int) -> float | None:
        """Training rows read a second, over all noted steps; None where there is none."""
        seconds = sum(moment.seconds for moment in self.moments)
        return rows_per_step * len(self.moments) / seconds if seconds else None


def held_bytes(device: str) -> int:
    """Memory at this moment: what the GPU's allocator holds, or what of the process is in memory."""
    import psutil
    import torch

    return int(torch.cuda.memory_reserved() if device == "cuda" else psutil.Process().memory_info().rss)
