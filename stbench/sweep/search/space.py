"""What a search draws from: the values of every option that was given several, in Hydra's own words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stbench.errors import Problem, Refused

LOG = "log"
"""The one tag that has a meaning: values are drawn evenly by their logarithm."""
LEVELS = 10_000
"""A number between two ends is rounded to about as many: what is finer changes no result, and fills every table."""
WHOLE_ENDS = re.compile(r"interval\((start=)?[+-]?\d+,(end=)?[+-]?\d+\)")
"""Hydra makes floats of them."""
EXAMPLE = "'training.learning_rate=tag(log,interval(1e-3,1e-1))'"


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    key: str
    """As it was said, with what stands before the name."""
    values: tuple[str, ...]
    is_group: bool = False

    @property
    def name(self) -> str:
        return self.key.lstrip("+~")

    @property
    def ends(self) -> tuple[str, str]:
        """The least and the greatest of numbers."""
        return min(self.values, key=float), max(self.values, key=float)

    @property
    def says(self) -> str:
        return ", ".join(self.values)


@dataclass(frozen=True)
class Number:
    """A number between two ends, both of which it may be."""

    key: str
    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def name(self) -> str:
        return self.key.lstrip("+~")

    @property
    def ends(self) -> tuple[str, str]:
        return self.text(self.low), self.text(self.high)

    @property
    def says(self) -> str:
        low, high = self.ends
        steps = f" in steps of {self.step:.12g}" if self.step and not (self.whole and self.step == 1) else ""
        return f"{low} … {high}{steps}{' (whole)' if self.whole else ''}{', by logarithm' if self.log else ''}"

    def text(self, value: float) -> str:
        """`value` as a word."""
        if self.whole:
            return str(round(value))
        rounded = value if self.step else min(max(self._rounded(value), self.low), self.high)
        return f"{rounded:.12g}"

    def _rounded(self, value: float) -> float:
        if self.log:
            return float(f"{value:.4g}")
        return round(value, math.ceil(math.log10(LEVELS / (self.high - self.low))))


Factor = Choice | Number


@dataclass(frozen=True)
class Space:
    """All factors of a search, and the words that every sentence has."""

    choices: tuple[Choice, ...]
    """Groups, then options whose values are words: what a sentence is made of depends on them."""
    quantities: tuple[Factor, ...]
    """Options whose values are numbers."""
    fixed: tuple[str, ...]
    said: tuple[str, ...]
    """Names of all factors, in the order in which they were said."""

    @property
    def combinations(self) -> int:
        """Of the choices."""
        return math.prod(len(choice.values) for choice in self.choices)

    @property
    def options(self) -> tuple[str, ...]:
        """Names of what can be left out of a sentence: a group always has a choice."""
        return tuple(factor.name for factor in (*self.choices, *self.quantities) if not _is_group(factor))

    def words(self, values: Mapping[str, str]) -> list[str]:
        """The sentence that has `values`, by name; factors without one are left out."""
        factors = (*self.choices, *self.quantities)
        return [*self.fixed, *(f"{one.key}={values[one.name]}" for one in factors if one.name in values)]

    def in_order(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: values[name] for name in self.said if name in values}


def space_of(overrides: Sequence[Any], is_group: Callable[[str], bool]) -> Space:
    """What Hydra's `overrides` say; of an option that is said twice the last counts.

    Raises `Refused` where nothing has several values, or where values cannot be drawn from.
    """
    last = list({one.get_key_element(): one for one in overrides}.values())
    factors = _factors([one for one in last if one.is_sweep_override()], is_group)
    several = [one for one in factors if len(_bounds(one)) > 1]
    if not several:
        mend = f"give an option several values, as in {EXAMPLE} or loss=A,B"
        raise Refused(Problem("there is nothing to search", mend=mend))
    fixed = [str(one.input_line) for one in last if not one.is_sweep_override()]
    fixed += [f"{one.key}={_bounds(one).pop()}" for one in factors if one not in several]
    choices = [one for one in several if isinstance(one, Choice) and not _is_numeric(one)]
    ordered = sorted(choices, key=lambda one: not one.is_group)
    rest = tuple(one for one in several if one not in choices)
    return Space(tuple(ordered), rest, tuple(fixed), tuple(one.name for one in several))


def _factors(swept: Sequence[Any], is_group: Callable[[str], bool]) -> list[Factor]:
    factors: list[Factor] = []
    problems: list[Problem] = []
    for one in swept:
        try:
            factors.append(_factor(one, is_group))
        except Refused as refusal:
            problems += refusal.problems
    if problems:
        raise Refused(*problems)
    return factors


def _bounds(factor: Factor) -> set[str]:
    """Different values: of a number its ends, of a choice all."""
    return set(factor.ends if isinstance(factor, Number) else factor.values)


def _is_group(factor: Factor) -> bool:
    return isinstance(factor, Choice) and factor.is_group


def _is_numeric(choice: Choice) -> bool:
    try:
        return not choice.is_group and all(math.isfinite(float(value)) for value in choice.values)
    except ValueError:
        return False


def _factor(one: Any, is_group: Callable[[str], bool]) -> Factor:
    tags, line = set(getattr(one.value(), "tags", ())), str(one.input_line)
    if unknown := sorted(tags - {LOG}):
        raise Refused(Problem(f"there is no tag '{unknown[0]}'", line, "tag(log, …) is the only one"))
    if one.is_interval_sweep():
        return _interval(one, LOG in tags, line)
    values = list(dict.fromkeys(one.sweep_string_iterator()))
    if not values:
        raise Refused(Problem("no value is left to choose from", line, "say another pattern or range"))
    if one.is_range_sweep():
        return _range(one, LOG in tags, line)
    if LOG in tags:
        raise Refused(Problem("a choice has no logarithm", line, "leave the tag out, or say an interval"))
    return Choice(one.get_key_element(), tuple(values), is_group(one.key_or_group))


def _interval(one: Any, log: bool, line: str) -> Number:
    low, high = one.value().start, one.value().end
    whole = isinstance(low, int) or (bool(WHOLE_ENDS.search(line.replace(" ", ""))) and "float(" not in line)
    if not low < high:
        raise Refused(Problem("an interval goes from a smaller number to a larger one", line, f"{high:g},{low:g}"))
    _check_log(log, low, line)
    return Number(one.get_key_element(), low, high, log=log, whole=whole)


def _range(one: Any, log: bool, line: str) -> Number:
    said = one.value()
    values = list(said.range())
    low, step = min(values), abs(said.step)
    whole = all(isinstance(value, int) for value in values) and isinstance(step, int)
    if log and not (whole and step == 1):
        mend = "say tag(log, interval(LOW, HIGH)), or leave the tag out"
        raise Refused(Problem("equal steps are none by the logarithm", line, mend))
    _check_log(log, low, line)
    return Number(one.get_key_element(), low, max(values), None if log else step, log, whole)


def _check_log(log: bool, low: float, line: str) -> None:
    if log and low <= 0:
        raise Refused(Problem(f"{low:g} has no logarithm", line, "begin above 0, or leave the tag out"))
