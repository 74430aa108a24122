"""The page of a sweep: boards, effects, and what came to no score; one HTML file as the report of a run is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from stbench.records import comparison_text, sweep_text
from stbench.records.comparison_report import Bar, bar, link, write_page
from stbench.records.report import template
from stbench.records.sweep import ORDER, Board, Standing, SweepResult
from stbench.records.sweep_charts import charts


class Line(NamedTuple):
    """One job on its board."""

    standing: Standing
    values: list[str]
    """Of what was swept."""
    link: str
    """To its own report, from where the page lies; empty where it has none."""
    bar: Bar | None
    interval: str
    outcome: str
    p: str
    """Of its verdict."""
    behind: str
    """95 % interval of the distance to the best."""
    p_behind: str
    took: str


class Section(NamedTuple):
    """One board as the page shows it."""

    board: Board
    lines: list[Line]


def write_sweep(result: SweepResult, path: Path) -> None:
    """Write the page to `path`."""
    write_page(render_sweep(result, path.parent), path)


def render_sweep(result: SweepResult, place: Path) -> str:
    """The page as it stands in the folder `place`; the same result always gives the same page."""
    return template("sweep.html.j2").render(
        record={"run": result.title}, verdict={"outcome": ""},
        result=result,
        counts=in_words(result),
        names=sweep_text.short_names(result.factors),
        sections=[_section(result, board, place) for board in result.boards],
        unranked=[(row, sweep_text.values(result, row)) for row in result.unranked],
        effects=[sweep_text.effect_table(result, board) for board in result.boards if board.leveled],
        charts=charts(result),
        remarks=sweep_text.remarks(result),
        line=sweep_text.sweep_line(result),
    )  # fmt: skip


def in_words(result: SweepResult) -> str:
    """How many jobs, and how they ended."""
    ends = [f"{result.counts[state]} {state}" for state in ORDER if result.counts[state]]
    reused = f" ({result.reused} of them before this sweep)" if result.reused else ""
    told = ", ".join(ends).replace("finished", f"finished{reused}", 1)
    return f"{len(result.rows)} jobs: {told}" if told else "no jobs"


def _section(result: SweepResult, board: Board, place: Path) -> Section:
    return Section(board, [_line(result, board, one, place) for one in board.standings])


def _line(result: SweepResult, board: Board, one: Standing, place: Path) -> Line:
    pair, spread = one.behind, one.spread
    return Line(
        one, sweep_text.values(result, one.row), link(one.run, place), bar(board.group, one.place),
        comparison_text.between(spread.low, spread.high), sweep_text.outcome(one), sweep_text.p_of(one),
        comparison_text.interval(pair) if pair else "", comparison_text.p(pair) if pair else "", sweep_text.took(one.row),
    )  # fmt: skip
