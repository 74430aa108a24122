"""The report of a run: one HTML file that opens offline, on a phone, in the dark and on paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from stbench.records.charts import (
    gain_chart,
    loss_chart,
    norm_chart,
    pace_chart,
    score_chart,
    size_chart,
    sparsity_chart,
)
from stbench.records.cost_table import cost_caption, cost_rows
from stbench.records.drawing import STYLE, Chart, known
from stbench.records.numbers import number, signed

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

    from stbench.audit.finding import Audit
    from stbench.evaluation.cost import Costs
    from stbench.evaluation.sizes import Size
    from stbench.records.beside import Beside
    from stbench.training.pace import Moment
    from stbench.training.profiling import Profiled

SHOWN_SAMPLES = 10
"""Wins and losses that are told one by one."""
LONGEST_TEXT = 600
WHOLE = "in all"
"""The name under which the time of a whole run stands among those of its stages."""


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
    audit: Audit | None = None
    """What was found in the data."""
    spent: Sequence[tuple[str, str]] = ()
    """Time and memory of the run itself."""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each stage, in their order."""
    pace: Sequence[Moment] = ()
    """Time and memory of each training step."""
    profile: Profiled | None = None
    """Phases and operators of a few steps."""
    files: Sequence[str] = ()
    """Links relative to the report."""
    compared: str = "untouched model"
    """What the baseline is."""


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
    environment.globals.update(cost_rows=cost_rows, cost_caption=cost_caption, shares=shares)
    environment.filters.update(number=number, signed=signed, relative=_relative, short=_short, breakable=_breakable)
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
        charts=charts_of(record, [change.gain for change in changes]),
        balance=(len(wins), len(changes) - len(wins) - len(losses), len(losses)),
        wins=wins[:SHOWN_SAMPLES],
        losses=losses[:SHOWN_SAMPLES],
    )


def _relative(link: str) -> str:
    """Quoted, so that no link can name a scheme such as `javascript:`."""
    return quote(link, safe="/")


def _breakable(name: str) -> Markup:
    """A long name that may go on in the next line after an underscore, and before @."""
    from markupsafe import Markup, escape

    return Markup(re.sub("(?<=_)(?=[^_])|(?=@)", "<wbr>", str(escape(name))))


def deciding(record: Record) -> set[str]:
    """Rows of the deciding metric, which the verdict names in short: the library puts the split's name and the like before it."""
    metric = record.verdict["metric"]
    return {row.name for row in record.metrics if row.name == metric or row.name.endswith(f"_{metric}")}


class Share(NamedTuple):
    """A stage of a run, and how much of the whole it took, in percent."""

    stage: str
    seconds: float
    width: float


def shares(stages: Mapping[str, float]) -> list[Share]:
    """Every stage in its order, then what no stage accounts for."""
    whole = stages.get(WHOLE, sum(stages.values()))
    named = {name: seconds for name, seconds in stages.items() if name != WHOLE}
    rest = whole - sum(named.values())
    told = {**named, "everything else": rest} if rest >= 0.05 else named
    return [Share(name, seconds, round(100 * seconds / whole, 2) if whole else 0.0) for name, seconds in told.items()]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + " …"


def _change_in_words(verdict: Mapping[str, Any]) -> str:
    score, baseline = verdict["score"], verdict["baseline"]
    if not (known(score) and known(baseline)):
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
    if not all(map(known, (low, high, delta, effect))):
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
    there = [(name, float(score), kind) for name, score, kind in scores if known(score)]
    top = max((score for _, score, _ in there), default=0.0)
    unit = 100 / top if top > 0 and min(score for _, score, _ in there) >= 0 else 0.0
    found = [Standing(name, score, round(score * unit, 2), kind) for name, score, kind in there]
    return sorted(found, key=lambda standing: -standing.score)


def _changes(record: Record) -> list[Change]:
    sign = -1.0 if _lower_is_better(record.verdict) else 1.0
    there = (sample for sample in record.samples if known(sample.baseline) and known(sample.final))
    return [Change(sample, sign * (sample.final - sample.baseline)) for sample in there]


def charts_of(record: Record, gains: Sequence[float]) -> list[Chart]:
    """Every figure that there is something to draw for."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        found = (
            loss_chart(record.history),
            score_chart(record.history, record.best_step),
            sparsity_chart(record.history),
            norm_chart(record.history),
            pace_chart(record.pace),
            gain_chart(gains),
            size_chart(record.sizes, str(record.verdict["metric"])),
        )
        return [chart for chart in found if chart]
