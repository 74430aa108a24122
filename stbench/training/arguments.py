"""The library's training arguments out of the plan."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.plan.plan import Plan, TrainingPlan

_NAMES = {
    "sentence_transformer": "SentenceTransformer",
    "cross_encoder": "CrossEncoder",
    "sparse_encoder": "SparseEncoder",
    "multi_vector_encoder": "MultiVectorEncoder",
}


def trainer_class(plan: Plan) -> type[Any]:
    import sentence_transformers

    found: type[Any] = getattr(sentence_transformers, f"{_NAMES[plan.blueprint.type]}Trainer")
    return found


def arguments_class(plan: Plan) -> type[Any]:
    import sentence_transformers

    found: type[Any] = getattr(sentence_transformers, f"{_NAMES[plan.blueprint.type]}TrainingArguments")
    return found


def check_extra(plan: Plan) -> list[Problem]:
    """What is wrong under `training.extra`: names unknown to the library, and values that it refuses."""
    known = {field.name for field in dataclasses.fields(arguments_class(plan))}
    found = []
    for name in plan.training.extra:
        if name not in known:
            mend = did_you_mean(name, known, "training.extra.{}=…") if len(name) > 2 else ""
            found.append(Problem(f"the library has no training argument '{name}'", f"training.extra.{name}", mend))
    return found or _bad_values(plan)


def _bad_values(plan: Plan) -> list[Problem]:
    try:
        training_arguments(plan, Path("unused"), "", True, batches=1)
    except Refused as refusal:
        return [*refusal.problems]
    return []


def training_arguments(plan: Plan, folder: Path, best_key: str, greater_is_better: bool, batches: int) -> Any:
    """Arguments for the trainer: evaluation and checkpoints on the same steps, weights in fp32, no reporting by itself.

    `batches` is how many an epoch has. Raises `Refused` when the library rejects a value of `training.extra`.
    """
    from stbench.training.mixture import batch_sampler_of

    training = plan.training
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "learning_rate": training.learning_rate,
        "per_device_train_batch_size": training.batch_size,
        "per_device_eval_batch_size": training.batch_size,
        "num_train_epochs": training.epochs,
        "max_steps": _max_steps(training, batches),
        # Of a single step the warm-up would be all, with a learning rate of 0.
        "warmup_steps": training.warmup if _steps_of(training, batches) > 1 else 0,
        "lr_scheduler_type": training.scheduler,
        "weight_decay": training.weight_decay,
        "gradient_accumulation_steps": training.gradient_accumulation,
        "gradient_checkpointing": training.gradient_checkpointing,
        "batch_sampler": batch_sampler_of(plan),
        "multi_dataset_batch_sampler": training.sampling,
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
        names = ", ".join(f"training.extra.{name}" for name in plan.training.extra) or "training"
        raise Refused(Problem(f"the library refuses the training arguments: {error}", names)) from error


def _max_steps(training: TrainingPlan, batches: int) -> int:
    """Steps to end at early; -1 where the epochs end before: the library would go on beyond them."""
    return training.max_steps if training.max_steps and training.max_steps < _epochs(training, batches) else -1


def _steps_of(training: TrainingPlan, batches: int) -> int:
    return min(training.max_steps or _epochs(training, batches), _epochs(training, batches))


def _epochs(training: TrainingPlan, batches: int) -> int:
    """Steps until the epochs end."""
    return math.ceil(math.ceil(batches / training.gradient_accumulation) * training.epochs)


def _steps(value: float) -> float | int:
    return int(value) if value >= 1 else value
