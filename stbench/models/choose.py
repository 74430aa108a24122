"""The base model that a sentence names: a choice of `base_model`, another run, or static embeddings made of a model."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from stbench.config.discovery import choices, load
from stbench.config.sentence import BaseModelChoice
from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.models.base import Base, locate
from stbench.models.prompts import Prompts

EXPERIMENTS = Path("experiments")
_NEED_MORE = ("path", "from_run")
"""Choices that stand for nothing without a second option."""


def base_of(name: str, choice: BaseModelChoice) -> Base:
    """The base model of a choice, described by its files.

    Raises `Refused` when there is no such model, or nothing static can be made of it.
    """
    if choice.static is not None:
        return _static(name, choice)
    if choice.run is not None:
        return locate(choice.run, None, str(_model_of_run(choice.run)), None, None)
    shown = Path(choice.path).name if choice.path else name
    base = locate(shown, choice.package, choice.path, choice.hub, choice.revision)
    family = choice.suggests.prompts
    return base if base.prompts else replace(base, family=Prompts(family.query, family.document, family.text))


def named_base(name: str, option: str) -> Base:
    """A base model named inside an option: a choice of `base_model`, a folder or a Hub id."""
    known = choices()["base_model"]
    if name in known and name not in _NEED_MORE:
        return base_of(name, BaseModelChoice.model_validate(load("base_model", name)))
    if "/" not in name:
        offered = [choice for choice in known if choice not in _NEED_MORE]
        mend = did_you_mean(name, offered, option + "={}")
        raise Refused(Problem(f"there is no base model called '{name}'", f"{option}={name}", mend))
    return locate(Path(name).name, None, name, None, None)


def _model_of_run(run: str) -> Path:
    model = EXPERIMENTS / run / "model"
    if model.is_dir():
        return model
    finished = [folder.parent.name for folder in EXPERIMENTS.glob("*/model") if folder.is_dir()]
    where = f"base_model.run={run}"
    if not finished:
        raise Refused(Problem("no run has left a model here", where, "train one first, or name a base_model"))
    what = "this run has left no model" if (EXPERIMENTS / run).is_dir() else "there is no such run"
    raise Refused(Problem(what, where, did_you_mean(run, finished, "base_model.run={}")))


def _static(name: str, choice: BaseModelChoice) -> Base:
    source = named_base(choice.source or "", "base_model.from")
    where = f"base_model.from={choice.source}"
    if choice.static == "distilled":
        _can_be_distilled(source, where)
    dims = choice.dims or source.dimensions
    if choice.static == "distilled" and dims > source.dimensions:
        what = f"{source.name} has {source.dimensions} dimensions, and distillation adds none"
        raise Refused(Problem(what, f"base_model.dims={dims}", f"base_model.dims={source.dimensions}"))
    return replace(
        source, name=f"{name} of {source.name}", architecture="static", modules=("StaticEmbedding",),
        type="sentence_transformer", static=choice.static, source=source, dimensions=dims, projected=None,
        parameters=source.vocabulary * dims, stored="F32", max_tokens=None, positions=None, layers=0, attention_heads=0,
        mlm_head=False, trained_head=False, tensors={}, prompts=Prompts(),
        family=Prompts(),
    )  # fmt: skip


def _can_be_distilled(source: Base, where: str) -> None:
    if source.architecture == "static":
        raise Refused(Problem(f"{source.name} is static already", where, f"base_model={source.name}"))
    if any(importlib.util.find_spec(package) is None for package in ("model2vec", "skeletoken")):
        what = "distillation needs the packages model2vec and skeletoken"
        raise Refused(Problem(what, where, "pip install 'stbench[distill]'"))
