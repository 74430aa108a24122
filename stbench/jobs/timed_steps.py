"""A few real training steps against the clock: the library's trainer, without evaluation and without checkpoints."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from stbench.plan.plan import Plan

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def timed_steps(plan: Plan, model: Any, loss: Any, rows: Dataset | DatasetDict, steps: int) -> tuple[list[float], Any]:
    """(seconds of each of `steps` steps after a first one, the trainer); `model` is trained by them."""
    from transformers import IntervalStrategy, PrinterCallback, TrainerCallback, set_seed

    from stbench.training.arguments import trainer_class, training_arguments
    from stbench.training.mixture import as_the_library_reads, batches_of

    ends: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            finish_work(plan.device)
            ends.append(time.perf_counter())

    set_seed(plan.seed)
    with TemporaryDirectory() as folder:
        args = training_arguments(plan, Path(folder), "eval_unused", True, batches_of(plan, rows))
        args.eval_strategy = IntervalStrategy.NO
        args.save_strategy = "no"
        args.load_best_model_at_end = False
        args.max_steps = steps + 1
        trainer = trainer_class(plan)(
            model=model, args=args, train_dataset=as_the_library_reads(rows), loss=loss, callbacks=[Clock()]
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [end - start for start, end in pairwise(ends)], trainer


def finish_work(device: str) -> None:
    """A GPU works on while Python goes ahead."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def checkpoint_bytes(trainer: Any, model: Any) -> int:
    """Bytes of what a checkpoint holds: the weights that are trained, and the state of the optimiser."""
    import torch

    def sizes(tree: Any) -> int:
        if isinstance(tree, torch.Tensor):
            return int(tree.numel() * tree.element_size())
        values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
        return sum(map(sizes, values))

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return sizes(trained) + sizes(trainer.optimizer.state_dict())
