"""The loss of a plan, as the library's own module."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.plan.plan import LossPlan, Plan

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn


def loss_class(plan: Plan, name: str | None = None) -> type[nn.Module]:
    """The class of the library behind the plan's loss."""
    module = importlib.import_module(f"sentence_transformers.{plan.blueprint.type}.losses")
    found: type[nn.Module] = getattr(module, name or plan.loss.cls)
    return found


def check_arguments(plan: Plan) -> list[Problem]:
    """Arguments (`loss.arguments.*`) that the loss does not take."""
    cls = loss_class(plan)
    known = [name for name in inspect.signature(cls.__init__).parameters if name not in ("self", "model")]
    return [
        Problem(
            f"{plan.loss.cls} has no argument '{name}'", f"loss.arguments.{name}",
            did_you_mean(name, known, "loss.arguments.{}=…"),
        )
        for name in plan.loss.arguments
        if name not in known
    ]  # fmt: skip


def build_loss(plan: Plan, model: Any, train: Dataset) -> nn.Module:
    """The loss around `model`, with its wrapper and the weights that depend on the data.

    Raises `Refused` when the library does not accept an argument's value.
    """
    arguments = dict(plan.loss.arguments)
    if plan.loss.balanced:
        arguments.setdefault("pos_weight", _pos_weight(train))
    try:
        loss = loss_class(plan)(model, **arguments)
    except (TypeError, ValueError) as error:
        raise Refused(Problem(f"{plan.loss.cls} refuses its arguments: {error}", "loss.arguments")) from error
    return _regularized(plan.loss, plan, model, loss)


def _regularized(loss_plan: LossPlan, plan: Plan, model: Any, loss: nn.Module) -> nn.Module:
    """SPLADE's regularisers around `loss`: without them the vectors end up dense."""
    if loss_plan.regularized is None or plan.blueprint.architecture != "splade":
        return loss
    query, document = loss_plan.regularized
    wrapper = loss_class(plan, "SpladeLoss")
    return wrapper(model, loss=loss, query_regularizer_weight=query, document_regularizer_weight=document)


def _pos_weight(train: Dataset) -> Any:
    """Negatives per positive, so that the rarer class counts as much as the other."""
    import torch

    labels = list(train["label"])
    positives = max(1, sum(labels))
    return torch.tensor(max(1, len(labels) - positives) / positives)
