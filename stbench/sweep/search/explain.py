"""The plan of a search in tables and lines: what is drawn from, what cannot be, who draws and who stops, and what is there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from stbench.records.comparison_text import TextTable
from stbench.sweep.jobs import in_words
from stbench.sweep.search.goal import OBJECTIVES, Goal, shown
from stbench.sweep.search.ground import Ground, questions
from stbench.sweep.search.legal import MOST, Illegal, in_one_line
from stbench.sweep.search.result import Found
from stbench.sweep.search.settings import Settings
from stbench.sweep.search.space import Choice, Factor, Space

MANY = 40
"""Legal combinations of which each has a line."""
MOST_VALUES = 6
MOST_LINES = 20


def tables(ground: Ground, settings: Settings, goal: Goal, prunes: str, found: Found | None) -> list[TextTable]:
    """`prunes`: why no trial is stopped half-way; empty where the pruner is asked."""
    combinations = [_combinations(ground)] if 1 < len(ground.legal) <= MANY else []
    how = TextTable("Search", ["what", "how"], list(map(list, _how(ground, settings, goal, prunes, found))), ("how",))
    return [_space(ground.space), *combinations, how]


def _space(space: Space) -> TextTable:
    factors = {one.name: one for one in (*space.choices, *space.quantities)}
    rows = [[name, _kind(factors[name]), factors[name].says] for name in space.said]
    return TextTable("Space", ["option", "kind", "values"], rows, ("kind", "values"))


def _kind(factor: Factor) -> str:
    return "choice" if isinstance(factor, Choice) else "number"


def _combinations(ground: Ground) -> TextTable:
    names = [choice.name for choice in ground.space.choices]
    rows = [
        [str(number), *(one.picks.get(name, "–") for name in names), ", ".join(one.takes) or "–"]
        for number, one in enumerate(ground.legal, 1)
    ]
    columns = ["#", *names, "drawn with it"]
    return TextTable("Combinations that run", columns, rows, (*names, "drawn with it"))


def _how(ground: Ground, settings: Settings, goal: Goal, prunes: str, found: Found | None) -> Iterator[tuple[str, str]]:
    yield "combinations", _counted(ground)
    for name in goal.objectives:
        metric = f" ({ground.facts.metric}; the test split is not looked at)" if name == "score" else ""
        up = "highest" if goal.directions[goal.objectives.index(name)] == "maximize" else "lowest"
        yield f"objective {name}", f"{OBJECTIVES[name].split(';')[0]}{metric}, the {up} is the best"
    yield "sampler", f"{settings.sampler.says}, seed {settings.seed}"
    yield "pruner", prunes or settings.pruner.says
    yield "trials", f"{settings.trials} in all, {done(found)}"


def _counted(ground: Ground) -> str:
    number = ground.space.combinations
    if not ground.whole:
        return f"{number:,} of the choices, more than {MOST}: each is planned when it is drawn"
    return f"{len(ground.legal)} of {number} run"


def done(found: Found | None) -> str:
    """How far the study is."""
    if found is None or not found.past:
        return "none done so far"
    counts = ", ".join(f"{number} {state}" for state, number in found.counts.items())
    said = f"{len(found.past)} done so far: {counts}"
    if (best := found.best) is None:
        return said
    return f"{said}; best {shown(found.goal.objectives[0], best.values[0])} by trial {best.number}"


def notes(ground: Ground, settings: Settings) -> list[str]:
    """What is excluded and why, and what a reader has to know."""
    lines = _first([f"excluded: {what}: {reason}" for reason, what in _excluded(ground).items()])
    lines += _first([f"left out {what}: {reason}" for reason, what in _left_out(ground).items()])
    asked = questions(ground)
    if len(asked) > 1:
        told = "; ".join(asked[:MOST_VALUES])
        lines.append(f"trials answer {len(asked)} questions, and the best of them may be that of the easiest: {told}")
    points = _points(ground)
    if points is not None and points < settings.trials:
        lines.append(f"the space has {points} points, fewer than trials: a grid runs each once (hydra/sweeper=grid)")
    return lines


def _first(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], *([f"and {more} reasons more"] if more > 0 else [])]


def _excluded(ground: Ground) -> dict[str, str]:
    by_reason: dict[str, list[Illegal]] = {}
    for one in ground.illegal:
        by_reason.setdefault(in_one_line(one.why), []).append(one)
    return {reason: _together(ground.space, [dict(one.picks) for one in found]) for reason, found in by_reason.items()}


def _left_out(ground: Ground) -> dict[str, str]:
    """By reason: which option, and with which choices."""
    found: dict[str, tuple[str, list[dict[str, str]]]] = {}
    for one in ground.legal:
        for name, why in one.left_out.items():
            found.setdefault(in_one_line(why), (name, []))[1].append(dict(one.picks))
    return {reason: f"{name} with {_together(ground.space, picks)}" for reason, (name, picks) in found.items()}


def _together(space: Space, picks: Sequence[dict[str, str]]) -> str:
    """Several combinations in few words: of each choice the values that occur, where these are not all."""
    if len(picks) == 1:
        return in_words(picks[0]) or "the fixed words"
    parts = {}
    for choice in space.choices:
        values = [value for value in choice.values if any(one.get(choice.name) == value for one in picks)]
        if values and len(values) < len(choice.values):
            some = "|".join(values[:MOST_VALUES])
            parts[choice.name] = f"{some}|…" if len(values) > MOST_VALUES else some
    return f"{in_words(parts) or 'others'} ({len(picks)} combinations)"


def _points(ground: Ground) -> int | None:
    """How many different sentences there are; None where that is not to be counted."""
    if not ground.whole:
        return None
    quantities = {one.name: one for one in ground.space.quantities}
    numbers = [[_levels(quantities[name]) for name in legal.takes] for legal in ground.legal]
    if any(None in some for some in numbers):
        return None
    return sum(math.prod(level or 1 for level in some) for some in numbers)


def _levels(factor: Factor) -> int | None:
    """Values that it can have; None where it has no steps."""
    if isinstance(factor, Choice):
        return len(factor.values)
    step = factor.step or (1 if factor.whole else None)
    return round((factor.high - factor.low) / step) + 1 if step else None
