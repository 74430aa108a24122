"""A comparison in words and tables, as the console shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stbench.records.comparison import MATRIX, Comparison, Group, Measured
from stbench.records.differences import decided, said
from stbench.records.finished import FinishedRun
from stbench.records.numbers import signed
from stbench.verdict.metric_names import SHOWN
from stbench.verdict.pairwise import Pair

TIED = "≈"
FEW_METRICS = 6
SMALLEST = 0.0001
DEFAULTS = "the default sentence"
SIDE_BY_SIDE = 5
"""Most runs whose differences stand beside each other on the console."""


@dataclass(frozen=True)
class TextTable:
    """Cells by row; the names of columns that hold words, and stand to the left."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[str] = ()
    widest: int | None = None
    """Characters of a column of words."""


class Cost(NamedTuple):
    """What one run costs, as it is read."""

    training: str
    memory: str
    parameters: str
    weights: str
    speed: str
    query: str
    index_size: str


COSTS = Cost("training", "memory", "parameters", "weights", "texts a second", "one query", "index, a document")


def standings(found: Comparison, group: Group) -> TextTable:
    """The runs of a group, best first."""
    columns = ["#", "run", group.metric, "95 % interval", "behind the best", "p", "verdict"]
    rows = [
        [
            str(found.numbers[run.path]), f"{run.name}\n  {run.words or DEFAULTS}", score(spread.value), between(spread.low, spread.high),
            _behind(group, place), _p(group.behind(place)), verdict(run),
        ]
        for place, (run, spread) in enumerate(zip(group.runs, group.scores, strict=True))
    ]  # fmt: skip
    references = [["", name, score(value), "", "", "", ""] for name, value in group.references.items()]
    return TextTable(found.title_of(group), columns, [*rows, *references], ("run", "verdict"))


def matrix(found: Comparison, group: Group) -> TextTable | None:
    """Row less column, where there are few enough runs to show every pair."""
    if not group.shows_matrix:
        return None
    places = range(len(group.runs))
    numbers = [str(found.numbers[run.path]) for run in group.runs]
    rows = [
        [numbers[row], *("·" if row == column else pair_cell(group, row, column) for column in places)]
        for row in places
    ]  # fmt: skip
    return TextTable(f"{group.metric}, row less column, with the 95 % interval of each pair", ["#", *numbers], rows)


def pair_cell(group: Group, row: int, column: int) -> str:
    pair = group.ranking.between(row, column)
    mark = "" if pair.differs else f" {TIED}"
    return f"{signed(pair.delta)}{mark}\n{interval(pair)}"


def metrics(found: Comparison, group: Group) -> TextTable | None:
    """Each metric of each run that people know; the page has all."""
    known, _ = by_fame(group)
    if not known or len(group.runs) > MATRIX:
        return None
    numbers = [str(found.numbers[run.path]) for run in group.runs]
    rows = [[name, *(measured(of.get(name)) for of in group.metrics)] for name in known]
    return TextTable("metrics, with 95 % intervals", ["metric", *numbers], rows, ("metric",))


def by_fame(group: Group) -> tuple[list[str], list[str]]:
    """(metrics that people know, the others), the deciding one first."""
    names = group.metric_names
    known = [name for name in names if name == group.metric or name.endswith(SHOWN) or len(names) <= FEW_METRICS]
    return known, [name for name in names if name not in known]


def measured(value: Measured | None) -> str:
    if value is None:
        return ""
    return score(value.value) if value.low is None else f"{score(value.value)}\n{between(value.low, value.high)}"


def costs(found: Comparison) -> TextTable | None:
    """What each run took; columns that no run knows are left out."""
    lines = [cost(run) for run in found.runs]
    kept = [place for place in range(len(COSTS)) if any(line[place] for line in lines)]
    if not kept:
        return None
    rows = [
        [str(found.numbers[run.path]), *(line[place] for place in kept)]
        for run, line in zip(found.runs, lines, strict=True)
    ]
    return TextTable("cost", ["#", *(COSTS[place] for place in kept)], rows)


def cost(run: FinishedRun) -> Cost:
    known = run.cost
    return Cost(
        duration(known.training_seconds), _scaled(known.peak_bytes, 2**30, "{:.1f} GiB"),
        _scaled(known.parameters, 1e6, "{:,.1f} M"), _scaled(known.model_bytes, 1e6, "{:,.1f} MB"),
        _scaled(known.texts_per_second, 1, "{:,.0f}"), _scaled(known.query_ms, 1, "{:,.2f} ms"),
        _scaled(known.index_bytes, 1, "{:,.0f} bytes"),
    )  # fmt: skip


def differences(found: Comparison) -> list[TextTable]:
    """Options that were said differently, and what the plans made of it."""
    parts = [("where the sentences differ", said(found.runs)), ("where the plans differ", decided(found.runs))]
    numbers = [str(found.numbers[run.path]) for run in found.runs]
    return [
        TextTable(title, ["option", *numbers], [[row.what, *row.values] for row in rows], ["option", *numbers], 32)
        for title, rows in parts
        if rows
    ]


def remarks(found: Comparison) -> list[str]:
    """What a reader has to know to read the tables."""
    lines = []
    if len(found.groups) > 1:
        what = "other samples, or another metric"
        lines.append(
            f"{len(found.groups)} groups: runs of different groups were judged by {what}, and are not compared"
        )
    most = max((len(group.runs) for group in found.groups), default=0)
    if most > 1:
        lines.append(correction(found))
    return lines


def correction(found: Comparison) -> str:
    """How the tests are made, in words."""
    pairs = ", ".join(f"{len(group.ranking.pairs)}" for group in found.groups if group.ranking.pairs)
    return (
        f"{TIED}: the two cannot be told apart (p of 0.05 or more). p: paired bootstrap on the same samples, {found.resamples:,} resamples, "
        f"corrected for all pairs of a group ({pairs}) by Holm's method, which holds however much runs have in common; all "
        "pairs count, since which run is best was read off the same samples. Intervals are those of one pair alone."
    )


def best_line(group: Group) -> str:
    """The last line: the best run of a group, and how far it leads the second.

    `BEST: 0.7555 | lead=+0.0128 | ci95=[-0.003,+0.029] | p=0.1120 | tied=1 | runs=2 | n=600 | metric=ndcg@10 | run=…`
    """
    fields = {"tied": str(len(group.tied)), "runs": str(len(group.runs)), "n": str(group.n), "metric": group.metric}
    if len(group.runs) > 1:
        pair = group.ranking.between(0, 1)
        interval = f"[{pair.low:+.3f},{pair.high:+.3f}]"
        lead = {"lead": f"{pair.delta:+.4f}", "ci95": interval, "p": p_written(pair.corrected)}
        fields = {**lead, **fields}
    return line(f"BEST: {score(group.best.score)}", {**fields, "run": group.best.name})


def line(start: str, fields: Mapping[str, str]) -> str:
    """One that programs read: no value can break it, or its separators."""
    plain = (f"{name}={' '.join(value.replace('|', '/').split())}" for name, value in fields.items())
    return " | ".join([start, *plain])


def p_written(value: float) -> str:
    """For programs."""
    return f"{value:.4f}" if value >= SMALLEST else f"{value:.0e}"


def score(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"


def between(low: float | None, high: float | None) -> str:
    if low is None or high is None or not math.isfinite(low + high):
        return ""
    return f"{low:.3f} … {high:.3f}"


def interval(pair: Pair) -> str:
    if not math.isfinite(pair.low + pair.high):
        return ""
    return f"{signed_short(pair.low)} … {signed_short(pair.high)}"


def signed_short(value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return f"{sign}{abs(value):.3f}"


def p(pair: Pair) -> str:
    """Holm's p, as it is read."""
    return p_read(pair.corrected)


def p_read(value: float) -> str:
    """How much smaller than this it is says nothing."""
    return f"{value:.4f}" if value >= SMALLEST else f"<{SMALLEST:.4f}"


def verdict(run: FinishedRun) -> str:
    """Against its own baseline; an evaluation of one model has none."""
    delta = run.verdict.get("delta")
    return f"{run.outcome} {signed(float(delta))}" if delta is not None else run.outcome


def _behind(group: Group, place: int) -> str:
    pair = group.behind(place)
    if pair is None:
        return "best"
    mark = "" if pair.differs else f" {TIED}"
    return f"{signed(pair.delta)}{mark} [{interval(pair)}]"


def _p(pair: Pair | None) -> str:
    return "" if pair is None else p(pair)


def duration(value: float | None) -> str:
    if value is None:
        return ""
    minutes, seconds = divmod(round(value), 60)
    return f"{value:.1f} s" if value < 100 else f"{minutes} min {seconds:02d} s"


def _scaled(value: float | None, by: float, form: str) -> str:
    return "" if value is None else form.format(value / by)
