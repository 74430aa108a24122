"""From the composed tree to a checked `Sentence`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from stbench.config.preflight import option_names
from stbench.config.sentence import Sentence
from stbench.config.suggest import closest
from stbench.errors import Problem, Refused

_NOT_OPTIONS = ("hydra", "experiment")


def checked(config: DictConfig) -> Sentence:
    """The sentence that `config` says.

    Raises `Refused` with every missing, unknown, mistyped and out-of-range value at once.
    """
    missing = OmegaConf.missing_keys(config)
    if missing:
        raise Refused(*(_missing(key) for key in sorted(missing)))
    try:
        tree = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise Refused(Problem(str(error).splitlines()[0], str(error.full_key or ""))) from None
    assert isinstance(tree, dict)
    return from_tree({str(key): value for key, value in tree.items() if key not in _NOT_OPTIONS})


def from_tree(tree: Mapping[str, Any]) -> Sentence:
    try:
        return Sentence.model_validate(tree)
    except ValidationError as error:
        raise Refused(*(_problem(dict(item)) for item in error.errors())) from None


def _missing(key: str) -> Problem:
    examples = {"dataset.train": "dataset.train=pairs.csv", "base_model.path": "base_model.path=DIR_OR_ID"}
    return Problem("this option needs a value", key, examples.get(key, f"{key}=…"))


def _problem(error: dict[str, Any]) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        match = closest(place, option_names())
        return Problem("there is no such option", place, f"did you mean {match}?" if match else "")
    message = error["msg"][0].lower() + error["msg"][1:]
    if error["type"] == "literal_error":
        match = closest(str(error["input"]), re.findall(r"'([^']+)'", error["msg"]))
        mend = f"did you mean {place}={match}?" if match else ""
        return Problem(f"{message}, not {error['input']!r}", place, mend)
    return Problem(f"{message}, not {error['input']!r}", place)
