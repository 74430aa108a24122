"""The loss of a plan as the library builds it: class, arguments, regularisers, class weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tiny_models import Tiny

from stbench.errors import Refused
from stbench.models.build import build
from stbench.training.losses import build_loss, check_arguments

if TYPE_CHECKING:
    from stbench.plan.plan import Plan


@pytest.fixture
def planned(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Callable[..., Plan]:
    def plan(shape: str, base: str, *words: str) -> Plan:
        place = [f"base_model.path={getattr(tiny, base)}", f"dataset.train={data[shape]}"]
        return plan_of(*words, "base_model=path", "dataset=files", *place)

    return plan


def loss_of(plan: Plan, train: Any = None) -> Any:
    return build_loss(plan, build(plan.blueprint, plan.seed), train)


def labelled(*labels: int) -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"anchor": ["a"] * len(labels), "positive": ["b"] * len(labels), "label": list(labels)})


def test_arguments_of_file_and_command_line_reach_the_loss(planned: Callable[..., Plan]) -> None:
    words = ("model=multi_vector_encoder", "loss=contrastive")
    assert loss_of(planned("pair", "plain", *words)).scale == 1.0
    assert loss_of(planned("pair", "plain", *words, "loss.arguments.scale=7")).scale == 7


def test_splade_is_wrapped_with_the_weights_of_its_regularisers(planned: Callable[..., Plan]) -> None:
    words = (
        "model=sparse_encoder",
        "loss=contrastive",
        "loss.regularizers.query=0.002",
        "loss.regularizers.document=0.003",
    )
    loss = loss_of(planned("pair", "masked", *words))
    assert type(loss).__name__ == "SpladeLoss"
    assert type(loss.loss).__name__ == "SparseMultipleNegativesRankingLoss"
    assert (loss.query_regularizer_weight, loss.document_regularizer_weight) == (0.002, 0.003)


@pytest.mark.parametrize("base", ["masked", "plain"])
def test_vectors_are_compared_before_training_as_they_are_after_it(planned: Callable[..., Plan], base: str) -> None:
    plan = planned("scored_pair", base, "model=sparse_encoder", "loss=CoSENTLoss")
    model: Any = build(plan.blueprint, plan.seed)
    assert model.similarity_fn_name == "cosine"
    build_loss(plan, model, None)
    assert model.similarity_fn_name == "cosine"
    assert plan.blueprint.identity() != replace(plan.blueprint, similarity=None).identity()


def test_an_auto_encoder_gets_its_own_loss_without_regularisers(planned: Callable[..., Plan]) -> None:
    plan = planned("pair", "plain", "model=sparse_encoder", "loss=contrastive")
    assert plan.blueprint.architecture == "csr"
    assert type(loss_of(plan)).__name__ == "CSRLoss"


@pytest.mark.parametrize(
    ("labels", "weight"),
    [((1, 0, 0, 0), 3.0), ((1, 1, 0, 0), 1.0), ((1, 1, 1, 0), 1 / 3), ((1, 1), 0.5), ((0, 0), 1.0)],
)
def test_the_weight_of_positives_is_negatives_by_positives(
    planned: Callable[..., Plan], labels: tuple[int, ...], weight: float
) -> None:
    """Without a negative or a positive there is nothing to balance, and one of them is assumed."""
    plan = planned("labeled_pair", "plain", "model=cross_encoder", "loss=pointwise")
    loss = loss_of(plan, labelled(*labels))
    assert type(loss).__name__ == "BinaryCrossEntropyLoss"
    assert loss.bce_with_logits_loss.pos_weight.item() == pytest.approx(weight)


def test_a_weight_that_was_asked_for_stays(planned: Callable[..., Plan]) -> None:
    import torch

    plan = planned("labeled_pair", "plain", "model=cross_encoder", "loss=pointwise")
    asked = replace(plan, loss=replace(plan.loss, arguments={"pos_weight": torch.tensor(9.0)}))
    assert loss_of(asked, labelled(1, 0, 0)).bce_with_logits_loss.pos_weight.item() == 9.0


@pytest.mark.parametrize(
    ("shape", "loss", "activation"),
    [
        ("pair", "listwise", "Identity"),
        ("scored_pair", "regression", "Identity"),
        ("labeled_pair", "pointwise", "Sigmoid"),
    ],
)
def test_only_binary_cross_entropy_reads_its_scores_through_a_sigmoid(
    planned: Callable[..., Plan], shape: str, loss: str, activation: str
) -> None:
    plan = planned(shape, "plain", "model=cross_encoder", f"loss={loss}")
    assert type(build(plan.blueprint, plan.seed).activation_fn).__name__ == activation


def test_a_wrong_name_is_told_with_the_right_one_before_any_weight_is_loaded(
    planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("pair", "plain", "loss.arguments.scael=7", "loss.arguments.wholly_unknown=1")
    monkeypatch.setattr("stbench.models.build.build", pytest.fail)
    first, second = check_arguments(plan)
    assert first.where == "loss.arguments.scael"
    assert "MultipleNegativesRankingLoss has no argument 'scael'" in first.what
    assert "loss.arguments.scale=…" in first.mend
    assert second.where == "loss.arguments.wholly_unknown"


def test_right_names_pass(planned: Callable[..., Plan]) -> None:
    assert check_arguments(planned("pair", "plain", "loss.arguments.scale=7")) == []


def test_a_value_that_the_loss_refuses_is_refused(planned: Callable[..., Plan]) -> None:
    plan = planned("pair", "plain", "loss.arguments.hardness_mode=sometimes")
    with pytest.raises(Refused, match="MultipleNegativesRankingLoss refuses its arguments"):
        loss_of(plan)
