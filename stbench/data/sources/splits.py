"""Which split of a data set plays train, validation and test."""

from __future__ import annotations

from collections.abc import Sequence

from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.suggest import closest
from stbench.data.sources.source import SPLITS, Note
from stbench.errors import Problem, Refused

USUAL_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "dev", "valid", "val", "eval", "development"),
    "test": ("test", "testing"),
}
"""What splits are called, by the part they play."""


def splits_of(choice: DatasetChoice, there: Sequence[str], where: str) -> dict[str, list[str]]:
    """Names of splits for train, validation and test: those that `choice` names, else those with a usual name.

    An empty list says that the data set is to be used without; a lone split is the training split unless its name says
    that it is held out.

    Raises `Refused` with every split that is named and not there, and when none is left.
    """
    found, problems = {}, []
    for split in SPLITS:
        said: list[str] | None = getattr(choice, split)
        found[split] = list(_usual(split, there)) if said is None else said
        problems += [_missing(split, name, there) for name in found[split] if name not in there]
    if not any(found.values()) and not problems:
        problems.append(untrainable(there, where))
    if problems:
        raise Refused(*problems)
    return found


def note_of(chosen: dict[str, list[str]], there: Sequence[str]) -> Note:
    """The line of the plan that says what was taken for what."""
    shown = "; ".join(f"{split} = {' + '.join(names)}" for split, names in chosen.items() if names)
    unused = [name for name in there if not any(name in names for names in chosen.values())]
    why = f"unused: {', '.join(unused)}; " if unused else ""
    return Note("taken as", shown, f"{why}dataset.train=SPLIT and so on say otherwise")


def _usual(split: str, there: Sequence[str]) -> list[str]:
    for name in USUAL_NAMES[split]:
        if name in there:
            return [name]
    held_out = {*USUAL_NAMES["validation"], *USUAL_NAMES["test"]}
    return list(there) if split == "train" and len(there) == 1 and there[0] not in held_out else []


def _missing(split: str, name: str, there: Sequence[str]) -> Problem:
    match = closest(name, there)
    mend = f"did you mean dataset.{split}={match}?" if match else f"splits: {', '.join(there)}"
    return Problem(f"there is no split '{name}'", f"dataset.{split}={name}", mend)


def untrainable(there: Sequence[str], where: str) -> Problem:
    """What to say where no split can be trained on."""
    match = closest("train", there) or there[0]
    return Problem(f"no split is called train (splits: {', '.join(there)})", where, f"name it: dataset.train={match}")
