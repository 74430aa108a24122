"""What a search came to: a row a trial for the tables of every sweep, the best by its objective, the front of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stbench.records import comparison_text as words
from stbench.records.comparison_text import TextTable
from stbench.records.folder import RunFolder
from stbench.records.sweep import SEEDS, SweepRow
from stbench.records.sweep_text import short_names
from stbench.sweep.jobs import in_words
from stbench.sweep.outcome import outcome_in
from stbench.sweep.record import More
from stbench.sweep.search.goal import Goal, shown
from stbench.sweep.search.study import Past, Told

FILE = "search.json"
COUNTED = ("finished", "pruned", "failed", "refused")
UNSEEN = "The test split decided nothing: trials were stopped and chosen by their selection scores."


@dataclass(frozen=True)
class Found:
    """All trials of a study."""

    goal: Goal
    past: tuple[Past, ...]
    front: tuple[int, ...]
    """Numbers of the trials that no other beats in all objectives, as far as they finished."""
    stopped: Mapping[int, Told]
    """Trials that go on when the search does, by number."""
    new: frozenset[int]
    """Numbers of those that ended just now."""

    @property
    def best(self) -> Past | None:
        """Of one objective; of several none is the best."""
        finished = [one for one in self.past if one.told.state == "finished"]
        if len(self.goal.objectives) > 1 or not finished:
            return None
        choose = max if self.goal.directions[0] == "maximize" else min
        return choose(finished, key=lambda one: one.values[0])

    @property
    def counts(self) -> Counter[str]:
        return Counter(one.told.state for one in self.past)

    @property
    def steps(self) -> int:
        """Of training, that all trials took."""
        return sum(one.told.steps for one in self.past)

    def as_dict(self) -> dict[str, Any]:
        return {
            "objectives": list(self.goal.objectives), "directions": self.goal.directions, "steps": self.steps,
            "best": self.best.number if self.best else None, "front": list(self.front),
            "trials": [_past_dict(one) for one in self.past],
        }  # fmt: skip


def rows(found: Found) -> list[SweepRow]:
    """Every trial, those of earlier commands too."""
    ended = [(one.number, one.told) for one in found.past]
    return [_row(number, told, number in found.new) for number, told in sorted([*ended, *found.stopped.items()])]


def _row(number: int, told: Told, is_new: bool) -> SweepRow:
    folder = RunFolder(told.run)
    status = (folder.read("status.json") if told.run else None) or {}
    return SweepRow(
        number=number, factors=told.factors, run=told.run, path=folder.path if told.run else None, state=told.state,
        reason=told.reason, command=told.command, seconds=status.get("seconds"),
        reused=told.state == "finished" and (told.reused or not is_new),
    )  # fmt: skip


def more(found: Found) -> More:
    return More(tuple(_notes(found)), tuple(_front(found)), tuple(_lines(found)))


def _notes(found: Found) -> list[str]:
    best = found.best
    if best is None:
        return [UNSEEN]
    name, value, run = found.goal.objectives[0], best.values[0], RunFolder(best.told.run)
    where = " on the selection split" if name == "score" else ""
    said = f"Best by {name}{where}: trial {best.number} ({in_words(best.told.factors)}), {shown(name, value)}"
    return [f"{said}; on the test split {outcome_in(run)}.", UNSEEN]


def _front(found: Found) -> list[TextTable]:
    """A line for each trial that no other beats."""
    if len(found.goal.objectives) < 2 or not found.front:
        return []
    chosen = [one for one in found.past if one.number in found.front]
    factors = list(dict.fromkeys(name for one in found.past for name in one.told.factors))
    names = short_names(factors)
    lines = [
        [str(one.number), *(one.told.factors.get(name, "–") for name in factors),
         *map(shown, found.goal.objectives, one.values), outcome_in(RunFolder(one.told.run))]
        for one in chosen
    ]  # fmt: skip
    columns = ["#", *names, *found.goal.objectives, "on the test split"]
    title = (
        f"Pareto front of {', '.join(found.goal.objectives)}: no other trial is better in one and no worse in the rest"
    )
    return [TextTable(title, columns, lines, (*names, "on the test split"))]


def _lines(found: Found) -> list[str]:
    """How the best is trained again, and the search in one line."""
    best = found.best
    again = [f"{SEEDS} seeds of the best: {best.told.command} seeds={SEEDS}"] if best else []
    return [*again, search_line(found)]


def search_line(found: Found) -> str:
    """`SEARCH: trials=20 | finished=12 | pruned=7 | failed=1 | refused=0 | steps=1980 | score=0.7431 | run=…`.

    After the steps stands the best value of the objective, of several the number of trials on their front.
    """
    fields = {name: str(found.counts[name]) for name in COUNTED} | {"steps": str(found.steps)}
    if best := found.best:
        fields |= {found.goal.objectives[0]: shown(found.goal.objectives[0], best.values[0]), "run": best.told.run}
    elif len(found.goal.objectives) > 1:
        fields["front"] = str(len(found.front))
    return words.line(f"SEARCH: trials={len(found.past)}", fields)


def _past_dict(one: Past) -> dict[str, Any]:
    scores = [[at.percent, at.score] for at in one.moments]
    return {
        "number": one.number, **asdict(one.told), "values": list(one.values), "scores_by_percent": scores,
        "started": one.started, "ended": one.ended,
    }  # fmt: skip


def place_of(folder: RunFolder) -> Path:
    return folder.path / FILE
