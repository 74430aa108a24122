"""Where the time of training steps goes, by phase and by operator (https://docs.pytorch.org/docs/stable/profiler.html)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

SKIPPED, STEPS = 2, 5
"""The first steps warm caches up and are not measured; then so many are."""
MOST = 15
FORWARD, BACKWARD = "stbench: forward", "stbench: backward"
PHASES = {
    "reading rows": "enumerate(DataLoader)#", "forward and loss": FORWARD, "backward": BACKWARD, "optimiser": "Optimizer.step#",
}  # fmt: skip
"""What each phase is called by the profiler, or how that begins."""


@dataclass(frozen=True)
class Operator:
    """What torch has computed with, or a phase of the steps."""

    name: str
    calls: int
    seconds: float
    """In it alone, over all measured steps."""
    share: float
    """Of the time of these steps."""


@dataclass(frozen=True)
class Profiled:
    """The measured steps."""

    steps: int
    seconds: float
    phases: tuple[Operator, ...]
    operators: tuple[Operator, ...]
    """The dearest first."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Profiler(TrainerCallback):  # type: ignore[misc]
    """Measures `STEPS` steps after the first `SKIPPED`; a training of fewer steps is measured as far as it goes."""

    def __init__(self, trace: Path) -> None:
        """`trace`: where the single events are written, for chrome://tracing or https://ui.perfetto.dev."""
        self._trace = trace
        self._profile: Any = None
        self._steps = 0
        self.found: Profiled | None = None

    def watch(self, trainer: Any) -> None:
        """Names the phases of `trainer`."""
        trainer.compute_loss = _named(FORWARD, trainer.compute_loss)
        trainer.accelerator.backward = _named(BACKWARD, trainer.accelerator.backward)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._profile is None and self.found is None and state.global_step >= min(SKIPPED, state.max_steps - 1):
            from torch.profiler import ProfilerActivity, profile

            gpu = [ProfilerActivity.CUDA] if args.device.type == "cuda" else []
            self._profile = profile(activities=[ProfilerActivity.CPU, *gpu])
            self._profile.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._profile is not None:
            self._steps += 1
            if self._steps == STEPS:
                self._end()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._profile is not None:
            self._end()

    def _end(self) -> None:
        profile, self._profile = self._profile, None
        profile.stop()
        profile.export_chrome_trace(str(self._trace))
        self.found = profiled(profile.key_averages(), self._steps)


def profiled(averages: Iterable[Any], steps: int) -> Profiled:
    """What the profiler's averages of `steps` steps say; times of a GPU where one computed."""
    events = list(averages)
    on_gpu = any(event.self_device_time_total for event in events)
    spent = {event.key: event.self_device_time_total if on_gpu else event.self_cpu_time_total for event in events}
    of_phase = {name: [event for event in events if event.key.startswith(key)] for name, key in PHASES.items()}
    marked = [event for found in of_phase.values() for event in found]
    dearest = sorted((event for event in events if event not in marked), key=lambda event: -spent[event.key])
    wall = sum(event.cpu_time_total for event in marked)
    phases = [
        _operator(name, found, sum(event.cpu_time_total for event in found), wall)
        for name, found in of_phase.items()
        if found
    ]
    whole = sum(spent.values())
    operators = [_operator(event.key, [event], spent[event.key], whole) for event in dearest[:MOST]]
    return Profiled(steps, wall / 1e6, tuple(phases), tuple(operators))


def _operator(name: str, events: list[Any], microseconds: float, whole: float) -> Operator:
    calls = sum(event.count for event in events)
    return Operator(name, calls, microseconds / 1e6, microseconds / whole if whole else 0.0)


def _named(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    from torch.profiler import record_function

    def called(*args: Any, **kwargs: Any) -> Any:
        with record_function(name):
            return method(*args, **kwargs)

    return called
