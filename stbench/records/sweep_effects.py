"""What each swept option did to the score: means of its levels, like with like where the sweep allows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from stbench.verdict.judge import none_for_nan
from stbench.verdict.statistics import ROUNDING

NOMINAL = ("seed",)
"""Options whose numbers are names: nothing lies between two seeds."""
FEW = 6
"""Levels that say something with one run each."""


@dataclass(frozen=True)
class Point:
    """One finished run: what was swept, and what came of it."""

    factors: Mapping[str, str]
    score: float


@dataclass(frozen=True)
class Level:
    """One value of an option."""

    name: str
    scores: tuple[float, ...]
    """Of all runs that have it."""
    mean: float
    """Over `counted` of them; nan where none came to its end."""
    counted: int
    best: float


@dataclass(frozen=True)
class Effect:
    """One swept option."""

    factor: str
    levels: tuple[Level, ...]
    """By number where they are quantities, else as they were said."""
    numeric: bool
    blocks: int
    """Combinations of the other options that finished at every level, over which the means are; 0: there is none."""
    share: float | None = None
    """Of the variance of the scores in these blocks; None where one block, or none, cannot tell."""
    greater_is_better: bool = True

    @property
    def present(self) -> tuple[Level, ...]:
        return tuple(level for level in self.levels if level.scores)

    @property
    def best(self) -> Level:
        """That of the best run."""
        return (max if self.greater_is_better else min)(self.present, key=lambda level: level.best)

    @property
    def balanced(self) -> bool:
        return self.blocks > 0

    @property
    def runs(self) -> int:
        return sum(len(level.scores) for level in self.levels)

    @property
    def counted(self) -> int:
        return sum(level.counted for level in self.levels)

    @property
    def scattered(self) -> bool:
        """Whether every run has a value of its own among others that vary, as in a search: no level has a mean."""
        return not self.balanced and self.runs == len(self.present) > FEW

    @property
    def spread(self) -> float:
        """Between the highest mean and the lowest."""
        means = [level.mean for level in self.present]
        return max(means) - min(means)

    def as_dict(self) -> dict[str, Any]:
        return {
            "option": self.factor, "numeric": self.numeric, "balanced": self.balanced, "combinations": self.blocks,
            "spread": self.spread, "share_of_variance": self.share,
            "levels": [{**none_for_nan(asdict(level)), "scores": list(level.scores)} for level in self.levels],
        }  # fmt: skip


def effects(
    points: Sequence[Point], levels: Mapping[str, Sequence[str]], *, greater_is_better: bool = True
) -> tuple[Effect, ...]:
    """Of every option that finished at two levels or more, the one that matters most first.

    `levels` are all that were swept, by option, those too at which nothing finished.
    """
    # A level said twice is one run; counted twice it would unbalance everything.
    alike = {tuple(sorted(point.factors.items())): point for point in points if math.isfinite(point.score)}
    known = list(alike.values())
    every = (_effect(factor, names, known, greater_is_better) for factor, names in levels.items())
    found = [one for one in every if one]
    # A share that cannot be told is no small one.
    told = all(one.share is not None for one in found)
    return tuple(sorted(found, key=lambda one: -(one.share or 0.0) if told else -one.spread))


def _effect(factor: str, names: Sequence[str], points: Sequence[Point], greater_is_better: bool) -> Effect | None:
    present = {point.factors[factor] for point in points if factor in point.factors}
    if len(present) < 2:
        return None
    blocks = _blocks(factor, present, points)
    counted = [point for block in blocks for point in block.values()] or points
    numeric, best_of = is_numeric(factor, names), max if greater_is_better else min
    ordered = sorted(names, key=float) if numeric else names
    levels = tuple(_level(factor, name, points, counted, best_of) for name in ordered)
    return Effect(factor, levels, numeric, len(blocks), _share(blocks), greater_is_better)


def _blocks(factor: str, levels: set[str], points: Sequence[Point]) -> list[dict[str, Point]]:
    """By level the runs that differ in `factor` alone, where all levels are there."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Point]] = {}
    for point in points:
        others = tuple(sorted(item for item in point.factors.items() if item[0] != factor))
        if factor in point.factors:
            found.setdefault(others, {})[point.factors[factor]] = point
    return [block for block in found.values() if block.keys() == levels]


def _level(factor: str, name: str, points: Sequence[Point], counted: Sequence[Point], best_of: Any) -> Level:
    every, some = ([one.score for one in of if one.factors.get(factor) == name] for of in (points, counted))
    if not every:
        return Level(name, (), math.nan, 0, math.nan)
    return Level(name, tuple(every), fmean(some), len(some), best_of(every))


def _share(blocks: Sequence[Mapping[str, Point]]) -> float | None:
    """Sum of squares between the levels, by that of all runs: eta squared, which needs every block to hold every level."""
    scores = [point.score for block in blocks for point in block.values()]
    if len(blocks) < 2 or max(scores) - min(scores) <= ROUNDING:
        return None
    middle = fmean(scores)
    means = [fmean(block[name].score for block in blocks) for name in blocks[0]]
    between = len(blocks) * math.fsum((mean - middle) ** 2 for mean in means)
    return between / math.fsum((score - middle) ** 2 for score in scores)


def is_numeric(factor: str, names: Sequence[str]) -> bool:
    """Whether its levels are quantities, so that there is something between two of them."""
    return factor.split(".")[-1] not in NOMINAL and all(map(_is_number, names))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
