"""How a sweep ended: its runs ranked, their verdicts corrected for how many they are, and what each swept option did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from stbench.records.comparison import Comparison, Group, Statistics, compare
from stbench.records.finished import FinishedRun, read_run
from stbench.records.sweep_effects import Effect, Point, effects
from stbench.records.sweep_verdicts import corrected, p_of
from stbench.verdict.judge import none_for_nan
from stbench.verdict.pairwise import ALPHA, Pair
from stbench.verdict.statistics import Spread

State = Literal["finished", "failed", "refused", "interrupted", "pruned"]
ORDER: tuple[State, ...] = ("finished", "pruned", "failed", "refused", "interrupted")
"""In which those stand that have no rank."""
CLAIMS = ("WIN", "REGRESSION")
"""Verdicts that say that there is a difference."""
SEEDS = 5


@dataclass(frozen=True)
class SweepRow:
    """One job of a sweep."""

    number: int
    factors: Mapping[str, str]
    """Swept option or group to its value, as said."""
    run: str
    """Name of its folder; empty where the sentence was never composed."""
    path: Path | None
    state: State
    reason: str
    """Why it has no score, in one line; empty where it finished."""
    command: str
    """Repeats this job alone."""
    seconds: float | None = None
    reused: bool = False
    """It had finished before the sweep."""


@dataclass(frozen=True)
class Standing:
    """A finished job among those that answered the same question."""

    row: SweepRow
    run: FinishedRun
    place: int
    """That of its run in the group."""
    spread: Spread
    behind: Pair | None
    """Seen from the best; None for the best itself."""
    p: float | None = None
    """Of its verdict alone; None where it has none."""
    corrected: float | None = None
    """The same after Holm's correction for all runs of the group."""

    @property
    def tied(self) -> bool:
        """It is not the best, but cannot be told from it."""
        return self.behind is not None and not self.behind.differs

    @property
    def delta(self) -> float | None:
        found = self.run.verdict.get("delta")
        return None if found is None else float(found)

    @property
    def holds(self) -> bool:
        """Whether its verdict is still the same when it is counted how many runs were tried."""
        return self.corrected is None or self.run.outcome not in CLAIMS or self.corrected < ALPHA


@dataclass(frozen=True)
class Board:
    """The jobs of one question, best first."""

    group: Group
    title: str
    standings: tuple[Standing, ...]
    effects: tuple[Effect, ...]

    @property
    def best(self) -> Standing:
        return self.standings[0]

    @property
    def leveled(self) -> tuple[Effect, ...]:
        """Effects that can be told in a table; the others only in a drawing."""
        return tuple(effect for effect in self.effects if not effect.scattered)

    @property
    def lead(self) -> Pair | None:
        """The best run against the second; None where it is alone."""
        return self.group.ranking.between(0, 1) if len(self.group.runs) > 1 else None

    @property
    def again(self) -> str:
        """The command that trains the best one again with more seeds; empty where it trains nothing."""
        return f"{self.best.row.command} seeds={SEEDS}" if self.best.run.job == "train" else ""


@dataclass(frozen=True)
class SweepResult:
    """Everything that is told about a sweep."""

    rows: tuple[SweepRow, ...]
    boards: tuple[Board, ...]
    """Those with the most runs first."""
    unranked: tuple[SweepRow, ...]
    """Jobs without a score that could be compared, with the reason of each."""
    comparison: Comparison
    command: str = ""
    title: str = "Sweep"
    notes: tuple[str, ...] = ()
    """What has to be known before the tables are read."""

    @property
    def factors(self) -> list[str]:
        """What was swept."""
        return list(dict.fromkeys(name for row in self.rows for name in row.factors))

    @cached_property
    def counts(self) -> Counter[str]:
        """Jobs by state."""
        return Counter(row.state for row in self.rows)

    @property
    def reused(self) -> int:
        return sum(row.reused for row in self.rows)

    @property
    def best(self) -> Board | None:
        """The board whose best run is that of the sweep: scores of another question say nothing about it."""
        return self.boards[0] if self.boards else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no nan: None stands for it."""
        compared = self.comparison.as_dict()
        found: dict[str, Any] = none_for_nan({
            "title": self.title, "command": self.command, "jobs": len(self.rows),
            **{state: self.counts[state] for state in ORDER}, "reused": self.reused, "factors": self.factors,
            "resamples": compared["resamples"], "correction": compared["correction"],
            "boards": [
                {**_board_dict(board), "pairs": group["pairs"], "references": group["references"]}
                for board, group in zip(self.boards, compared["groups"], strict=True)
            ],
            "unranked": [_row_dict(row) for row in self.unranked],
        })  # fmt: skip
        return found


def sweep_result(
    rows: Sequence[SweepRow], statistics: Statistics, *, command: str = "", title: str = "Sweep"
) -> SweepResult:
    """`rows` ranked where they finished, in boards of one question each; a folder that cannot be read gives its reason."""
    every = [_read(row) for row in rows]
    ranked = [(row, run) for row, run in every if run is not None]
    # Two jobs may be one run, and no run is compared with itself.
    runs = {run.path: run for _, run in ranked}
    found = compare(list(runs.values()), replace(statistics, every_metric=False), command=command, title=title)
    boards = tuple(_board(found, group, ranked, _levels(rows)) for group in found.groups)
    others = [row for row, run in every if run is None]
    unranked = tuple(sorted(others, key=lambda row: (ORDER.index(row.state), row.number)))
    return SweepResult(tuple(rows), boards, unranked, found, command, title)


def _read(row: SweepRow) -> tuple[SweepRow, FinishedRun | None]:
    """The job and its run; where there is none, the reason is in the row."""
    if row.state != "finished":
        return row, None
    if row.path is None:
        return replace(row, reason=row.reason or "it left no folder"), None
    found = read_run(row.path)
    if isinstance(found, FinishedRun):
        return row, found
    return replace(row, reason=f"not compared: {found.reason}{_verdict_of(row.path)}"), None


def _verdict_of(path: Path) -> str:
    """The line of a verdict that cannot be compared, such as that over several seeds."""
    try:
        line = json.loads((path / "verdict.json").read_text(encoding="utf-8"))["line"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"; {str(line).rsplit(' | run=', 1)[0]}"


def _levels(rows: Sequence[SweepRow]) -> dict[str, list[str]]:
    """Every value of every swept option, in the order in which they were said."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, value in row.factors.items():
            found.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in found.items()}


def _board(
    found: Comparison,
    group: Group,
    ranked: Sequence[tuple[SweepRow, FinishedRun]],
    levels: Mapping[str, Sequence[str]],
) -> Board:
    own = tuple(_standings(group, ranked))
    points = [Point(one.row.factors, one.run.score) for one in own]
    said = effects(points, levels, greater_is_better=group.greater_is_better)
    return Board(group, found.title_of(group), own, said)


def _standings(group: Group, ranked: Sequence[tuple[SweepRow, FinishedRun]]) -> Iterator[Standing]:
    p = corrected(group.runs)
    for place, run in enumerate(group.runs):
        behind = group.behind(place)
        for row in sorted((row for row, one in ranked if one.path == run.path), key=lambda row: row.number):
            yield Standing(row, run, place, group.scores[place], behind, p_of(run), p.get(run.path))


def _board_dict(board: Board) -> dict[str, Any]:
    lead = board.lead
    return {
        "title": board.title, "metric": board.group.metric, "samples": board.group.n, "best": board.best.run.name,
        "again": board.again, "lead": lead and {"delta": lead.delta, "p": lead.p, "p_holm": lead.corrected},
        "jobs": [_standing_dict(one) for one in board.standings],
        "effects": [effect.as_dict() for effect in board.effects],
    }  # fmt: skip


def _standing_dict(one: Standing) -> dict[str, Any]:
    pair = one.behind
    return {
        **_row_dict(one.row), "score": one.run.score, "ci95": [one.spread.low, one.spread.high],
        "baseline": one.run.baseline, "delta": one.delta, "outcome": one.run.outcome, "p": one.p, "p_holm": one.corrected,
        "holds": one.holds, "tied_with_best": pair is None or one.tied,
        "behind": pair and {"delta": pair.delta, "ci95": [pair.low, pair.high], "p": pair.p, "p_holm": pair.corrected},
    }  # fmt: skip


def _row_dict(row: SweepRow) -> dict[str, Any]:
    return {
        "number": row.number, "factors": dict(row.factors), "run": row.run, "folder": str(row.path) if row.path else None,
        "state": row.state, "reason": row.reason, "command": row.command, "seconds": row.seconds, "reused": row.reused,
    }  # fmt: skip
