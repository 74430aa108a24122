"""The loss of a plan, as the library's own module: the class, its arguments as objects, what wraps it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.plan.plan import LossPlan, ModifierPlan, Plan
from stbench.training.loss_arguments import fill, resolve

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

_INNER = ("self", "model", "loss")
"""Arguments of wrappers that are never options."""


def loss_class(plan: Plan, name: str | None = None) -> type[nn.Module]:
    """The class of the library behind the plan's loss."""
    module = importlib.import_module(f"sentence_transformers.{plan.blueprint.type}.losses")
    found: type[nn.Module] = getattr(module, name or plan.loss.cls)
    return found


def check_arguments(plan: Plan) -> list[Problem]:
    """Arguments (`loss.arguments.*`, `modifier.arguments.*`) that nothing takes."""
    loss, modifier = plan.loss, plan.loss.modifier
    names = _parameters(plan, loss.cls) + (_parameters(plan, loss.wrapper) if loss.wrapper else [])
    problems = list(_unknown(loss.cls, loss.arguments, names, f"{loss.option}.arguments"))
    if modifier:
        names = _parameters(plan, modifier.cls)
        problems += _unknown(modifier.cls, modifier.arguments, names, "modifier.arguments")
    return problems


def _unknown(cls: str, arguments: Mapping[str, Any], known: list[str], option: str) -> list[Problem]:
    return [
        Problem(f"{cls} has no argument '{name}'", f"{option}.{name}", did_you_mean(name, known, option + ".{}=…"))
        for name in arguments
        if name not in known
    ]


def _parameters(plan: Plan, cls: str) -> list[str]:
    names = inspect.signature(loss_class(plan, cls).__init__).parameters
    return [name for name in names if name not in (*_INNER, "kwargs")]


def build_loss(plan: Plan, model: Any, train: Dataset) -> nn.Module:
    """The loss around `model`, with what wraps it and the arguments that depend on model and data.

    Raises `Refused` when the library does not accept an argument's value.
    """
    own, wrapping = _routed(plan)
    filled, option = fill(plan, model, train), f"{plan.loss.option}.arguments"
    loss = _made(plan, plan.loss.cls, model, {**filled, **own}, option)
    if plan.loss.wrapper:
        loss = _made(plan, plan.loss.wrapper, model, {**_regularizers(plan.loss), **wrapping, "loss": loss}, option)
    return _modified(plan, plan.loss.modifier, model, loss) if plan.loss.modifier else loss


def _routed(plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """(arguments of the loss, arguments that only its wrapper takes)."""
    own = _parameters(plan, plan.loss.cls)
    arguments = plan.loss.arguments
    mine = {name: value for name, value in arguments.items() if name in own or not plan.loss.wrapper}
    return mine, {name: value for name, value in arguments.items() if name not in mine}


def _regularizers(loss: LossPlan) -> dict[str, float | None]:
    """Weights by the library's names; a query weight of 0 leaves its regulariser out."""
    if loss.regularizers is None:
        return {}
    query, document = loss.regularizers
    alone = bool(loss.arguments.get("use_document_regularizer_only"))
    return {"query_regularizer_weight": None if alone or not query else query, "document_regularizer_weight": document}


def _modified(plan: Plan, modifier: ModifierPlan, model: Any, loss: nn.Module) -> nn.Module:
    arguments = dict(modifier.arguments)
    if not modifier.beside:
        return _made(plan, modifier.cls, model, {**arguments, "loss": loss}, "modifier.arguments")
    from stbench.training.summed import Summed

    return Summed(loss, _made(plan, modifier.cls, model, arguments, "modifier.arguments"))


def _made(plan: Plan, cls: str, model: Any, arguments: Mapping[str, Any], option: str) -> nn.Module:
    found = loss_class(plan, cls)
    objects = resolve(found, arguments, option)
    try:
        return found(model, **objects)
    except (TypeError, ValueError, AttributeError) as error:
        raise Refused(Problem(f"{cls} refuses its arguments: {error}", option, "check them in the library's page of this loss")) from error  # fmt: skip
