"""The untouched model is scored once, and again as soon as anything could give another score."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.cache import Store
from stbench.data.splits import Splits
from stbench.evaluation.baseline import SPLITS, final, untouched
from stbench.evaluation.build import build_evaluator
from stbench.models.base import locate
from stbench.models.build import build

if TYPE_CHECKING:
    from stbench.plan.plan import Plan


@pytest.fixture
def plan(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Plan:
    return plan_of("base_model=path", f"base_model.path={tiny.plain}", "dataset=files", f"dataset.train={data['pair']}")


@pytest.fixture
def splits() -> Splits:
    from datasets import Dataset

    def part(name: str) -> Dataset:
        anchors = [f"what is the {name} thing number {i}?" for i in range(6)]
        return Dataset.from_dict({"anchor": anchors, "positive": [f"thing number {i} is red" for i in range(6)]})

    return Splits(part("first"), part("second"), part("third"), "pair")


class Counted:
    """Hands out the model of a plan, and counts how often it was asked."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        return build(self.plan.blueprint, self.plan.seed)


def asked(plan: Plan, splits: Splits, folder: Path) -> int:
    store, model = Store(folder, "on"), Counted(plan)
    _scores(plan, splits, store, model)
    return model.asked


def _scores(plan: Plan, splits: Splits, store: Store, model: Counted) -> dict[str, Any]:
    evaluators = {
        name: build_evaluator(
            plan.evaluator, plan.blueprint.type, getattr(splits, name), name, plan.precision, None, store
        )
        for name in SPLITS
    }
    return untouched(plan, splits, evaluators, model, store)


def test_both_splits_are_scored_once(plan: Plan, splits: Splits, tmp_path: Path) -> None:
    first = _scores(plan, splits, Store(tmp_path, "on"), Counted(plan))
    model = Counted(plan)
    second = _scores(plan, splits, Store(tmp_path, "on"), model)
    assert model.asked == 0
    assert first.keys() == second.keys() == {"validation", "test"}
    for name, scores in first.items():
        assert (scores.primary, scores.metric) == (f"{name}_cosine_ndcg@10", "ndcg@10")
        assert second[name].judged == scores.judged != ""
        assert second[name].metrics == scores.metrics
        assert np.array_equal(second[name].samples["value"], scores.samples["value"])


def test_a_copy_of_the_weights_elsewhere_is_the_same_model(plan: Plan, splits: Splits, tmp_path: Path) -> None:
    assert asked(plan, splits, tmp_path / "store") == 2
    shutil.copytree(plan.blueprint.base.location, tmp_path / "copy")
    base = locate("another name", None, str(tmp_path / "copy"), None, None)
    moved = replace(plan, blueprint=replace(plan.blueprint, base=base))
    assert asked(moved, splits, tmp_path / "store") == 0


def changes(plan: Plan, tiny: Tiny) -> dict[str, Plan]:
    blueprint, evaluator = plan.blueprint, plan.evaluator
    other = locate("other", None, str(tiny.pooled), None, None)
    return {
        "weights": replace(plan, blueprint=replace(blueprint, base=other, pooling=None)),
        "length": replace(plan, blueprint=replace(blueprint, max_seq_length=6)),
        "pooling": replace(plan, blueprint=replace(blueprint, pooling="cls")),
        "seed of new heads": replace(plan, seed=plan.seed + 1),
        "precision": replace(plan, precision="fp32" if plan.precision == "bf16" else "bf16"),
        "batches": replace(plan, evaluator=replace(evaluator, batch_size=3)),
        "metric": replace(plan, evaluator=replace(evaluator, statistic="spearman")),
    }


def test_whatever_could_change_the_score_is_scored_anew(plan: Plan, splits: Splits, tiny: Tiny, tmp_path: Path) -> None:
    assert asked(plan, splits, tmp_path) == 2
    anew = {name: asked(changed, splits, tmp_path) for name, changed in changes(plan, tiny).items()}
    assert set(anew.values()) == {2}, anew


@pytest.mark.parametrize("text", ["what is the third THING number 0?", "what is  the third thing number 0?"])
def test_a_row_that_differs_in_case_or_spaces_is_another_row(
    plan: Plan, splits: Splits, tmp_path: Path, text: str
) -> None:
    from datasets import Dataset

    assert asked(plan, splits, tmp_path) == 2
    columns = splits.test.to_dict()
    columns["anchor"][0] = text
    assert asked(plan, replace(splits, test=Dataset.from_dict(columns)), tmp_path) == 1


def test_the_final_score_is_never_taken_from_the_store(plan: Plan, splits: Splits, tmp_path: Path) -> None:
    import torch

    store, model = Store(tmp_path, "on"), Counted(plan)
    before = _scores(plan, splits, store, model)["test"]
    changed = model()
    with torch.no_grad():
        changed[0].model.embeddings.word_embeddings.weight.mul_(-1)
    evaluator = build_evaluator(plan.evaluator, "sentence_transformer", splits.test, "test", "fp32", None, store)
    after = final(plan, {"test": evaluator}, changed)["test"]
    assert list(after.samples["id"]) == list(before.samples["id"])
    assert after.samples["value"].tolist() != before.samples["value"].tolist()
