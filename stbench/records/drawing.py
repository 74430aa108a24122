"""How figures are drawn: their colours are the page's own, in light and in dark, and no two share an id."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 300
"""Points a curve is thinned to: more than a screen can show only make the file large."""
FEW_POINTS = 40

# Placeholders that a figure is drawn with; the page's style sheet says what they mean, in light and in dark.
INK, MUTED, GRID = "#010101", "#020202", "#030303"
MAIN, SIDE, GOOD, BAD = "#040404", "#050505", "#060606", "#070707"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "stbench",
    "font.size": 11.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "lines.linewidth": 1.8,
}
SERIES = tuple(f"#08080{place}" for place in range(1, 9))
"""Of several runs in one drawing."""
VARIABLES = {color: f"series-{place}" for place, color in enumerate(SERIES, 1)} | {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    MAIN: "main",
    SIDE: "side",
    GOOD: "good",
    BAD: "bad",
}


class Chart(NamedTuple):
    """A drawing with the words that stand above and below it."""

    title: str
    svg: Markup
    caption: str


def curve(history: Sequence[Mapping[str, float]], key: str, thin: bool = True) -> tuple[list[float], list[float]]:
    """Steps and finite values of one logged quantity; thinned to means of equal stretches."""
    rows = (row for row in history if known(row.get("step")) and known(row.get(key)))
    points = sorted(((row["step"], row[key]) for row in rows), key=lambda point: point[0])
    stretch = math.ceil(len(points) / MOST_POINTS) if thin else 1
    parts = [points[i : i + stretch] for i in range(0, len(points), max(stretch, 1))]
    return [part[-1][0] for part in parts], [sum(value for _, value in part) / len(part) for part in parts]


def canvas(label: str = "step") -> tuple[Figure, Axes]:
    """An empty drawing with a horizontal axis of that name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 2.9), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(label)
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.02, y=0.08)
    return figure, axes


def line(axes: Axes, steps: Sequence[float], values: Sequence[float], color: str, style: str = "-") -> None:
    # A line through one point, or through few, shows nothing without its points.
    marker = "o" if len(steps) <= FEW_POINTS else ""
    axes.plot(steps, values, color=color, linestyle=style, marker=marker, markersize=4)
    axes.tick_params(length=0)
    if axes.get_xscale() == "linear":
        # Steps and layers are counted.
        axes.locator_params(axis="x", integer=True)


def drawn(figure: Figure, prefix: str) -> Markup:
    """The bare <svg>, with the page's colours, and ids that no other drawing on the page has."""
    from markupsafe import Markup

    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'^(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'^(<svg[^>]*?) height="[^"]*"', r"\1", svg))
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    return Markup(svg)


def known(value: object) -> bool:
    """Whether it is a number that can be drawn."""
    return isinstance(value, int | float) and math.isfinite(value)
