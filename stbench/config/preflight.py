"""The command line, checked before Hydra sees it: flags, groups, choices and option names, all problems at once.

It also puts three short forms into Hydra's own: `base_model=DIR_OR_ID` names a folder or Hub id directly, options
of the library (`training.extra.NAME`, `loss.arguments.NAME`) need no leading `+`, and flags may stand anywhere.
"""

from __future__ import annotations

import re
import types
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Union, get_args, get_origin

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, Quote, QuotedString
from hydra.errors import HydraException
from pydantic import BaseModel

from stbench.config.aliases import NAMED_BY_CLASS, by_class
from stbench.config.discovery import Choice, choices
from stbench.config.mixture import spelled_out
from stbench.config.runs import as_list
from stbench.config.secrets import shelter
from stbench.config.sentence import Sentence
from stbench.config.suggest import closest, did_you_mean
from stbench.errors import Problem, Refused

OPEN = (
    "loss.arguments.", "modifier.arguments.", "training.extra.", "dataset.parts.", "hydra.sweeper.sampler.",
    "hydra.sweeper.pruner.",
)  # fmt: skip
"""Options under these prefixes have no fixed names: they are the library's own, or those of parts with names of their own."""
VERBATIM = re.compile(
    r"dataset\.(.+\.)?(connection|query|validation_query|test_query)|(.+\.)?prompts\.(query|document|text)"
)
"""Options whose value is taken as it stands: SQL is full of what Hydra's grammar would read as its own, prompts end in a blank."""
FILE_ONLY = ("summary", "suggests", "new_head")
"""What only the files of a group say: on the command line the option itself can be said."""


@dataclass(frozen=True)
class Vocabulary:
    """Every word a command line may use."""

    groups: dict[str, dict[str, Choice]]
    options: frozenset[str]

    @property
    def heads(self) -> list[str]:
        """Groups, and the options that stand alone."""
        return [*self.groups, *(option for option in self.options if option.partition(".")[0] not in self.groups)]


def option_names(
    model: type[BaseModel] = Sentence, prefix: str = "", hidden: Sequence[str] = FILE_ONLY
) -> Iterator[str]:
    """All option names with dots, in the order in which they are declared, without those in `hidden`."""
    for name, field in model.model_fields.items():
        inner = _group_type(field.annotation)
        if name in hidden:
            continue
        if inner is None:
            yield f"{prefix}{field.alias or name}"
        else:
            yield from option_names(inner, f"{prefix}{name}.", hidden)


def arguments(argv: Sequence[str]) -> Namespace:
    """Flags and overrides of `argv`, as Hydra understands them, flags anywhere among the overrides.

    Raises `Refused` for a flag that does not exist or has a wrong value.
    """
    parser = get_args_parser()
    flags = [flag for action in parser._actions for flag in action.option_strings]

    def refuse(message: str) -> NoReturn:
        raise Refused(*_wrong_flags(message, flags))

    parser.error = refuse
    said: Namespace = parser.parse_intermixed_args(list(argv))
    return said


def check(argv: Sequence[str]) -> list[str]:
    """`argv` as Hydra takes it, flags first.

    Raises `Refused` with every unknown flag, group, choice and option, each with the closest known name.
    """
    argv = shelter(argv)
    said = arguments(argv)
    if said.shell_completion:
        return list(argv)
    vocabulary = Vocabulary(_choices(said), frozenset(option_names()))
    full = spelled_out([form for text in said.overrides for form in _full_forms(text, vocabulary)])
    many = said.multirun or any(text.startswith("hydra.mode=") for text in full)
    problems = [problem for text in full for problem in _problems(text, vocabulary, many)]
    if problems:
        raise Refused(*problems)
    return [*(word for word in argv if word not in said.overrides), *full]


def listed(argv: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Choice]]]:
    """(the words of `argv` that are no flags, all choices by group)."""
    said = arguments(argv)
    return list(said.overrides), _choices(said)


def _wrong_flags(message: str, flags: Sequence[str]) -> Iterator[Problem]:
    argument, _, what = message.partition(": ")
    if argument == "unrecognized arguments":
        known = [flag[2:] for flag in flags if flag.startswith("--")]
        for flag in what.split():
            yield Problem(f"there is no flag {flag}", mend=did_you_mean(flag.strip("-"), known, "--{}"))
    elif wrong := re.match(r"invalid choice: '(.*?)' \(choose from (.*)\)", what):
        flag = argument.removeprefix("argument ").split("/")[0]
        known = [name.strip(" '") for name in wrong[2].split(",")]
        yield Problem(f"there is no '{wrong[1]}'", flag, did_you_mean(wrong[1], known, flag + " {}"))
    else:
        yield Problem(what or message, argument.removeprefix("argument "), "see python -m stbench --hydra-help")


def _choices(said: Namespace) -> dict[str, dict[str, Choice]]:
    if said.config_dir is None:
        return choices()
    folder = Path(said.config_dir)
    if not folder.is_dir():
        siblings = [item.name for item in folder.parent.iterdir()] if folder.parent.is_dir() else []
        match = closest(folder.name, siblings)
        mend = (
            f"did you mean --config-dir {folder.with_name(match)}?"
            if match
            else "give a folder with groups in it, as conf has"
        )
        raise Refused(Problem("there is no such folder", f"--config-dir {said.config_dir}", mend))
    return choices(folder.resolve())


def _group_type(annotation: Any) -> type[BaseModel] | None:
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return next((item for item in options if isinstance(item, type) and issubclass(item, BaseModel)), None)


def _full_forms(text: str, vocabulary: Vocabulary) -> list[str]:
    key, _, value = text.partition("=")
    if VERBATIM.fullmatch(key) and value != "null" and value[:1] not in "\"'":
        text = f"{key}={_quoted(value)}"
    if f"{key}.".startswith(OPEN):
        return [f"++{text}"]
    if key == "runs":
        return [f"runs={as_list(value)}"]
    if key in NAMED_BY_CLASS:
        return [f"{key}={by_class(key, value)}"] if value else [text]
    named = key != "base_model" or "," in value or value in vocabulary.groups[key]
    if not named and ("/" in value or Path(value).is_dir()):
        return ["base_model=path", f"base_model.path={_quoted(value)}"]
    return [text]


def _quoted(value: str) -> str:
    """`value` as one word of Hydra's grammar, whatever characters a path may have."""
    if re.fullmatch(r"[\w./@~-]+", value) and not value.isdigit():
        return value
    return str(QuotedString(value, Quote.double).with_quotes())


def _problems(text: str, vocabulary: Vocabulary, many: bool) -> Iterable[Problem]:
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException:
        yield _unreadable(text, vocabulary)
        return
    key = override.key_or_group
    if key.split(".")[0].split("/")[0] == "hydra" or key.startswith(OPEN):
        return
    unknown = list(_unknown(override, vocabulary))
    yield from unknown
    if not unknown and override.is_sweep_override() and not many:
        mend = "add -m to run each of them" + ("" if key in vocabulary.groups else "; a list is written [A,B]")
        yield Problem("one run takes one value", text, mend)


def _unreadable(text: str, vocabulary: Vocabulary) -> Problem:
    key, equals, value = text.partition("=")
    if not equals:
        group = next((name for name, known in vocabulary.groups.items() if text in known), None)
        mend = f"did you mean {group}={text}?" if group else f"options are written NAME=VALUE, as in {text}=…"
        return Problem(f"'{text}' has no value", mend=mend)
    return Problem(f"the value {value!r} cannot be read", key, f"quote it: '{key}=\"{value}\"'")


def _unknown(override: Override, vocabulary: Vocabulary) -> Iterable[Problem]:
    key, text = override.key_or_group, str(override.input_line)
    if key not in vocabulary.groups and key not in vocabulary.options:
        yield _unknown_key(key, text, vocabulary)
    elif override.is_delete():
        yield Problem("options cannot be taken away", text, f"say what it is to be instead: {key}=…")
    elif override.package is not None:
        yield Problem(
            f"'@{override.package}' has no meaning here", text, f"did you mean {key}={text.partition('=')[2]}?"
        )
    elif key in vocabulary.groups:
        yield from _unknown_choices(override, vocabulary.groups[key])


def _unknown_choices(override: Override, known: dict[str, Choice]) -> Iterable[Problem]:
    key = override.key_or_group
    if isinstance(override.value(), list):
        yield Problem(f"one {key} at a time", str(override.input_line), f"{key}=A,B -m runs each")
        return
    for name in _names(override.value(), known):
        if name not in known:
            yield Problem(f"there is no {key} called '{name}'", f"{key}={name}", did_you_mean(name, known, key + "={}"))
        elif known[name].hides:
            hidden = known[name].hides[0]
            mend = f"give the file another name, such as {hidden.with_stem('my_' + hidden.stem)}"
            yield Problem(f"{hidden} is not used: stbench has a {key} of that name", f"{key}={name}", mend)


def _names(value: Any, known: Iterable[str]) -> list[str]:
    """The choices that a value names; a pattern that fits none stands for itself."""
    if isinstance(value, Glob):
        return list(value.filter(list(known)) or value.include)
    if isinstance(value, ChoiceSweep):
        return [item.text if isinstance(item, QuotedString) else str(item) for item in value.list]
    return ["" if value is None else str(value)]


def _unknown_key(key: str, text: str, vocabulary: Vocabulary) -> Problem:
    value = text.split("=", 1)[-1]
    group, _, option = key.partition(".")
    if option and group in vocabulary.groups:
        inside = [name.removeprefix(group + ".") for name in vocabulary.options if name.startswith(group + ".")]
        match = closest(option, inside)
        offer = (
            f"did you mean {group}.{match}={value}?" if match else f"options of {group}: {', '.join(sorted(inside))}"
        )
        if group == "training":
            offer += f" (any argument of the library: training.extra.{option}={value})"
        return Problem(f"there is no option '{key}'", text, offer)
    match = closest(key, [*vocabulary.groups, *vocabulary.options])
    if match:
        return Problem(f"there is no group or option '{key}'", text, f"did you mean {match}={value}?")
    offer = f"choose one of: {', '.join(sorted(vocabulary.heads))} (python -m stbench list shows what each takes)"
    return Problem(f"there is no group or option '{key}'", text, offer)
