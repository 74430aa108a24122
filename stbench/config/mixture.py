"""The parts of a mixture, filled up from the files that they name before the sentence is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from stbench.config.aliases import by_class
from stbench.config.discovery import choices, load
from stbench.config.sentence import Part, PartLoss
from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused

PARTS = "dataset.parts"
_NAME = re.compile(r"[A-Za-z]\w*")


def expanded(config: DictConfig) -> DictConfig:
    """`config` with everything that the choices named in `dataset.parts` say written out.

    A part may be a name (`docs: python_docs`), and so may its loss. Raises `Refused` with all names that there are not.
    """
    parts = _raw(config)
    if not parts:
        return config
    if problems := list(_problems(parts)):
        raise Refused(*problems)
    whole = config.copy()
    with open_dict(whole):
        regularizers = OmegaConf.select(whole, "loss.regularizers")
        whole.dataset.parts = {name: _data_set(_named(part), regularizers) for name, part in parts.items()}
    return whole


def without_part(option: str) -> tuple[str, str]:
    """(what the options of a part begin with, the name that `option` has for a single data set); ("", `option`) for others."""
    found = re.match(r"dataset\.parts\.\w+\.(?=\w)", option)
    if found is None:
        return "", option
    rest = option[found.end() :]
    return found[0], rest if rest.startswith(("loss.", "prompts.")) else f"dataset.{rest}"


def with_part(prefix: str, option: str) -> str:
    """The inverse of `without_part`."""
    return prefix + option.removeprefix("dataset.") if prefix else option


def spelled_out(words: Sequence[str]) -> list[str]:
    """`words` with `PART=NAME` and `PART.loss=NAME` as `….use=NAME` where other words change what is named there."""
    return [_with_use(word, words) for word in words]


def _with_use(word: str, words: Sequence[str]) -> str:
    found = re.fullmatch(r"(\+\+dataset\.parts\.\w+(?:\.loss)?)=([\w/]+)", word)
    changed = found is not None and any(other.startswith(f"{found[1]}.") for other in words)
    return f"{found[1]}.use={found[2]}" if found and changed else word


def told(problem: Problem, part: str) -> Problem:
    """`problem` of the data set `part` with the options under the names that they have in the mixture."""
    where = re.sub(r"^dataset$", f"{PARTS}.{part}", at_part(problem.where, part))
    where = where if PARTS in where else f"{part}: {where}"
    return Problem(at_part(problem.what, part), where, at_part(problem.mend, part))


def at_part(text: str, part: str) -> str:
    """`text` with the options of a data set under the names that they have in the mixture."""
    text = re.sub(r"(?<![\w.])dataset=", f"{PARTS}.{part}.use=", text)
    return re.sub(r"(?<![\w.])dataset\.(?!parts\.)(?=\w)", f"{PARTS}.{part}.", text)


@contextmanager
def telling(part: str) -> Iterator[None]:
    """Refusals inside are told of the data set `part`; empty: of a single one, as they are."""
    try:
        yield
    except Refused as refusal:
        if not part:
            raise
        raise Refused(*(told(problem, part) for problem in refusal.problems)) from refusal


def _raw(config: DictConfig) -> dict[str, Any]:
    dataset = config.get("dataset")
    parts = dataset.get("parts") if isinstance(dataset, DictConfig) else None
    if not isinstance(parts, DictConfig):
        return {}
    plain = OmegaConf.to_container(parts)
    assert isinstance(plain, dict)
    return {str(name): part for name, part in plain.items()}


def _named(part: Any) -> dict[str, Any]:
    return {"use": part} if isinstance(part, str) else dict(part)


def _data_set(part: dict[str, Any], regularizers: Any) -> dict[str, Any]:
    name = part.get("use") or part.get("source") or "files"
    given: dict[str, Any] = {"use": name}
    if part.get("loss") is not None:
        given["loss"] = _loss(_named(part["loss"]), regularizers)
    if part.get("evaluator") is not None:
        given["evaluator"] = by_class("evaluator", part["evaluator"])
    own = {option: value for option, value in part.items() if option not in given}
    return {**_merged(load("dataset", name), own), **given}


def _loss(loss: dict[str, Any], regularizers: Any) -> dict[str, Any]:
    name = by_class("loss", loss["use"])
    # Those of the sentence hold for the whole model.
    return _merged({"regularizers": regularizers} if regularizers else {}, load("loss", name), {**loss, "use": name})


def _merged(*trees: Mapping[str, Any]) -> dict[str, Any]:
    merged = OmegaConf.to_container(OmegaConf.merge(*trees))
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items()}


def _problems(parts: Mapping[str, Any]) -> Iterator[Problem]:
    for name, part in parts.items():
        where = f"{PARTS}.{name}"
        if not _NAME.fullmatch(name):
            plain = re.sub(r"\W+", "_", name)
            mend = f"call it {plain}" if _NAME.fullmatch(plain) else "call it by a word"
            yield Problem("names of parts are letters, digits and _", where, mend)
        if not isinstance(part, str | Mapping):
            yield Problem(f"{part!r} is no data set", where, f"{where}.use=NAME, or {where}.train=FILE")
            continue
        said = _named(part)
        yield from _unknown_data_set(where, said)
        yield from _unknown_options(where, said, list(Part.model_fields))
        yield from _unknown_loss(f"{where}.loss", said.get("loss"))
        if said.get("evaluator") is not None:
            yield from _unknown_choice("evaluator", said["evaluator"], f"{where}.evaluator")


def _unknown_data_set(where: str, part: Mapping[str, Any]) -> Iterator[Problem]:
    name = part.get("use", part.get("source", "files"))
    known = [choice for choice in choices()["dataset"] if load("dataset", choice).get("source") != "mixture"]
    if name in choices()["dataset"] and name not in known:
        mend = f"name its parts here, or one of: {', '.join(known)}"
        yield Problem("a mixture cannot be part of another", f"{where}.use={name}", mend)
    elif name not in known:
        mend = did_you_mean(str(name), known, where + ".use={}")
        yield Problem(f"there is no dataset called '{name}'", f"{where}.use={name}", mend)


def _unknown_loss(where: str, loss: Any) -> Iterator[Problem]:
    if loss is None:
        return
    if not isinstance(loss, str | Mapping) or not _named(loss).get("use"):
        yield Problem("it does not say which loss", where, f"{where}.use=contrastive")
        return
    yield from _unknown_choice("loss", _named(loss)["use"], where)
    yield from _unknown_options(where, _named(loss), list(PartLoss.model_fields))


def _unknown_choice(group: str, name: Any, where: str) -> Iterator[Problem]:
    known = choices()[group]
    if by_class(group, str(name)) not in known:
        mend = did_you_mean(str(name), known, where + "={}")
        yield Problem(f"there is no {group} called '{name}'", f"{where}={name}", mend)


def _unknown_options(where: str, said: Mapping[str, Any], known: Sequence[str]) -> Iterator[Problem]:
    for name in said:
        if name not in known:
            mend = did_you_mean(str(name), [name for name in known if name != "summary"], f"{where}.{{}}=…")
            yield Problem(f"there is no option '{name}' here", f"{where}.{name}", mend)
