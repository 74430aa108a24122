"""The options of the sweeper, checked: `hydra.sweeper.NAME=VALUE`."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.sweep.search.goal import OBJECTIVES
from stbench.sweep.search.kinds import CLASSES, SEQUENTIAL, Kind, Role, build, kind_of, problems_of

OPTION = "hydra.sweeper"


@dataclass(frozen=True)
class Settings:
    """How a search goes."""

    trials: int
    """Of the study in all: those of earlier commands count."""
    seed: int
    objectives: tuple[str, ...]
    sampler: Kind
    pruner: Kind
    batch: int | None = None
    """Trials at a time that another launcher than `local` is handed."""
    name: str | None = None
    """Of the study, where one of another name has the same space."""

    def seed_after(self, trials: int) -> int:
        """Of the sampler: one that goes on must not draw again what it began with."""
        return self.seed if self.sampler.name in SEQUENTIAL else self.seed + trials


def settings_of(said: Mapping[str, Any]) -> Settings:
    """The options as they stand in the configuration.

    Raises `Refused` with all that is wrong with them, or where Optuna is missing.
    """
    if importlib.util.find_spec("optuna") is None:
        raise Refused(Problem("Optuna is not installed", "hydra/sweeper=optuna", "pip install 'stbench[search]'"))
    problems = [*_numbers(said), *_objectives(said["objectives"])]
    number = len(said["objectives"]) if isinstance(said["objectives"], list) else 1
    kinds: dict[Role, Kind] = {}
    for role in CLASSES:
        try:
            kinds[role] = kind_of(role, said[role])
            problems += problems_of(kinds[role], number)
        except Refused as refusal:
            problems += refusal.problems
    if problems:
        raise Refused(*problems)
    for kind in kinds.values():
        build(kind, number)
    name = None if said["name"] is None else str(said["name"])
    sampler, seed = _seeded(kinds["sampler"], said["seed"])
    return Settings(said["trials"], seed, tuple(said["objectives"]), sampler, kinds["pruner"], said["batch"], name)


def _seeded(sampler: Kind, seed: int) -> tuple[Kind, int]:
    """A seed that is said of the sampler itself is that of the search."""
    others = {name: value for name, value in sampler.arguments.items() if name != "seed"}
    own = sampler.arguments.get("seed")
    return replace(sampler, arguments=others), seed if own is None else own


def _numbers(said: Mapping[str, Any]) -> Iterator[Problem]:
    for name, least in (("trials", 1), ("seed", 0), ("batch", 1)):
        value = said[name]
        if (value is None and name == "batch") or (type(value) is int and value >= least):
            continue
        what = f"it is a whole number from {least} upwards, not {value!r}"
        yield Problem(what, f"{OPTION}.{name}", f"{OPTION}.{name}={max(least, 20 if name == 'trials' else least)}")


def _objectives(said: Any) -> Iterator[Problem]:
    option = f"{OPTION}.objectives"
    if not isinstance(said, list) or not said or len(set(map(str, said))) < len(said):
        yield Problem("it is a list of different names", option, f"{option}=[{','.join(list(OBJECTIVES)[:2])}]")
        return
    for name in said:
        if name not in OBJECTIVES:
            mend = did_you_mean(str(name), OBJECTIVES, option + "=[{}]")
            yield Problem(f"there is no objective '{name}'", option, mend)
