"""Every option of the plan reaches the library's training arguments, and wrong extra ones are refused early."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tiny_models import Tiny

from stbench.errors import Refused
from stbench.training.arguments import arguments_class, check_extra, trainer_class, training_arguments
from stbench.training.by_length import ByLength
from stbench.training.mixture import no_duplicates

if TYPE_CHECKING:
    from stbench.plan.plan import Plan


REACHES: list[tuple[str, Any, str, Any]] = [
    ("learning_rate", 0.125, "learning_rate", 0.125),
    ("batch_size", 7, "per_device_train_batch_size", 7),
    ("epochs", 2.5, "num_train_epochs", 2.5),
    ("warmup", 0.25, "warmup_steps", 0.25),
    ("warmup", 30.0, "warmup_steps", 30.0),
    ("scheduler", "cosine", "lr_scheduler_type", "cosine"),
    ("weight_decay", 0.5, "weight_decay", 0.5),
    ("gradient_accumulation", 4, "gradient_accumulation_steps", 4),
    ("gradient_checkpointing", True, "gradient_checkpointing", True),
    ("sampler", "no_duplicates", "batch_sampler", no_duplicates),
    ("sampler", "batch_sampler", "batch_sampler", "batch_sampler"),
    ("sampling", "round_robin", "multi_dataset_batch_sampler", "round_robin"),
    ("eval_steps", 0.25, "eval_steps", 0.25),
    ("eval_steps", 50.0, "eval_steps", 50),
    ("eval_steps", 50.0, "save_steps", 50),
    ("max_steps", 5, "max_steps", 5),
    ("extra", {"max_grad_norm": 0.5}, "max_grad_norm", 0.5),
    ("extra", {"optim": "adafactor"}, "optim", "adafactor"),
    ("extra", {"dataloader_drop_last": True}, "dataloader_drop_last", True),
]
"""Option of the plan, its value, the library's name for it, the value there."""


@pytest.fixture
def plan(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Plan:
    return plan_of("base_model=path", f"base_model.path={tiny.plain}", "dataset=files", f"dataset.train={data['pair']}")


def changed(plan: Plan, **options: Any) -> Plan:
    return replace(plan, training=replace(plan.training, **options))


def arguments(plan: Plan, batches: int = 100, folder: Path = Path("checkpoints")) -> Any:
    return training_arguments(plan, folder, "eval_test_score", True, batches)


@pytest.mark.parametrize(("option", "value", "name", "expected"), REACHES)
def test_options_reach_the_library(plan: Plan, option: str, value: Any, name: str, expected: Any) -> None:
    found = getattr(arguments(changed(plan, **{option: value})), name)
    assert found == expected


def test_every_field_of_the_training_plan_is_read(plan: Plan) -> None:
    """`steps` is an estimate for people, `patience` goes to a callback, `usual_rate` to the advice; whatever else is new must be named here."""
    named = {option for option, *_ in REACHES} | {"by_length", "profile"}
    assert {field.name for field in dataclasses.fields(plan.training)} == named | {"steps", "patience", "usual_rate"}


def test_rows_of_one_length_come_together_where_the_loss_draws_them(plan: Plan) -> None:
    drawn = changed(plan, sampler="batch_sampler")
    assert arguments(drawn).batch_sampler == "batch_sampler"
    assert arguments(changed(drawn, by_length=True)).batch_sampler is ByLength
    assert arguments(changed(plan, by_length=True)).batch_sampler is no_duplicates


@pytest.mark.parametrize(("warmup", "steps"), [(0.1, 20), (0.0, 0), (30.0, 30)])
def test_warmup_below_one_is_a_share_of_the_steps(plan: Plan, warmup: float, steps: int) -> None:
    assert arguments(changed(plan, warmup=warmup)).get_warmup_steps(200) == steps


@pytest.mark.parametrize(("max_steps", "expected"), [(None, -1), (1, 1), (19, 19), (20, -1), (500, -1)])
def test_max_steps_ends_training_early_and_never_prolongs_it(plan: Plan, max_steps: int | None, expected: int) -> None:
    """13 batches are 7 steps of two batches; three epochs of those are 21 steps, less one."""
    short = changed(plan, batch_size=8, gradient_accumulation=2, epochs=20 / 7, max_steps=max_steps)
    assert arguments(short, batches=13).max_steps == expected


@pytest.mark.parametrize(
    ("precision", "bf16", "fp16"), [("fp32", False, False), ("bf16", True, False), ("fp16", False, True)]
)
def test_precision_is_autocast(plan: Plan, precision: Any, bf16: bool, fp16: bool) -> None:
    found = arguments(replace(plan, precision=precision))
    assert (found.bf16, found.fp16) == (bf16, fp16)


def test_what_every_run_needs(plan: Plan) -> None:
    found = arguments(replace(plan, seed=77), folder=Path("here"))
    assert (found.seed, found.data_seed) == (77, 77)
    assert found.output_dir == "here"
    assert found.use_cpu == (plan.device == "cpu")
    assert found.load_best_model_at_end
    assert (found.metric_for_best_model, found.greater_is_better) == ("eval_test_score", True)
    assert (found.eval_strategy, found.save_strategy, found.save_total_limit) == ("steps", "steps", 2)
    assert not found.logging_nan_inf_filter
    assert found.report_to == []
    assert not training_arguments(plan, Path("here"), "eval_mse", False, 10).greater_is_better


def test_each_model_type_has_its_own_trainer(plan: Plan) -> None:
    names = {
        "sentence_transformer": "SentenceTransformer",
        "cross_encoder": "CrossEncoder",
        "sparse_encoder": "SparseEncoder",
        "multi_vector_encoder": "MultiVectorEncoder",
    }
    for type_, name in names.items():
        typed = replace(plan, blueprint=replace(plan.blueprint, type=type_))
        assert trainer_class(typed).__name__ == f"{name}Trainer"
        assert arguments_class(typed).__name__ == f"{name}TrainingArguments"


@pytest.mark.parametrize(
    ("extra", "what", "mend"),
    [
        ({"max_grad_nrm": 1}, "no training argument 'max_grad_nrm'", "training.extra.max_grad_norm=…"),
        ({"optim": "adamm"}, "refuses the training arguments", ""),
    ],
)
def test_wrong_extra_arguments_are_told_with_what_mends_them(
    plan: Plan, extra: dict[str, Any], what: str, mend: str, workplace: Path
) -> None:
    (problem,) = check_extra(changed(plan, extra=extra))
    assert what in problem.what
    assert mend in problem.mend
    assert problem.where == f"training.extra.{next(iter(extra))}"
    assert list(workplace.iterdir()) == []


def test_all_wrong_extra_arguments_are_told_at_once(plan: Plan) -> None:
    assert len(check_extra(changed(plan, extra={"max_grad_nrm": 1, "adam_bta1": 3, "max_grad_norm": 1.0}))) == 2


def test_right_extra_arguments_pass(plan: Plan) -> None:
    assert check_extra(changed(plan, extra={"max_grad_norm": 0.5, "optim": "adafactor"})) == []


def test_a_value_that_the_library_refuses_is_refused_here(plan: Plan) -> None:
    with pytest.raises(Refused, match="adamm"):
        arguments(changed(plan, extra={"optim": "adamm"}))
