"""Several systems on the same samples: each score with its interval, every pair tested, p corrected for all of them.

The correction is Holm's (Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure): it holds whatever the runs have
in common, and runs that answer the same questions have much in common. It counts all pairs, also where only those with
the best are shown: which one is the best was read off the same samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from stbench.verdict.judge import CONFIDENCE, FEWEST_CHANGED
from stbench.verdict.statistics import (
    ROUNDING,
    Interval,
    Samples,
    Spread,
    interval_of,
    resampled,
    spread_of,
    student_p,
    widened,
    widened_p,
)

ALPHA = 1 - CONFIDENCE


@dataclass(frozen=True)
class Pair:
    """Two systems, by their places in the list that was given."""

    first: int
    second: int
    delta: float
    """Positive where the first is better, whichever way the metric counts."""
    low: float
    """95 % interval of this pair alone."""
    high: float
    p: float
    """Two-sided, of this pair alone."""
    corrected: float = 1.0
    """p after Holm's correction for all pairs."""

    @property
    def differs(self) -> bool:
        return self.corrected < ALPHA

    def turned(self) -> Pair:
        """The same seen from the other side."""
        return replace(self, first=self.second, second=self.first, delta=-self.delta, low=-self.high, high=-self.low)


@dataclass(frozen=True)
class Ranking:
    """Every score, and every pair."""

    spreads: tuple[Spread, ...]
    """In the order that was given."""
    order: tuple[int, ...]
    """Places, best first; scores that do not exist last."""
    pairs: tuple[Pair, ...]

    def between(self, first: int, second: int) -> Pair:
        """Raises KeyError for a place that there is not, or the same place twice."""
        pair = self._by_places[min(first, second), max(first, second)]
        return pair if pair.first == first else pair.turned()

    @cached_property
    def _by_places(self) -> dict[tuple[int, int], Pair]:
        return {(pair.first, pair.second): pair for pair in self.pairs}

    @property
    def best(self) -> int:
        return self.order[0]

    @property
    def tied(self) -> tuple[int, ...]:
        """Places that cannot be told from the best, without it."""
        return tuple(place for place in self.order[1:] if not self.between(self.best, place).differs)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Ranking:
        """The inverse of `as_dict`."""
        spreads = tuple(Spread(**one) for one in data["spreads"])
        return cls(spreads, tuple(data["order"]), tuple(Pair(**one) for one in data["pairs"]))


def ranked(
    systems: Sequence[Samples], statistic: str, *, greater_is_better: bool = True, resamples: int = 10_000, seed: int
) -> Ranking:
    """Compare systems whose samples stand in the same order.

    Scores have the interval of `statistics.bootstrap`; a pair has that of `judge`, since all are resampled by the same
    draws. Raises ValueError for no samples, KeyError for an unknown statistic.
    """
    values, drawn = resampled([(statistic, one) for one in systems], resamples=resamples, seed=seed)
    column = "value" if statistic.startswith("mean") else "prediction"
    outcomes = [np.asarray(one[column]) for one in systems]
    size, sign = len(outcomes[0]), 1.0 if greater_is_better else -1.0
    pairs = []
    for first, second in combinations(range(len(systems)), 2):
        changed = int(np.count_nonzero(outcomes[first] != outcomes[second]))
        delta = sign * float(values[first] - values[second])
        pairs.append(_pair(first, second, delta, sign * (drawn[first] - drawn[second]), changed, size))
    spreads = tuple(spread_of(float(value), one, size) for value, one in zip(values, drawn, strict=True))
    order = sorted(range(len(systems)), key=lambda place: _worse(sign * float(values[place])))
    return Ranking(spreads, tuple(order), tuple(_corrected(pairs)))


def spreads(sides: Sequence[tuple[str, Samples]], *, resamples: int = 10_000, seed: int) -> tuple[Spread, ...]:
    """Several statistics of one system, each with its interval, on one set of draws; none for no sides."""
    if not sides:
        return ()
    size = len(next(iter(sides[0][1].values())))
    values, drawn = resampled(sides, resamples=resamples, seed=seed)
    return tuple(spread_of(float(value), one, size) for value, one in zip(values, drawn, strict=True))


def holm(values: Sequence[float]) -> list[float]:
    """Each p corrected for all of them, in the order given; never below its own, never above 1."""
    found, worst = [1.0] * len(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        worst = max(worst, min(1.0, (len(values) - rank) * values[place]))
        found[place] = worst
    return found


def _worse(score: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(score) else (False, -score)


def _pair(first: int, second: int, delta: float, deltas: Any, changed: int, size: int) -> Pair:
    counted = max(2, changed)
    found = interval_of(delta, deltas, size, widened(CONFIDENCE, counted))
    return Pair(first, second, found.delta, found.low, found.high, _p(found, changed, counted))


def _p(found: Interval, changed: int, counted: int) -> float:
    """p of the resamples; where none of them lies beyond zero, they cannot tell how small it is, and their spread must.

    Otherwise 10,000 resamples, whose smallest p is 0.0002, could tell no two of 25 runs apart.
    """
    if changed < FEWEST_CHANGED or not math.isfinite(found.delta):
        return 1.0
    p = widened_p(found.p, counted)
    none_beyond = found.p <= 2 / (found.resamples + 1)
    if not none_beyond or found.deviation <= ROUNDING:
        return p
    return min(p, student_p(found.delta / found.deviation, counted))


def _corrected(pairs: Sequence[Pair]) -> Iterator[Pair]:
    for pair, p in zip(pairs, holm([pair.p for pair in pairs]), strict=True):
        yield replace(pair, corrected=p)
