"""Training with the library's trainer, from where the run stands to its best checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.errors import Failed, Interrupted
from stbench.plan.plan import Plan
from stbench.training.moved import check_moved, fingerprints

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from stbench.evaluation.recording import Recorder
    from stbench.training.pace import Moment
    from stbench.training.profiling import Profiled


TRACE = "trace.json"
"""Single events of a profile, beside the checkpoints' folder."""
LOGGED = ("step", "epoch", "loss", "learning_rate", "grad_norm")


@dataclass(frozen=True)
class Trained:
    """What training leaves beside the model's weights."""

    history: tuple[dict[str, Any], ...]
    """Logged entries: step, epoch, loss, learning_rate, grad_norm; `score` at evaluated steps."""
    best_step: int | None
    last_step: int
    rows: int
    seconds: float
    seconds_to_first_step: float
    """From the start of the process, until the first step was taken."""
    pace: tuple[Moment, ...] = ()
    """Time and memory of each step of this process."""
    rows_per_second: float | None = None
    """Evaluations and checkpoints not counted."""
    profile: Profiled | None = None
    """Of a few steps, where that was asked for."""
    seconds_evaluating: float = 0.0
    """Of `seconds`, by this process."""


@dataclass(frozen=True)
class Watchers:
    """Who wants to know how training goes."""

    on_step: Callable[[int, int], None]
    on_log: Sequence[Callable[[dict[str, Any], int], None]]


def train(
    plan: Plan,
    model: Any,
    loss: Any,
    rows: Dataset | DatasetDict,
    evaluator: Recorder,
    best_key: str,
    folder: Path,
    watchers: Watchers,
) -> Trained:
    """Train `model` in place and leave the weights of the best checkpoint in it; `rows` and `loss` by part of a mixture.

    Goes on from the newest complete checkpoint in `folder`. Raises `Interrupted` after a signal (a checkpoint has
    been written then) and `Failed` when the loss becomes NaN, another checkpoint than the best was loaded, or no weight
    has moved.
    """
    from psutil import Process
    from transformers import PrinterCallback, set_seed

    from stbench.training.adapters import with_own_checkpoints
    from stbench.training.arguments import trainer_class, training_arguments
    from stbench.training.callbacks import Checksums, EvaluateAtEnd, Report, StopOnSignal, StopWhenNoBetter
    from stbench.training.checkpoints import without_cards
    from stbench.training.loss_weights import LossWeights
    from stbench.training.mixture import as_the_library_reads, batches_of
    from stbench.training.pace import Pace
    from stbench.training.profiling import Profiler
    from stbench.training.prompts import training_prompts

    start = time.perf_counter()
    stop = StopOnSignal()
    key = f"eval_{best_key}"
    first_step: list[float] = []

    def on_step(done: int, total: int) -> None:
        first_step.append(time.time() - Process().create_time()) if not first_step else None
        watchers.on_step(done, total)

    of_loss, newest = LossWeights(loss, model), newest_checkpoint(folder)
    # Pace comes last: what the others do between two steps is no part of a step.
    callbacks = [EvaluateAtEnd(), Report(on_step, _finite(key, watchers.on_log)), stop, of_loss, Checksums()]
    pace = Pace()
    if plan.training.patience:
        callbacks.append(StopWhenNoBetter(key, plan.training.patience, evaluator.greater_is_better))
    set_seed(plan.seed)
    before = fingerprints(model)
    arguments = training_arguments(plan, folder, key, evaluator.greater_is_better, batches_of(plan, rows))
    arguments.prompts = training_prompts(plan, model, rows)
    kind = trainer_class(plan) if plan.blueprint.adapter is None else with_own_checkpoints(trainer_class(plan))
    trainer = kind(
        model=model,
        args=arguments,
        train_dataset=as_the_library_reads(rows),
        loss=loss,
        evaluator=evaluator,
        callbacks=[*callbacks, pace],
    )
    trainer.remove_callback(PrinterCallback)
    evaluating = _timing(trainer)
    profiler = Profiler(folder.parent / TRACE) if plan.training.profile else None
    if profiler:
        profiler.watch(trainer)
        trainer.add_callback(profiler)
    of_loss.read(newest)
    with stop.listening(), without_cards(model):
        trainer.train(resume_from_checkpoint=newest)
    # Otherwise the model would compute in half precision for as long as it lives, whatever context it is called in.
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    if stop.stopped:
        raise Interrupted("stopped while training; the same command goes on from the last checkpoint")
    best = trainer.state.best_model_checkpoint
    _check_loaded(best, model)
    if not _moved_later(best, folder):
        check_moved(model, before, trainer.state.global_step)
    return Trained(
        history=tuple(_entry(entry, key) for entry in trainer.state.log_history),
        best_step=_step_of(best) if best else None,
        last_step=trainer.state.global_step,
        rows=sum(map(len, rows.values())) if isinstance(rows, dict) else len(rows),
        seconds=time.perf_counter() - start,
        seconds_to_first_step=first_step[0] if first_step else 0.0,
        pace=tuple(pace.moments),
        rows_per_second=pace.rows_per_second(plan.training.batch_size * plan.training.gradient_accumulation),
        profile=profiler.found if profiler else None,
        seconds_evaluating=sum(evaluating),
    )


def _timing(trainer: Any) -> list[float]:
    """Grows by the seconds of each evaluation that `trainer` makes."""
    evaluate, seconds = trainer.evaluate, []

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return evaluate(*args, **kwargs)
        finally:
            seconds.append(time.perf_counter() - start)

    trainer.evaluate = timed
    return seconds


def newest_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end: the checksum of its weights comes last."""
    from stbench.training.callbacks import CHECKSUM

    found = [place for place in folder.glob("checkpoint-*") if _text_of(place / CHECKSUM)]
    return str(max(found, key=_step_of)) if found else None


def _text_of(file: Path) -> str:
    return file.read_text() if file.is_file() else ""


def _step_of(checkpoint: str | Path) -> int:
    return int(str(checkpoint).rsplit("-", 1)[1])


def _check_loaded(best: str | None, model: Any) -> None:
    """The library goes on with a message in the log when it cannot load the best checkpoint."""
    from stbench.training.callbacks import CHECKSUM, checksum

    if best is not None and _text_of(Path(best) / CHECKSUM) != checksum(model):
        raise Failed(f"the weights in memory are not those of the best checkpoint ({best})")


def _moved_later(best: str | None, folder: Path) -> bool:
    """Whether weights went on from the best checkpoint, which may be one of the warm-up's first, with no step taken."""
    from stbench.training.callbacks import CHECKSUM

    last = newest_checkpoint(folder)
    return best is not None and last is not None and _text_of(Path(best) / CHECKSUM) != _text_of(Path(last) / CHECKSUM)


def _finite(key: str, on_log: Sequence[Callable[[dict[str, Any], int], None]]) -> Callable[[dict[str, Any], int], None]:
    def checked(entry: dict[str, Any], step: int) -> None:
        loss = entry.get("loss")
        if loss is not None and not math.isfinite(loss):
            raise Failed(
                f"the loss became {loss} at step {step}; the learning rate comes first (a tenth of it), then a longer"
                " training.warmup, then precision=fp32"
            )
        for hand_on in on_log:
            hand_on(_entry(entry, key), step)

    return checked


def _entry(entry: dict[str, Any], key: str) -> dict[str, Any]:
    kept: dict[str, Any] = {name: entry[name] for name in LOGGED if name in entry}
    if key in entry:
        kept["score"] = entry[key]
    kept.update({name: value for name, value in entry.items() if name.endswith("_active_dims")})
    return kept
