"""Drawings of several runs in one: curves laid over each other, and quality against what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from stbench.records.comparison import Comparison, Group
from stbench.records.drawing import FEW_POINTS, MUTED, SERIES, STYLE, canvas, curve, drawn
from stbench.records.finished import FinishedRun
from stbench.records.pareto import front
from stbench.verdict.statistics import Spread

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vPX*"
"""Beside the colours, for those who cannot tell these apart."""
MOST_CURVES = len(SERIES)


class Axis(NamedTuple):
    """Something that a model costs."""

    name: str
    label: str
    of: Callable[[FinishedRun], float | None]
    dearer: int
    """1 where more costs more, -1 where more is better."""


AXES = (
    Axis("speed", "documents (or pairs) a second", lambda run: run.cost.texts_per_second, -1),
    Axis("size", "MB of weights", lambda run: _scaled(run.cost.model_bytes, 1e6), 1),
    Axis("index", "bytes of the index, one document", lambda run: run.cost.index_bytes, 1),
)


class Drawing(NamedTuple):
    """A drawing with the words around it, and the numbers of the runs in it."""

    title: str
    svg: Markup
    caption: str
    numbers: list[int]


def charts(found: Comparison, curved: bool = True) -> list[Drawing]:
    """Every drawing that has something to show; curves only where they are asked for."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        drawings = [
            *(curves(found) if curved else ()),
            *(pareto(found, group, axis) for group in found.groups for axis in AXES),
        ]
    return [chart for chart in drawings if chart]


def curves(found: Comparison) -> list[Drawing]:
    """The losses of each class, and the selection metric of each group, by step."""
    by_loss: dict[str, list[FinishedRun]] = {}
    for run in found.runs:
        if run.history:
            by_loss.setdefault(_loss(run), []).append(run)
    losses = [
        _overlaid(found, runs, "loss", f"Training loss, {loss}" if loss else "Training loss", f"loss-{place}")
        for place, (loss, runs) in enumerate(by_loss.items())
    ]
    scores = [
        _overlaid(found, group.runs, "score", f"Selection metric, {group.metric}", f"score-{place}")
        for place, group in enumerate(found.groups)
    ]
    return [chart for chart in (*losses, *scores) if chart]


def _loss(run: FinishedRun) -> str:
    """What its values are values of."""
    return " in ".join(filter(None, (run.plan.get("loss"), run.plan.get("modifier"))))


def _overlaid(found: Comparison, runs: Sequence[FinishedRun], key: str, title: str, prefix: str) -> Drawing | None:
    lines = [(run, *curve(run.history, key, thin=key == "loss")) for run in runs]
    lines = [line for line in lines if line[1]]
    shown = lines[:MOST_CURVES]
    if not shown:
        return None
    figure, axes = canvas()
    for run, steps, values in shown:
        number = found.numbers[run.path]
        axes.plot(
            steps, values, color=color(number), linestyle=DASHES[(number - 1) // 4 % len(DASHES)], markersize=4,
            marker=_marker(number) if len(steps) <= FEW_POINTS else "",
        )  # fmt: skip
    axes.tick_params(length=0)
    axes.locator_params(axis="x", integer=True)
    more = f" {len(lines) - len(shown)} more runs are left out." if len(lines) > len(shown) else ""
    what = "Each on its own training rows." if key == "loss" else "Each on its own selection split."
    numbers = [found.numbers[run.path] for run, _, _ in shown]
    return Drawing(title, drawn(figure, prefix), f"{what}{more}", numbers)


def pareto(found: Comparison, group: Group, axis: Axis) -> Drawing | None:
    """Score against one cost; a line leads along the runs that no other beats in both."""
    places = [place for place, run in enumerate(group.runs) if axis.of(run) is not None]
    runs = [group.runs[place] for place in places]
    costs = [float(axis.of(run) or 0) for run in runs]
    if len(set(costs)) < 2:
        return None
    figure, axes = canvas(axis.label)
    axes.grid(True, axis="both")
    for place, run, cost in zip(places, runs, costs, strict=True):
        _dot(axes, found.numbers[run.path], cost, group.scores[place])
    sign = 1 if group.greater_is_better else -1
    best = front([sign * run.score for run in runs], [axis.dearer * cost for cost in costs])
    axes.plot(
        [costs[place] for place in best], [runs[place].score for place in best], color=MUTED, linewidth=1.2, zorder=1
    )
    if min(costs) > 0 and max(costs) > 20 * min(costs):
        axes.set_xscale("log")
    axes.margins(x=0.12, y=0.15)
    names = ", ".join(map(str, sorted(found.numbers[runs[place].path] for place in best)))
    caption = f"No other run beats {names} in both; {'left' if axis.dearer > 0 else 'right'} is cheaper."
    if axis.name == "speed" and len({run.cost.machine for run in runs}) > 1:
        caption += " Measured on different machines."
    prefix = f"{axis.name}-{found.groups.index(group)}"
    numbers = [found.numbers[run.path] for run in runs]
    return Drawing(f"{group.metric} against {axis.label}", drawn(figure, prefix), caption, numbers)


def _dot(axes: Axes, number: int, cost: float, score: Spread) -> None:
    """A run with the 95 % interval of its score."""
    if not math.isfinite(score.value):
        return
    axes.vlines([cost], [score.low], [score.high], color=color(number), linewidth=1.5, alpha=0.45)
    axes.plot([cost], [score.value], linestyle="", marker=_marker(number), markersize=8, color=color(number))
    axes.annotate(str(number), (cost, score.value), textcoords="offset points", xytext=(7, 5))


def color(number: int) -> str:
    return SERIES[(number - 1) % len(SERIES)]


def _marker(number: int) -> str:
    return MARKERS[(number - 1) % len(MARKERS)]


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value / by
