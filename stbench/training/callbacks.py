"""What happens beside the optimiser's steps: evaluation at the end, early stopping, progress, a stop from outside."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

CHECKSUM = "weights.xxh3"


class EvaluateAtEnd(TrainerCallback):  # type: ignore[misc]
    """Evaluates and saves after the last step too, which need not be a multiple of `eval_steps`."""

    def __init__(self) -> None:
        self._evaluated = -1

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._evaluated = state.global_step

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # A sampler may yield fewer batches than it announced, so the last epoch counts, not the last step. A stop from
        # outside is no end: an evaluation there would be one more than an undisturbed run has.
        last_epoch = math.ceil(state.epoch or 0) >= state.num_train_epochs and not control.should_training_stop
        if (last_epoch or state.global_step >= state.max_steps) and self._evaluated != state.global_step:
            control.should_evaluate = control.should_save = True


class StopWhenNoBetter(TrainerCallback):  # type: ignore[misc]
    """Early stopping that reads the log, so that a resumed run stops where an undisturbed one would."""

    def __init__(self, key: str, patience: int, greater_is_better: bool) -> None:
        self._key = key
        self._patience = patience
        self._sign = 1.0 if greater_is_better else -1.0

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        scores = [self._sign * entry[self._key] for entry in state.log_history if self._key in entry]
        best = max(range(len(scores)), key=scores.__getitem__, default=0)
        if len(scores) - 1 - best >= self._patience:
            control.should_training_stop = True


class Report(TrainerCallback):  # type: ignore[misc]
    """Hands every logged entry and every step on: `on_step(done, total)`, `on_log(entry, step)`."""

    def __init__(self, on_step: Callable[[int, int], None], on_log: Callable[[dict[str, Any], int], None]) -> None:
        self._on_step = on_step
        self._on_log = on_log

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._on_step(state.global_step, state.max_steps)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        self._on_log(dict(logs or {}), state.global_step)


class StopOnSignal(TrainerCallback):  # type: ignore[misc]
    """Ctrl-C or a termination signal: finish the step, save a checkpoint, stop. A second one stops at once."""

    def __init__(self) -> None:
        self.stopped = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True


class Checksums(TrainerCallback):  # type: ignore[misc]
    """Leaves the checksum of the weights in each finished checkpoint, to prove which of them was loaded in the end."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / CHECKSUM).write_text(checksum(model))


def checksum(model: Any) -> str:
    """Digest of all parameters of `model`."""
    import xxhash

    digest = xxhash.xxh3_64()
    for _, parameter in sorted(model.named_parameters()):
        digest.update(parameter.detach().float().cpu().contiguous().numpy().tobytes())
    return str(digest.hexdigest())
