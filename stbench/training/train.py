"""Training with the library's trainer, from where the run stands to its best checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.errors import Failed, Interrupted
from stbench.plan.plan import Plan

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.evaluation.recording import Recorder


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


@dataclass(frozen=True)
class Watchers:
    """Who wants to know how training goes."""

    on_step: Callable[[int, int], None]
    on_log: Callable[[dict[str, Any], int], None]


def train(
    plan: Plan, model: Any, loss: Any, rows: Dataset, evaluator: Recorder, best_key: str, folder: Path, watchers: Watchers
) -> Trained:
    """Train `model` in place and leave the weights of the best checkpoint in it.

    Goes on from the newest complete checkpoint in `folder`. Raises `Interrupted` after a signal (a checkpoint has
    been written then) and `Failed` when the loss becomes NaN or another checkpoint than the best was loaded.
    """
    from transformers import PrinterCallback, set_seed

    from stbench.training.arguments import trainer_class, training_arguments
    from stbench.training.callbacks import Checksums, EvaluateAtEnd, Report, StopOnSignal, StopWhenNoBetter, checksum

    start = time.perf_counter()
    stop, sums = StopOnSignal(), Checksums()
    key = f"eval_{best_key}"
    first_step: list[float] = []

    def on_step(done: int, total: int) -> None:
        first_step.append(time.perf_counter() - start) if not first_step else None
        watchers.on_step(done, total)

    callbacks = [EvaluateAtEnd(), Report(on_step, _finite(key, watchers.on_log)), stop, sums]
    if plan.training.patience:
        callbacks.append(StopWhenNoBetter(key, plan.training.patience, evaluator.greater_is_better))
    set_seed(plan.seed)
    trainer = trainer_class(plan)(
        model=model,
        args=training_arguments(plan, folder, key, evaluator.greater_is_better),
        train_dataset=_as_the_library_reads(rows),
        loss=loss,
        evaluator=evaluator,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    with stop.listening():
        trainer.train(resume_from_checkpoint=newest_checkpoint(folder))
    if stop.stopped:
        raise Interrupted("stopped while training; the same command goes on from the last checkpoint")
    best = _best_step(trainer.state)
    if best in sums.by_step and sums.by_step[best] != checksum(model):
        raise Failed(f"the weights in memory are not those of the best checkpoint (step {best})")
    return Trained(
        history=tuple(_entry(entry, key) for entry in trainer.state.log_history),
        best_step=best,
        last_step=trainer.state.global_step,
        rows=len(rows),
        seconds=time.perf_counter() - start,
        seconds_to_first_step=first_step[0] if first_step else 0.0,
    )


def _as_the_library_reads(rows: Dataset) -> Dataset:
    """The trainer takes `label`, `labels`, `score` and `scores` for the label, and every other column for an input."""
    return rows.rename_column("relevance", "labels") if "relevance" in rows.column_names else rows


def newest_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end (the trainer writes its state last)."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    return str(max(found, key=lambda path: int(path.name.rsplit("-", 1)[1]))) if found else None


def _best_step(state: Any) -> int | None:
    checkpoint = state.best_model_checkpoint
    return int(str(checkpoint).rsplit("-", 1)[1]) if checkpoint else None


def _finite(key: str, on_log: Callable[[dict[str, Any], int], None]) -> Callable[[dict[str, Any], int], None]:
    def checked(entry: dict[str, Any], step: int) -> None:
        loss = entry.get("loss")
        if loss is not None and not math.isfinite(loss):
            raise Failed(
                f"the loss became {loss} at step {step}; the learning rate comes first (a tenth of it), then a longer"
                " training.warmup, then precision=fp32"
            )
        on_log(_entry(entry, key), step)

    return checked


def _entry(entry: dict[str, Any], key: str) -> dict[str, Any]:
    kept = {name: entry[name] for name in ("step", "epoch", "loss", "learning_rate", "grad_norm") if name in entry}
    if key in entry:
        kept["score"] = entry[key]
    kept.update({name: value for name, value in entry.items() if name.endswith("_active_dims")})
    return kept
