"""What the model reads in training is what it reads in evaluation, by all four shapes of the library's argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from datasets import Dataset, DatasetDict
from tiny_models import Tiny

from stbench.models.build import build
from stbench.training.arguments import trainer_class, training_arguments
from stbench.training.losses import build_loss
from stbench.training.prompts import training_prompts

if TYPE_CHECKING:
    from stbench.plan.plan import Plan

PAIRS = {"anchor": ["box", "shelf", "room"], "positive": ["red", "green", "blue"]}


@pytest.fixture
def planned(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Callable[..., Plan]:
    def plan(*words: str, kind: str = "plain") -> Plan:
        return plan_of("base_model=path", f"base_model.path={getattr(tiny, kind)}", *words)

    return plan


def read(plan: Plan, rows: Any) -> list[set[str]]:
    """The first words of what a batch of training holds, by its sequences."""
    model: Any = build(plan.blueprint, plan.seed)
    arguments: Any = training_arguments(plan, Path("unused"), "", True, 1)
    arguments.prompts, arguments.eval_strategy = training_prompts(plan, model, rows), "no"
    some = next(iter(rows.values())) if isinstance(rows, dict) else rows
    loss = build_loss(plan, model, some)
    trainer = trainer_class(plan)(model=model, args=arguments, train_dataset=rows, loss=loss)
    found = []
    for batch in trainer.get_train_dataloader():
        tokens = [value for name, value in sorted(batch.items()) if name.endswith("input_ids")]
        found += [{model.tokenizer.decode(row[1]) for row in ids} for ids in tokens]
    return found


def test_one_prompt_for_each_column(planned: Callable[..., Plan], data: Mapping[str, Path]) -> None:
    plan = planned("dataset=files", f"dataset.train={data['pair']}", "prompts.query=old ", "prompts.document=new ")
    assert read(plan, Dataset.from_dict(PAIRS)) == [{"old"}, {"new"}]


def test_a_single_prompt(planned: Callable[..., Plan], data: Mapping[str, Path]) -> None:
    words = ["dataset=files", f"dataset.train={data['scored_pair']}", "loss=regression", "prompts.text=old "]
    assert read(planned(*words), Dataset.from_dict({**PAIRS, "score": [0.1, 0.5, 0.9]})) == [{"old"}, {"old"}]


@pytest.fixture
def mixed(planned: Callable[..., Plan], data: Mapping[str, Path]) -> Callable[..., Plan]:
    def plan(*words: str) -> Plan:
        parts = [f"dataset.parts.{name}.train={data['pair']}" for name in ("one", "two")]
        return planned("dataset=mixture", *parts, *words)

    return plan


def test_one_prompt_for_each_data_set_and_column(mixed: Callable[..., Plan]) -> None:
    plan = mixed(
        "prompts.query=old ", "dataset.parts.two.prompts.query=new ", "dataset.parts.two.prompts.document=small "
    )
    rows = DatasetDict({"one": Dataset.from_dict(PAIRS), "two": Dataset.from_dict(PAIRS)})
    assert training_prompts(plan, build(plan.blueprint, 1), rows) == {
        "one": {"anchor": "old "},
        "two": {"anchor": "new ", "positive": "small "},
    }
    found = read(plan, rows)
    assert all(words in found for words in ({"old"}, {"new"}, {"small"}))
    assert [one.blueprint.prompts.query for one in plan.alone] == ["old ", "new "]


def test_one_prompt_for_each_data_set_of_a_cross_encoder(mixed: Callable[..., Plan]) -> None:
    words = ["model=cross_encoder", "loss=contrastive", "prompts.text=old ", "dataset.parts.two.prompts.text=new "]
    plan = mixed(*words)
    rows = DatasetDict({"one": Dataset.from_dict(PAIRS), "two": Dataset.from_dict(PAIRS)})
    assert training_prompts(plan, build(plan.blueprint, 1), rows) == {"one": "old ", "two": "new "}


def test_prompts_that_a_model_brings_are_read_in_training_too(
    planned: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny, tmp_path: Path
) -> None:
    from stbench.models.base import locate
    from stbench.models.blueprint import Blueprint

    model: Any = build(Blueprint("sentence_transformer", locate("x", None, str(tiny.plain), None, None), "cpu"), 1)
    model.prompts = {"query": "old ", "passage": "new "}
    model.save_pretrained(str(tmp_path / "model"))
    words = ["dataset=files", f"dataset.train={data['pair']}", f"base_model.path={tmp_path / 'model'}"]
    assert read(planned(*words), Dataset.from_dict(PAIRS)) == [{"old"}, {"new"}]


def test_the_prompt_is_left_out_of_the_pooling_in_training_too(
    planned: Callable[..., Plan], data: Mapping[str, Path]
) -> None:
    words = ["dataset=files", f"dataset.train={data['pair']}", "prompts.query=old ", "prompts.include=false"]
    plan = planned(*words)
    model: Any = build(plan.blueprint, plan.seed)
    arguments: Any = training_arguments(plan, Path("unused"), "", True, 1)
    rows = Dataset.from_dict(PAIRS)
    arguments.prompts, arguments.eval_strategy = training_prompts(plan, model, rows), "no"
    loss = build_loss(plan, model, rows)
    trainer = trainer_class(plan)(model=model, args=arguments, train_dataset=rows, loss=loss)
    (batch,) = trainer.get_train_dataloader()
    model.eval()
    trained = {name.removeprefix("anchor_"): value for name, value in batch.items() if name.startswith("anchor_")}
    vectors = model(trained)["sentence_embedding"].detach().numpy()
    order = [model.tokenizer.decode(row[2]) for row in trained["input_ids"]]
    assert abs(vectors - model.encode_query(order)).max() < 1e-5
