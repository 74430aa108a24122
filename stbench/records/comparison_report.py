"""The page of a comparison, and that of a leaderboard: one HTML file as the report of a run is."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stbench.records import comparison_text as words
from stbench.records.comparison import MATRIX, Comparison, Group
from stbench.records.comparison_charts import charts, color
from stbench.records.drawing import VARIABLES
from stbench.records.finished import FinishedRun
from stbench.records.report import template
from stbench.verdict.pairwise import Pair


class Bar(NamedTuple):
    """An interval on the axis of its group: places along its width in percent."""

    low: float
    width: float
    value: float


class Row(NamedTuple):
    """One run in the table of its group."""

    number: int
    run: FinishedRun
    link: str
    """To its own report, from where the page lies; empty where it has none."""
    bar: Bar | None
    interval: str
    pair: Pair | None
    """Seen from the best."""
    behind: str
    p: str
    tied: bool
    verdict: str


class Cell(NamedTuple):
    """One pair in the matrix."""

    pair: Pair | None
    interval: str
    p: str
    tone: str


class Section(NamedTuple):
    """One group as the page shows it."""

    group: Group
    rows: list[Row]
    matrix: list[tuple[int, list[Cell]]]
    metrics: list[tuple[str, list[str]]]
    more: list[tuple[str, list[str]]]
    """Metrics that fewer people know."""


def write_comparison(found: Comparison, path: Path, whole: bool = True) -> None:
    """Write the page to `path`; `whole`: with pairs, metrics, curves and differences, not the ranking alone."""
    write_page(render_comparison(found, path.parent, whole), path)


def write_page(html: str, path: Path) -> None:
    """Whole or not at all: another may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(html.encode("utf-8", "replace"))
    temporary.replace(path)


def render_comparison(found: Comparison, place: Path, whole: bool = True) -> str:
    """The page as it stands in the folder `place`; the same comparison always gives the same page."""
    differences = words.differences(found) if whole else []
    return template("comparison.html.j2").render(
        record={"run": found.title}, verdict={"outcome": ""},
        found=found,
        sections=[section(found, group, place, whole) for group in found.groups],
        remarks=words.remarks(found),
        charts=charts(found, curved=whole),
        costs=words.costs(found),
        differences=differences,
        lines=[words.best_line(group) for group in found.groups],
        tone=tone,
    )  # fmt: skip


def section(found: Comparison, group: Group, place: Path, whole: bool) -> Section:
    rows = [_row(found, group, number, place) for number in range(len(group.runs))]
    if not whole:
        return Section(group, rows, [], [], [])
    known, others = words.by_fame(group)
    return Section(group, rows, _matrix(found, group), _metrics(group, known), _metrics(group, others))


def tone(number: int) -> str:
    """The variable of the style sheet that colours a run."""
    return VARIABLES[color(number)]


def _row(found: Comparison, group: Group, place: int, folder: Path) -> Row:
    run, spread = group.runs[place], group.scores[place]
    pair = group.behind(place)
    return Row(
        found.numbers[run.path], run, link(run, folder), bar(group, place), words.between(spread.low, spread.high), pair,
        words.interval(pair) if pair else "", words.p(pair) if pair else "", place in group.tied, words.verdict(run),
    )  # fmt: skip


def link(run: FinishedRun, folder: Path) -> str:
    """To its own report, from a page in `folder`; empty where it has none."""
    report = run.path / "report.html"
    return os.path.relpath(report, folder) if report.is_file() else ""


def bar(group: Group, place: int) -> Bar | None:
    known = [one for one in group.scores if math.isfinite(one.low + one.high)]
    spread = group.scores[place]
    if spread not in known:
        return None
    left, right = min(one.low for one in known), max(one.high for one in known)
    unit = 100 / (right - left or 1.0)
    low, high, value = ((one - left) * unit for one in (spread.low, spread.high, spread.value))
    return Bar(round(low, 2), round(high - low, 2), round(value, 2))


def _matrix(found: Comparison, group: Group) -> list[tuple[int, list[Cell]]]:
    if not group.shows_matrix:
        return []
    places = range(len(group.runs))
    return [(found.numbers[group.runs[row].path], [_cell(group, row, column) for column in places]) for row in places]


def _cell(group: Group, row: int, column: int) -> Cell:
    if row == column:
        return Cell(None, "", "", "")
    pair = group.ranking.between(row, column)
    colour = "even" if not pair.differs else "up" if pair.delta > 0 else "down"
    return Cell(pair, words.interval(pair), words.p(pair), colour)


def _metrics(group: Group, names: Sequence[str]) -> list[tuple[str, list[str]]]:
    if len(group.runs) > MATRIX:
        return []
    return [(name, [words.measured(of.get(name)) for of in group.metrics]) for name in names]
