"""A small drawing for each swept option: every run a dot, and the means of the levels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from stbench.records.drawing import GOOD, INK, MAIN, STYLE, Chart, canvas, drawn
from stbench.records.numbers import number
from stbench.records.sweep import Board, SweepResult
from stbench.records.sweep_effects import Effect

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DECADE = 10
"""Quantities that span more than this factor stand on a logarithmic axis."""
NEAREST = 0.09
"""Part of the axis that two ticks are apart, so that their labels do not touch."""
LONGEST_LABEL = 26
ROOMY = 6
"""Levels that have room in a drawing of the usual height; each more makes it higher."""
HEIGHT_OF_ONE = 0.32


def charts(result: SweepResult) -> list[Chart]:
    """Of every option of every board, the one that explains most first."""
    import matplotlib

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # The browser has the letters that the font of the drawing lacks: texts stay texts.
        warnings.filterwarnings("ignore", message="Glyph")
        return [
            effect_chart(effect, _title(result, board, effect), f"effect-{group}-{place}")
            for group, board in enumerate(result.boards)
            for place, effect in enumerate(board.effects)
        ]


def _title(result: SweepResult, board: Board, effect: Effect) -> str:
    metric = board.title if len(result.boards) > 1 else board.group.metric
    return f"{metric} by {effect.factor}"


def effect_chart(effect: Effect, title: str, prefix: str) -> Chart:
    figure, axes = canvas("")
    (_by_number if effect.numeric else _by_name)(figure, axes, effect)
    axes.tick_params(length=0)
    return Chart(title, drawn(figure, prefix), _caption(effect))


def _by_number(figure: Figure, axes: Axes, effect: Effect) -> None:
    """Quantities from left to right, a line through the means."""
    levels = effect.present
    places = [float(level.name) for level in levels]
    for place, level in zip(places, levels, strict=True):
        axes.plot([place] * len(level.scores), level.scores, "o", color=MAIN, markersize=5, alpha=0.55)
    if not effect.scattered:
        axes.plot(places, [level.mean for level in levels], color=INK, linewidth=1.6)
    _ring(axes, places, [level.best for level in levels], effect)
    axes.set_xlabel(effect.factor, parse_math=False)
    log = min(places) > 0 and max(places) > DECADE * min(places)
    if log:
        axes.set_xscale("log")
    if _roomy([math.log(place) for place in places] if log else places):
        axes.set_xticks(places, [level.name for level in levels])
        axes.minorticks_off()
    axes.margins(x=0.06, y=0.12)


def _by_name(figure: Figure, axes: Axes, effect: Effect) -> None:
    """Names from top to bottom, where there is room for them."""
    levels = effect.present
    for place, level in enumerate(levels):
        axes.plot(level.scores, [place] * len(level.scores), "o", color=MAIN, markersize=6, alpha=0.55)
        axes.vlines([level.mean], place - 0.28, place + 0.28, color=INK, linewidth=2)
    _ring(axes, [level.best for level in levels], list(range(len(levels))), effect)
    axes.set_yticks(range(len(levels)), [_short(level.name) for level in levels], parse_math=False)
    axes.set_ylim(len(levels) - 0.4, -0.6)
    axes.grid(False)
    axes.grid(True, axis="x")
    axes.margins(x=0.06)
    figure.set_figheight(figure.get_figheight() + HEIGHT_OF_ONE * max(0, len(levels) - ROOMY))


def _ring(axes: Axes, across: Sequence[float], up: Sequence[float], effect: Effect) -> None:
    """Around the best run."""
    place = effect.present.index(effect.best)
    axes.scatter([across[place]], [up[place]], s=120, facecolors="none", edgecolors=GOOD, linewidths=2, zorder=3)


def _roomy(places: Sequence[float]) -> bool:
    """Whether every level can have its own label."""
    ordered = sorted(set(places))
    gaps = [after - before for before, after in pairwise(ordered)]
    return bool(gaps) and len(ordered) == len(places) and min(gaps) >= NEAREST * (ordered[-1] - ordered[0])


def _caption(effect: Effect) -> str:
    best = effect.best
    text = f"Each run a dot, the best ringed: {number(best.best)} at {best.name}."
    if effect.runs == len(effect.present):
        return text
    kind = "line" if effect.numeric else "bars"
    over = f"the {effect.blocks} combinations of the other options that finished at every level"
    which = over if effect.blocks > 1 else "the one combination of the other options that finished at every level"
    means = which if effect.balanced else "all runs, other options mixed in"
    return f"{text} The {kind}: means over {means}."


def _short(text: str) -> str:
    """Both ends of it: paths begin alike."""
    half = LONGEST_LABEL // 2
    return text if len(text) <= LONGEST_LABEL else f"{text[: half - 1]}…{text[-half:]}"
