from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stbench.plan.notes import notes

if TYPE_CHECKING:
    from stbench.plan.plan import Plan


@pytest.fixture
def noted(plan_of: Callable[..., Plan], encoder: Path, data: Mapping[str, Path]) -> Callable[..., list[str]]:
    """What the notes of a plan offer."""

    def made(*words: str, shape: str = "pair") -> list[str]:
        plan = plan_of("dataset=files", f"dataset.train={data[shape]}", f"base_model={encoder}", *words)
        return [decision.why for decision in plan.decisions if decision.what == "note"]

    return made


def test_accumulated_batches_share_no_negatives(noted: Callable[..., list[str]]) -> None:
    (mend,) = noted("training.gradient_accumulation=4")
    assert "CachedMultipleNegativesRankingLoss" in mend
    assert not noted()
    assert not noted("loss=triplet", "training.gradient_accumulation=4", shape="triplet")


def test_queries_should_be_the_sparser_side(noted: Callable[..., list[str]]) -> None:
    swapped = ["loss.regularizers.query=1e-5", "loss.regularizers.document=2e-5"]
    assert "loss.regularizers.query=2e-05 loss.regularizers.document=1e-05" in noted("model=sparse_encoder", *swapped)
    assert len(noted("model=sparse_encoder")) == 1


def test_a_short_run_of_splade_stays_dense(noted: Callable[..., list[str]]) -> None:
    assert any("training.epochs" in mend for mend in noted("model=sparse_encoder"))
    assert not noted("model=sparse_encoder", "training.epochs=1000")
    assert not noted("model=sparse_encoder", "model.architecture=csr")


def test_mega_batches_are_large(noted: Callable[..., list[str]]) -> None:
    assert noted("loss=MegaBatchMarginLoss", "training.batch_size=32") == ["training.batch_size=500"]
    assert not noted("loss=MegaBatchMarginLoss", "training.batch_size=500")


def test_lists_say_what_to_lower_when_memory_runs_out(noted: Callable[..., list[str]]) -> None:
    (mend,) = noted("model=cross_encoder", "loss=listwise", shape="ranked_list")
    assert mend.startswith("when memory runs out: loss.arguments.mini_batch_size first")


def test_a_teacher_is_another_model(
    plan_of: Callable[..., Plan], encoder: Path, data: Mapping[str, Path], noted: Callable[..., list[str]]
) -> None:
    itself = ["loss=distillation", "teacher=bi_encoder", f"teacher.model={encoder}"]
    (mend,) = noted(*itself)
    assert mend.endswith("base_model.layers=[0,2,4]")
    plan = plan_of("dataset=files", f"dataset.train={data['pair']}", f"base_model={encoder}", *itself)
    pruned = replace(plan.blueprint, layers=(0,))
    assert not list(notes(pruned, plan.data, plan.loss, plan.training))
