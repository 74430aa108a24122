"""Arguments of losses: words on the command line, objects in the library; and those that follow from model and data."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.plan.plan import Plan

if TYPE_CHECKING:
    from datasets import Dataset

_DISTANCES = {
    "TripletLoss": "TripletDistanceMetric",
    "SparseTripletLoss": "TripletDistanceMetric",
    "ContrastiveLoss": "SiameseDistanceMetric",
    "OnlineContrastiveLoss": "SiameseDistanceMetric",
}
"""Losses and the class that holds their distances; the batch triplets share one, EmbedDistillLoss takes words."""


def resolve(cls: type[Any], arguments: Mapping[str, Any], option: str) -> dict[str, Any]:
    """`arguments` with the library's objects in place of their names.

    Raises `Refused` for a name that the library does not have, with the closest one.
    """
    return {name: _object(cls, name, value, f"{option}.{name}") for name, value in arguments.items()}


def fill(plan: Plan, model: Any, train: Dataset) -> dict[str, Any]:
    """Arguments that the plan leaves to model and data, those that were asked for excepted."""
    return {
        name: value
        for name in plan.loss.fills
        if name not in plan.loss.arguments and (value := _FILLED[name](plan, model, train)) is not None
    }


def _object(cls: type[Any], name: str, value: Any, option: str) -> Any:
    if name == "pos_weight" and isinstance(value, int | float):
        import torch

        return torch.tensor(float(value))
    found = _RESOLVED.get(name)
    if found is None or not isinstance(value, str | Mapping):
        return value
    return found(cls, value, option)


def _distance(cls: type[Any], value: Any, option: str) -> Any:
    if cls.__name__ == "EmbedDistillLoss":
        return value
    holder = _holder(cls, _DISTANCES.get(cls.__name__, "BatchHardTripletLossDistanceFunction"))
    names = {name.lower(): name for name in vars(holder) if not name.startswith("_")}
    short = {name.removesuffix("_distance"): full for name, full in names.items()}
    return getattr(holder, _known(str(value).lower(), {**names, **short}, option))


def _holder(cls: type[Any], name: str) -> Any:
    package = importlib.import_module(cls.__module__)
    return getattr(package, name, None) or getattr(importlib.import_module(cls.__module__.rsplit(".", 1)[0]), name)


def _similarity(cls: type[Any], value: Any, option: str) -> Any:
    from sentence_transformers import util

    names = {name: name for name in dir(util) if name.endswith(("_sim", "_score")) or name.startswith("maxsim")}
    return getattr(util, _known(str(value), names, option))


def _scheme(cls: type[Any], value: Any, option: str) -> Any:
    """A weighting scheme by its class name, or {class: NAME, argument: value}."""
    module = importlib.import_module("sentence_transformers.cross_encoder.losses")
    names = {name: name for name in dir(module) if name.endswith(("Scheme", "LambdaWeight"))}
    said = dict(value) if isinstance(value, Mapping) else {"class": value}
    return getattr(module, _known(str(said.pop("class", "")), names, option))(**said)


def _module(cls: type[Any], value: Any, option: str) -> Any:
    """A class of torch.nn, such as an activation or an inner loss."""
    from torch import nn

    names = {name: name for name in dir(nn) if isinstance(getattr(nn, name), type)}
    return getattr(nn, _known(str(value), names, option))()


def _regularizer(cls: type[Any], value: Any, option: str) -> Any:
    raise Refused(Problem("the regulariser is the library's FlopsLoss", option, "leave it out"))


def _known(value: str, names: Mapping[str, str], option: str) -> str:
    if value in names:
        return names[value]
    raise Refused(Problem(f"there is no '{value}'", option, did_you_mean(value, names, option + "={}")))


_RESOLVED: dict[str, Callable[[type[Any], Any, str], Any]] = {
    "distance_metric": _distance,
    "similarity_fct": _similarity,
    "weighting_scheme": _scheme,
    "lambda_weight": _scheme,
    "activation_fn": _module,
    "loss_fct": _module,
    "cos_score_transformation": _module,
    "document_regularizer": _regularizer,
    "query_regularizer": _regularizer,
}


def _pos_weight(plan: Plan, model: Any, train: Dataset) -> Any:
    """Negatives per positive, so that the rarer class counts as much as the other."""
    import torch

    labels = train["label"][:]
    positives = max(1, sum(labels))
    return torch.tensor(max(1, len(labels) - positives) / positives)


def _projection_dim(plan: Plan, model: Any, train: Dataset) -> int | None:
    """Size of the teacher's embeddings, where the student's are of another."""
    size = len(train[0]["embedding"])
    return None if size == model.get_embedding_dimension() else size


def _guide(plan: Plan, model: Any, train: Dataset) -> Any:
    from stbench.models.build import bi_encoder

    assert plan.loss.guide is not None
    return bi_encoder(plan.loss.guide, plan.device)


_FILLED: dict[str, Callable[[Plan, Any, Any], Any]] = {
    "pos_weight": _pos_weight,
    "num_labels": lambda plan, model, train: len(plan.data.mapped["train"].classes),
    "embedding_dimension": lambda plan, model, train: model.get_embedding_dimension(),
    "projection_dim": _projection_dim,
    "guide": _guide,
}
