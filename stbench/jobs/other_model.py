"""The model that an evaluation compares with: another run, a choice of `base_model`, a folder or a Hub id."""

from __future__ import annotations

from pathlib import Path

from stbench.config.discovery import choices, load
from stbench.config.sentence import BaseModelChoice, Model, Sentence
from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.models.base import Base
from stbench.models.choose import EXPERIMENTS, base_of


def other_model(name: str, sentence: Sentence, option: str) -> tuple[Sentence, Base]:
    """(the sentence about the model called `name`, that model as its files describe it).

    Its type is the one it was saved as (a plain transformer with a head is a cross-encoder), and what was said of the architecture of the first model is not said of it.
    Raises `Refused` when there is no such model.
    """
    choice, known = _choice(name), choices()["base_model"]
    if choice is None:
        runs = [folder.name for folder in EXPERIMENTS.glob("*") if (folder / "model").is_dir()]
        what = "this run has left no model" if (EXPERIMENTS / name).is_dir() else f"there is no model called '{name}'"
        raise Refused(Problem(what, f"{option}={name}", did_you_mean(name, [*runs, *known], option + "={}")))
    base = base_of(name, choice)
    type_ = base.type or ("cross_encoder" if base.trained_head else sentence.model.type)
    model = sentence.model if type_ == sentence.model.type else Model.model_validate(load("model", type_)["model"])
    return sentence.model_copy(update={"base_model": choice, "model": model}), base


def _choice(name: str) -> BaseModelChoice | None:
    if (EXPERIMENTS / name / "model").is_dir():
        return BaseModelChoice(run=name)
    if name in choices()["base_model"]:
        found = load("base_model", name)
        return None if "???" in found.values() else BaseModelChoice.model_validate(found)
    return BaseModelChoice(path=name) if "/" in name or Path(name).is_dir() else None
