"""From the composed tree to a checked `Sentence`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from stbench.config.mixture import expanded, with_part, without_part
from stbench.config.preflight import option_names
from stbench.config.runs import readable
from stbench.config.secrets import redacted
from stbench.config.sentence import Sentence
from stbench.config.suggest import closest, did_you_mean
from stbench.errors import Problem, Refused

_NOT_OPTIONS = ("hydra", "experiment")


def checked(config: DictConfig) -> Sentence:
    """The sentence that `config` says.

    Raises `Refused` with every missing, unknown, mistyped and out-of-range value at once.
    """
    try:
        config = expanded(config)
        missing = OmegaConf.missing_keys(config)
        tree = OmegaConf.to_container(config, resolve=not missing)
    except OmegaConfBaseException as error:
        raise Refused(_unresolved(error)) from None
    if missing:
        raise Refused(*(_missing(key) for key in sorted(missing)))
    assert isinstance(tree, dict)
    return readable(from_tree({str(key): value for key, value in tree.items() if key not in _NOT_OPTIONS}))


def _unresolved(error: OmegaConfBaseException) -> Problem:
    what, where = str(error).splitlines()[0], str(error.full_key or "")
    if variable := re.search(r"Environment variable '(\w+)' not found", what):
        name = variable[1]
        return Problem(f"the environment has no variable {name}", where, f"export {name}=…")
    return Problem(what, where, "the value refers to an option that there is not")


def from_tree(tree: Mapping[str, Any]) -> Sentence:
    try:
        return Sentence.model_validate(tree)
    except ValidationError as error:
        raise Refused(*(_problem(dict(item)) for item in error.errors())) from None


def _missing(key: str) -> Problem:
    examples = {
        "dataset.train": "dataset.train=pairs.csv",
        "dataset.path": "dataset.path=DIR",
        "dataset.connection": "dataset.connection=sqlite:///pairs.db",
        "dataset.query": 'dataset.query="SELECT question, answer FROM pairs"',
        "base_model.path": "base_model.path=DIR_OR_ID",
        "base_model.run": "base_model.run=NAME, a folder in experiments",
    }
    prefix, plain = without_part(key)
    return Problem("this option needs a value", key, with_part(prefix, examples.get(plain, f"{plain}=…")))


def _problem(error: dict[str, Any]) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return _missing(place)
    if error["type"] == "extra_forbidden":
        prefix, plain = without_part(place)
        match = closest(plain, option_names(hidden=()))
        return Problem("there is no such option", place, f"did you mean {with_part(prefix, match)}?" if match else "")
    message = error["msg"][0].lower() + error["msg"][1:]
    return Problem(f"{message}, not {redacted(repr(error['input']))}", place, _mend(place, error))


def _mend(place: str, error: Mapping[str, Any]) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return did_you_mean(str(error["input"]), re.findall(r"'([^']+)'", error["msg"]), f"{place}={{}}")
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"{place}={limits.get('ge', limits.get('le'))}"
    examples = {"int_": "a whole number such as 10", "float_": "a number such as 0.1", "bool_": "true or false"}
    example = next((text for start, text in examples.items() if kind.startswith(start)), "a value such as 0.1")
    return f"give {place} {example}"
