"""Draws a sentence: the sampler is asked for one value after another, and only for those that can still become a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stbench.records.sweep_text import short_names
from stbench.sweep.jobs import in_words
from stbench.sweep.search.ground import Ground
from stbench.sweep.search.legal import Illegal, Legal
from stbench.sweep.search.space import Choice, Factor

LONGEST_NAME = 120


class Asked(Protocol):
    """What is needed of Optuna's trial."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...


@dataclass(frozen=True)
class Drawn:
    """A sentence to try."""

    words: tuple[str, ...]
    factors: Mapping[str, str]
    """What was drawn, by name, in the order in which it was said."""
    legal: Legal

    @property
    def says(self) -> str:
        """The factors, under names as short as they can be."""
        return in_words(dict(zip(short_names(list(self.factors)), self.factors.values(), strict=True)))


def draw(trial: Asked, ground: Ground) -> Drawn | Illegal:
    """Illegal only where combinations are not planned beforehand."""
    picked: dict[str, str] = {}
    for choice in ground.space.choices:
        if allowed := ground.allowed(choice, picked):
            picked[choice.name] = _choice(trial, choice, allowed)
    found = ground.of(picked)
    if isinstance(found, Illegal):
        return found
    numbers = {one.name: _quantity(trial, one) for one in ground.space.quantities if one.name in found.takes}
    values = {**found.picks, **numbers}
    return Drawn(tuple(ground.space.words(values)), ground.space.in_order(values), found)


def _choice(trial: Asked, choice: Choice, allowed: Sequence[str]) -> str:
    if len(allowed) == 1:
        return allowed[0]
    return str(trial.suggest_categorical(parameter(choice, allowed), list(allowed)))


def parameter(choice: Choice, allowed: Sequence[str]) -> str:
    """The name under which Optuna knows a choice.

    One name has one set of values there; fewer than all make another parameter, the same for all conditions that leave these.
    """
    if len(allowed) == len(choice.values):
        return choice.name
    name = f"{choice.name} [{'|'.join(allowed)}]"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{choice.name} [{len(allowed)} of {len(choice.values)}: {digest}]"


def _quantity(trial: Asked, factor: Factor) -> str:
    if isinstance(factor, Choice):
        return _choice(trial, factor, factor.values)
    if factor.whole:
        low, high, step = int(factor.low), int(factor.high), int(factor.step or 1)
        return factor.text(trial.suggest_int(factor.name, low, high, step=step, log=factor.log))
    return factor.text(trial.suggest_float(factor.name, factor.low, factor.high, step=factor.step, log=factor.log))
