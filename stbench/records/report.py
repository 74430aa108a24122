"""The report of a run: one HTML file that opens offline, on a phone, in the dark and on paper."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from stbench.records.cost_table import cost_caption, cost_rows

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stbench.evaluation.cost import Costs
    from stbench.evaluation.sizes import Size
    from stbench.records.beside import Beside

SHOWN_SAMPLES = 10
"""Wins and losses that are told one by one."""
LONGEST_TEXT = 600
MOST_POINTS = 300
"""Points a curve is thinned to: more than a screen can show only make the file large."""
FEW_POINTS = 40
BINS = 21
"""Odd, so that one bin of the histogram has zero in its middle."""

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
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", MAIN: "main", SIDE: "side", GOOD: "good", BAD: "bad"}


@dataclass(frozen=True)
class MetricRow:
    """One metric before and after; None where it was not measured."""

    name: str
    baseline: float | None
    final: float | None


@dataclass(frozen=True)
class SampleRow:
    """One sample of the test split with its own value of the deciding metric, before and after."""

    id: str
    text: str
    baseline: float
    final: float


@dataclass(frozen=True)
class Record:
    """All that a report shows, as plain values; what is empty is left out of the page."""

    run: str
    line: str
    """The verdict line, as the console shows it."""
    verdict: Mapping[str, Any]
    """outcome, score, baseline, delta, low, high, p, n, metric, min_effect, settle, detectable, extras."""
    command: str
    facts: Sequence[tuple[str, str]] = ()
    metrics: Sequence[MetricRow] = ()
    sizes: Sequence[Size] = ()
    """The model cut to fewer dimensions or layers, largest first."""
    also: Sequence[Beside] = ()
    """What evaluators beside the deciding one say."""
    references: Mapping[str, float] = field(default_factory=dict)
    """Scores of other systems on the same samples."""
    history: Sequence[Mapping[str, float]] = ()
    """What was logged: step, epoch, loss, learning_rate, grad_norm; `score` where it was evaluated."""
    best_step: int | None = None
    samples: Sequence[SampleRow] = ()
    """Empty when the metric exists only over the whole set."""
    advice: Sequence[tuple[str, str]] = ()
    """What to append to the command, and why."""
    plan: str = ""
    config: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    costs: Costs | None = None
    """Speed and size, before and after."""
    spent: Sequence[tuple[str, str]] = ()
    """Time and memory of the run itself."""
    files: Sequence[str] = ()
    """Links relative to the report."""
    compared: str = "untouched model"
    """What the baseline is."""


class Chart(NamedTuple):
    """A drawing with the words that stand above and below it."""

    title: str
    svg: Markup
    caption: str


class Interval(NamedTuple):
    """The verdict's drawing: places along its width in percent."""

    zero: float
    band_left: float
    band_width: float
    low: float
    width: float
    delta: float
    anchor: str


class Standing(NamedTuple):
    """One system in the comparison on the deciding metric; `width` of its bar in percent."""

    name: str
    score: float
    width: float
    kind: str


class Change(NamedTuple):
    """A sample and how much better it got, whichever way its metric counts."""

    sample: SampleRow
    gain: float


def write(record: Record, path: Path) -> None:
    """Write the report of `record` to `path`, UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Texts from data sets may hold halves of surrogate pairs, which no encoding takes.
    path.write_bytes(render(record).encode("utf-8", "replace"))


def template(name: str) -> Template:
    """The page `name` beside this module."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(cost_rows=cost_rows, cost_caption=cost_caption)
    environment.filters.update(number=number, signed=signed, relative=_relative, short=_short)
    return environment.get_template(name)


def render(record: Record) -> str:
    """The whole page; the same record always gives the same page."""
    changes = _changes(record)
    wins = sorted((c for c in changes if c.gain > 0), key=lambda c: (-c.gain, c.sample.id))
    losses = sorted((c for c in changes if c.gain < 0), key=lambda c: (c.gain, c.sample.id))
    return template("report.html.j2").render(
        record=record,
        verdict=record.verdict,
        change=_change_in_words(record.verdict),
        deciding=deciding(record),
        interval=_interval(record.verdict),
        standings=standings(record),
        charts=_charts(record, changes),
        balance=(len(wins), len(changes) - len(wins) - len(losses), len(losses)),
        wins=wins[:SHOWN_SAMPLES],
        losses=losses[:SHOWN_SAMPLES],
    )


def number(value: float | int | str | None) -> str:
    """Four decimals for scores, fewer for large values, a dash for what is missing."""
    if value is None or isinstance(value, str):
        return value or "–"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"{value}"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if 0 < size < 0.00005:
        return f"{value:.1e}"
    return f"{value:.4f}" if size < 10 else f"{value:,.1f}"


def signed(value: float | None) -> str:
    """Like `number`, with a sign that lines up: + or a true minus."""
    if value is None or math.isnan(value):
        return "–"
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return sign + number(abs(float(value)))


def _relative(link: str) -> str:
    """Quoted, so that no link can name a scheme such as `javascript:`."""
    return quote(link, safe="/")


def deciding(record: Record) -> set[str]:
    """Rows of the deciding metric, which the verdict names in short: the library puts the split's name and the like before it."""
    metric = record.verdict["metric"]
    return {row.name for row in record.metrics if row.name == metric or row.name.endswith(f"_{metric}")}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + " …"


def _known(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _change_in_words(verdict: Mapping[str, Any]) -> str:
    score, baseline = verdict["score"], verdict["baseline"]
    if not (_known(score) and _known(baseline)):
        return "could not be measured"
    if score == baseline:
        return f"stayed at {number(float(score))}"
    verb = "rose" if score > baseline else "fell"
    remark = " (lower is better)" if _lower_is_better(verdict) else ""
    return f"{verb} from {number(float(baseline))} to {number(float(score))}{remark}"


def _lower_is_better(verdict: Mapping[str, Any]) -> bool:
    """The verdict's delta, and only it, has its sign turned for such metrics."""
    return bool((verdict["score"] - verdict["baseline"]) * verdict["delta"] < 0)


def _interval(verdict: Mapping[str, Any]) -> Interval | None:
    """Places on an axis that holds zero, the band of effects too small to count, and the whole interval."""
    low, high, delta, effect = (verdict[key] for key in ("low", "high", "delta", "min_effect"))
    if not all(map(_known, (low, high, delta, effect))):
        return None
    left, right = min(low, -effect, delta), max(high, effect, delta)
    margin = 0.06 * (right - left) or 1.0
    span = right - left + 2 * margin

    def place(value: float) -> float:
        return round(float(100 * (value - left + margin) / span), 2)

    middle = place(delta)
    anchor = "start" if middle < 35 else "end" if middle > 65 else "middle"
    band, extent = place(effect) - place(-effect), place(high) - place(low)
    return Interval(place(0), place(-effect), round(band, 2), place(low), round(extent, 2), middle, anchor)


def standings(record: Record) -> list[Standing]:
    """Baseline, result and references from high to low; no bars where a score is negative."""
    if not record.references:
        return []
    verdict = record.verdict
    scores = [(record.compared, verdict["baseline"], "baseline"), ("this run", verdict["score"], "final")]
    scores += [(name, score, "reference") for name, score in record.references.items()]
    known = [(name, float(score), kind) for name, score, kind in scores if _known(score)]
    top = max((score for _, score, _ in known), default=0.0)
    unit = 100 / top if top > 0 and min(score for _, score, _ in known) >= 0 else 0.0
    found = [Standing(name, score, round(score * unit, 2), kind) for name, score, kind in known]
    return sorted(found, key=lambda standing: -standing.score)


def _changes(record: Record) -> list[Change]:
    sign = -1.0 if _lower_is_better(record.verdict) else 1.0
    known = (sample for sample in record.samples if _known(sample.baseline) and _known(sample.final))
    return [Change(sample, sign * (sample.final - sample.baseline)) for sample in known]


def _charts(record: Record, changes: Sequence[Change]) -> list[Chart]:
    import matplotlib

    with matplotlib.rc_context(STYLE):
        charts = (
            _loss_chart(record),
            _score_chart(record),
            _norm_chart(record),
            _gain_chart(changes),
            size_chart(record),
        )
        return [chart for chart in charts if chart]


def _loss_chart(record: Record) -> Chart | None:
    steps, losses = _curve(record, "loss")
    if not steps:
        return None
    figure, axes = canvas()
    _line(axes, steps, losses, MAIN)
    rate_steps, rates = _curve(record, "learning_rate")
    if rate_steps:
        right = axes.twinx()
        right.grid(False)
        right.spines["left"].set_visible(False)
        right.spines["right"].set_visible(True)
        _line(right, rate_steps, rates, SIDE, "--")
        right.set_ylim(bottom=0)
        right.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    caption = f"Training loss from {number(losses[0])} to {number(losses[-1])}"
    if not rate_steps:
        return Chart("Loss", drawn(figure, "loss"), f"{caption}.")
    caption = f"{caption}; dashed, on the right: the learning rate."
    return Chart("Loss and learning rate", drawn(figure, "loss"), caption)


def _score_chart(record: Record) -> Chart | None:
    steps, scores = _curve(record, "score", thin=False)
    if not steps:
        return None
    figure, axes = canvas()
    _line(axes, steps, scores, MAIN)
    caption = "Measured on the selection split, which chooses the checkpoint and gives no verdict."
    if record.best_step in steps:
        best = scores[steps.index(record.best_step)]
        axes.scatter([record.best_step], [best], s=100, facecolors="none", edgecolors=GOOD, linewidths=2, zorder=3)
        caption = f"Best at step {record.best_step:,}{_epoch(record)}: {number(best)}. {caption}"
    return Chart("Selection metric", drawn(figure, "score"), caption)


def _epoch(record: Record) -> str:
    there = (row for row in record.history if row.get("step") == record.best_step)
    epochs = [row["epoch"] for row in there if _known(row.get("epoch"))]
    return f" (epoch {epochs[0]:.3g})" if epochs else ""


def _norm_chart(record: Record) -> Chart | None:
    steps, norms = _curve(record, "grad_norm")
    if not steps:
        return None
    figure, axes = canvas()
    _line(axes, steps, norms, MAIN)
    axes.set_ylim(bottom=0)
    return Chart("Gradient norm", drawn(figure, "norm"), f"Largest, before clipping: {number(max(norms))}.")


def _gain_chart(changes: Sequence[Change]) -> Chart | None:
    """Samples that did not move are counted in words: their bar would dwarf all others."""
    import numpy as np

    gains = np.array([change.gain for change in changes if change.gain])
    if not len(gains):
        return None
    reach = float(np.abs(gains).max())
    counts, edges = np.histogram(gains, bins=BINS, range=(-reach, reach))
    middles = (edges[:-1] + edges[1:]) / 2
    colors = [MUTED if abs(m) < reach / BINS else GOOD if m > 0 else BAD for m in middles]
    figure, axes = canvas("change of a sample")
    axes.bar(middles, counts, width=0.9 * (edges[1] - edges[0]), color=colors)
    axes.axvline(0, color=INK, linewidth=1)
    axes.locator_params(axis="y", integer=True)
    caption = f"{len(changes) - len(gains):,} of {len(changes):,} samples did not change."
    return Chart("Changes, sample by sample", drawn(figure, "gains"), caption)


def size_chart(record: Record) -> Chart | None:
    """Score against dimensions, a line for each number of layers; or against layers, where only these vary."""
    dims = sorted({size.dim for size in record.sizes})
    layers = sorted({size.layers for size in record.sizes if size.layers is not None}, reverse=True)
    if len(record.sizes) < 2:
        return None
    by_layers = len(dims) == 1
    figure, axes = canvas("transformer layers" if by_layers else "dimensions")
    for count in [None] if by_layers or not layers else layers:
        cut = sorted(
            (size for size in record.sizes if count is None or size.layers == count),
            key=lambda size: (size.layers or 0) if by_layers else size.dim,
        )
        places = [(size.layers or 0) if by_layers else size.dim for size in cut]
        _line(axes, places, [size.baseline for size in cut], SIDE, "--")
        _line(axes, places, [size.score for size in cut], MAIN)
        if count is not None and len(layers) > 1:
            axes.annotate(
                f"{count} layers", (places[-1], cut[-1].score), textcoords="offset points", xytext=(0, 5), ha="right"
            )
    if by_layers:
        axes.locator_params(axis="x", integer=True)
    else:
        axes.set_xscale("log", base=2)
        axes.set_xticks(dims, [str(dim) for dim in dims])
        axes.minorticks_off()
    caption = f"{record.verdict['metric']} of the model cut to size; dashed: of the untouched model cut to size."
    return Chart("Score by size", drawn(figure, "sizes"), caption)


def _curve(record: Record, key: str, thin: bool = True) -> tuple[list[float], list[float]]:
    """Steps and finite values of one logged quantity; thinned to means of equal stretches."""
    rows = (row for row in record.history if _known(row.get("step")) and _known(row.get(key)))
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


def _line(axes: Axes, steps: Sequence[float], values: Sequence[float], color: str, style: str = "-") -> None:
    # A line through one point, or through few, shows nothing without its points.
    marker = "o" if len(steps) <= FEW_POINTS else ""
    axes.plot(steps, values, color=color, linestyle=style, marker=marker, markersize=4)
    axes.tick_params(length=0)


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
