"""The command line, checked before Hydra sees it: groups, choices and option names, all problems at once.

It also puts three short forms into Hydra's own: `base_model=DIR_OR_ID` names a folder or Hub id directly, and
options of the library (`training.extra.NAME`, `loss.arguments.NAME`) need no leading `+`.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import OverrideParseException
from pydantic import BaseModel

from stbench.config.discovery import Choice, choices
from stbench.config.sentence import Sentence
from stbench.config.suggest import closest, did_you_mean
from stbench.errors import Problem, Refused

OPEN = ("loss.arguments.", "training.extra.")
"""Options under these prefixes are the library's own and have no fixed names."""


@dataclass(frozen=True)
class Vocabulary:
    """Every word a command line may use."""

    groups: dict[str, dict[str, Choice]]
    options: frozenset[str]

    @property
    def keys(self) -> list[str]:
        return [*self.groups, *self.options]


def option_names(model: type[BaseModel] = Sentence, prefix: str = "") -> Iterator[str]:
    """All option names with dots, in the order in which they are declared."""
    for name, field in model.model_fields.items():
        inner = _group_type(field.annotation)
        if inner is None:
            yield f"{prefix}{field.alias or name}"
        else:
            yield from option_names(inner, f"{prefix}{name}.")


def check(argv: Sequence[str]) -> list[str]:
    """`argv` as Hydra takes it.

    Raises `Refused` with every unknown group, choice and option, each with the closest known name.
    """
    arguments = get_args_parser().parse_args(list(argv))
    extra = [Path(arguments.config_dir)] if arguments.config_dir else []
    vocabulary = Vocabulary(choices(*extra), frozenset(option_names()))
    full: dict[str, list[str]] = {text: _full_forms(text, vocabulary) for text in arguments.overrides}
    problems = [problem for texts in full.values() for text in texts for problem in _problems(text, vocabulary)]
    if problems:
        raise Refused(*problems)
    return [form for word in argv for form in full.get(word, [word])]


def _group_type(annotation: Any) -> type[BaseModel] | None:
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return next((item for item in options if isinstance(item, type) and issubclass(item, BaseModel)), None)


def _full_forms(text: str, vocabulary: Vocabulary) -> list[str]:
    key, _, value = text.partition("=")
    if key.startswith(OPEN):
        return [f"++{text}"]
    if key == "base_model" and "," not in value and value not in vocabulary.groups["base_model"]:
        if "/" in value or Path(value).is_dir():
            return ["base_model=path", f"base_model.path={value}"]
    return [text]


def _problems(text: str, vocabulary: Vocabulary) -> Iterable[Problem]:
    if text.startswith("-"):
        yield Problem(f"there is no flag {text.split('=')[0]}", mend="see python -m stbench --help")
        return
    try:
        override = OverridesParser.create().parse_override(text)
    except OverrideParseException:
        yield _unreadable(text)
        return
    yield from _unknown(override, vocabulary)


def _unreadable(text: str) -> Problem:
    if "=" not in text:
        return Problem(f"'{text}' has no value", mend=f"options are written NAME=VALUE, as in {text}=…")
    key, value = text.split("=", 1)
    return Problem(f"the value {value!r} cannot be read", key, f"quote it: '{key}=\"{value}\"'")


def _unknown(override: Override, vocabulary: Vocabulary) -> Iterable[Problem]:
    key = override.key_or_group
    if key.split(".")[0].split("/")[0] == "hydra" or key.startswith(OPEN):
        return
    if key in vocabulary.groups:
        yield from _unknown_choices(override, vocabulary.groups[key])
    elif key not in vocabulary.options:
        yield _unknown_key(key, str(override.input_line), vocabulary)


def _unknown_choices(override: Override, known: dict[str, Choice]) -> Iterable[Problem]:
    for name in _names(override.value()):
        if name not in known:
            key = override.key_or_group
            yield Problem(f"there is no {key} called '{name}'", f"{key}={name}", did_you_mean(name, known, key + "={}"))


def _names(value: Any) -> list[str]:
    if isinstance(value, ChoiceSweep):
        return [str(item) for item in value.list]
    return [value] if isinstance(value, str) else []


def _unknown_key(key: str, text: str, vocabulary: Vocabulary) -> Problem:
    value = text.split("=", 1)[-1]
    group, _, option = key.partition(".")
    if option and group in vocabulary.groups:
        inside = [name for name in vocabulary.options if name.startswith(group + ".")]
        match = closest(key, inside)
        offer = f"did you mean {match}={value}?" if match else f"options of {group}: {', '.join(_short(inside))}"
        if group == "training":
            offer += f" (any argument of the library: training.extra.{option}={value})"
        return Problem(f"there is no option '{key}'", text, offer)
    return Problem(f"there is no group or option '{key}'", text, did_you_mean(key, vocabulary.keys, "{}=" + value))


def _short(names: Iterable[str]) -> list[str]:
    return sorted(name.partition(".")[2] for name in names)
