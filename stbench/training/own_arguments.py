"""Arguments of the library's trainer that have an option of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stbench.errors import Problem

OWN = {
    "output_dir": "the run's folder",
    "metric_for_best_model": "evaluator=…",
    "greater_is_better": "evaluator=…",
    "load_best_model_at_end": "leave it out: the best checkpoint is what gets judged and saved",
    "eval_strategy": "training.eval_steps=…",
    "save_strategy": "training.eval_steps=…",
    "save_only_model": "leave it out: a run goes on from its checkpoints when it was interrupted",
    "report_to": "tracker=…",
    "bf16": "precision=bf16",
    "fp16": "precision=fp16",
    "use_cpu": "hardware=cpu",
    "seed": "seed=…",
    "data_seed": "seed=…",
    "learning_rate": "training.learning_rate=…",
    "per_device_train_batch_size": "training.batch_size=…",
    "num_train_epochs": "training.epochs=…",
    "max_steps": "training.max_steps=…",
    "warmup_steps": "training.warmup=…",
    "prompts": "prompts.query=… prompts.document=…",
    "warmup_ratio": "training.warmup=…",
    "batch_sampler": "loss=…: each loss has the sampler that it needs",
    "gradient_accumulation_steps": "training.gradient_accumulation=…",
    "gradient_checkpointing": "training.gradient_checkpointing=…",
    "eval_steps": "training.eval_steps=…",
    "save_steps": "training.eval_steps=…",
    "lr_scheduler_type": "training.scheduler=…",
    "weight_decay": "training.weight_decay=…",
    "multi_dataset_batch_sampler": "dataset.sampling=…",
}
"""Arguments that stbench sets itself, and the option that sets each."""


def said_twice(extra: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each argument under `training.extra` that another option sets."""
    for name, value in extra.items():
        if name in OWN:
            mend = OWN[name].replace("=…", f"={value}") if type(value) in (int, float) else OWN[name]
            yield Problem("this argument has an option of its own", f"training.extra.{name}", mend)
