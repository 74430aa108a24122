"""The library's training arguments out of the plan."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.plan.plan import Plan

_NAMES = {
    "sentence_transformer": "SentenceTransformer",
    "cross_encoder": "CrossEncoder",
    "sparse_encoder": "SparseEncoder",
    "multi_vector_encoder": "MultiVectorEncoder",
}
_OURS = {
    "output_dir": "the run's folder",
    "metric_for_best_model": "the evaluator's own primary metric",
    "report_to": "tracker=…",
    "bf16": "precision=bf16",
    "fp16": "precision=fp16",
    "seed": "seed=…",
    "learning_rate": "training.learning_rate=…",
    "per_device_train_batch_size": "training.batch_size=…",
    "num_train_epochs": "training.epochs=…",
    "max_steps": "training.max_steps=…",
    "warmup_steps": "training.warmup=…",
    "gradient_accumulation_steps": "training.gradient_accumulation=…",
    "gradient_checkpointing": "training.gradient_checkpointing=…",
    "eval_steps": "training.eval_steps=…",
    "save_steps": "training.eval_steps=…",
    "lr_scheduler_type": "training.scheduler=…",
    "weight_decay": "training.weight_decay=…",
}
"""Arguments that stbench sets itself, and the option that sets each."""


def trainer_class(plan: Plan) -> type[Any]:
    import sentence_transformers

    found: type[Any] = getattr(sentence_transformers, f"{_NAMES[plan.blueprint.type]}Trainer")
    return found


def arguments_class(plan: Plan) -> type[Any]:
    import sentence_transformers

    found: type[Any] = getattr(sentence_transformers, f"{_NAMES[plan.blueprint.type]}TrainingArguments")
    return found


def check_extra(plan: Plan) -> list[Problem]:
    """Names under `training.extra` that the library does not know, or that have an option of their own."""
    known = {field.name for field in dataclasses.fields(arguments_class(plan))}
    found = []
    for name in plan.training.extra:
        if name in _OURS:
            found.append(Problem("this argument has an option of its own", f"training.extra.{name}", _OURS[name]))
        elif name not in known:
            mend = did_you_mean(name, known, "training.extra.{}=…") if len(name) > 2 else ""
            found.append(Problem(f"the library has no training argument '{name}'", f"training.extra.{name}", mend))
    return found


def training_arguments(plan: Plan, folder: Path, best_key: str, greater_is_better: bool) -> Any:
    """Arguments for the trainer: evaluation and checkpoints on the same steps, weights in fp32, no reporting by itself.

    Raises `Refused` when the library rejects a value of `training.extra`.
    """
    training = plan.training
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "learning_rate": training.learning_rate,
        "per_device_train_batch_size": training.batch_size,
        "per_device_eval_batch_size": training.batch_size,
        "num_train_epochs": training.epochs,
        "max_steps": training.max_steps or -1,
        "warmup_steps": training.warmup,
        "lr_scheduler_type": training.scheduler,
        "weight_decay": training.weight_decay,
        "gradient_accumulation_steps": training.gradient_accumulation,
        "gradient_checkpointing": training.gradient_checkpointing,
        "batch_sampler": training.sampler,
        "eval_strategy": "steps",
        "eval_steps": _steps(training.eval_steps),
        "save_strategy": "steps",
        "save_steps": _steps(training.eval_steps),
        "save_total_limit": 2,
        "load_best_model_at_end": True,
        "metric_for_best_model": best_key,
        "greater_is_better": greater_is_better,
        "logging_steps": 0.01,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "bf16": plan.precision == "bf16",
        "fp16": plan.precision == "fp16",
        "use_cpu": plan.device == "cpu",
        "seed": plan.seed,
        "data_seed": plan.seed,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": plan.device == "cuda",
    }
    try:
        return arguments_class(plan)(**{**values, **plan.training.extra})
    except (TypeError, ValueError) as error:
        raise Refused(Problem(f"the library refuses the training arguments: {error}", "training")) from error


def _steps(value: float) -> float | int:
    return int(value) if value >= 1 else value
