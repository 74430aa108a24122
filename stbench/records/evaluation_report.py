"""The report of an evaluation: the page of a run without what only training has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stbench.evaluation.scores import Scores
from stbench.records.charts import BINS
from stbench.records.drawing import BAD, GOOD, MAIN, STYLE, Chart, canvas, drawn
from stbench.records.report import SHOWN_SAMPLES, Record, SampleRow, deciding, standings, template
from stbench.verdict.score import Scored

MOST_DOTS = 400


def write_evaluation(record: Record, scores: Scores, beside: Mapping[str, Scored], path: Path) -> None:
    """Write the page of `record` to `path`; `beside` are scores by other evaluators, which are reported."""
    path.write_bytes(render_evaluation(record, scores, beside).encode("utf-8", "replace"))


def render_evaluation(record: Record, scores: Scores, beside: Mapping[str, Scored]) -> str:
    """The whole page; the same record always gives the same page."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        chart = _chart(scores.samples)
    return template("evaluation.html.j2").render(
        record=record,
        verdict=record.verdict,
        deciding=deciding(record),
        standings=standings(record),
        charts=[chart] if chart else [],
        weakest=weakest(record.samples, not scores.greater_is_better),
        beside=beside,
    )


def weakest(samples: Sequence[SampleRow], lower_is_better: bool) -> list[SampleRow]:
    """The samples with the worst values of their own, worst first."""
    sign = -1.0 if lower_is_better else 1.0
    return sorted(samples, key=lambda sample: (sign * sample.final, sample.id))[:SHOWN_SAMPLES]


def _chart(samples: Mapping[str, Any]) -> Chart | None:
    """How the outcomes lie: values of samples, predictions by class, or predictions beside what they should be."""
    if "value" in samples:
        return _values(samples["value"])
    if "prediction" not in samples:
        return None
    classes = set(map(float, samples["target"]))
    return _by_class(samples) if classes == {0.0, 1.0} else _dots(samples) if len(classes) > 2 else None


def _values(values: Any) -> Chart:
    figure, axes = canvas("score of a sample")
    axes.hist(values, bins=BINS, color=MAIN)
    axes.locator_params(axis="y", integer=True)
    caption = f"{len(values):,} samples; half of them reach {sorted(values)[len(values) // 2]:.3f}."
    return Chart("Scores, sample by sample", drawn(figure, "values"), caption)


def _by_class(samples: Mapping[str, Any]) -> Chart:
    figure, axes = canvas("prediction")
    edges = _edges(samples["prediction"])
    for target, color in ((0, BAD), (1, GOOD)):
        axes.hist(samples["prediction"][samples["target"] == target], bins=edges, color=color, alpha=0.6)
    caption = "Green: pairs that belong together. Red: the others."
    return Chart("Predictions by class", drawn(figure, "classes"), caption)


def _edges(values: Any) -> list[float]:
    low, high = float(min(values)), float(max(values))
    return [low + (high - low or 1.0) * place / BINS for place in range(BINS + 1)]


def _dots(samples: Mapping[str, Any]) -> Chart:
    """A drawing of every sample would only make the page large."""
    step = -(-len(samples["target"]) // MOST_DOTS)
    figure, axes = canvas("score in the data")
    axes.set_ylabel("prediction")
    axes.plot(
        samples["target"][::step], samples["prediction"][::step], linestyle="", marker="o", markersize=3, color=MAIN,
        alpha=0.5,
    )  # fmt: skip
    shown = f"{len(samples['target'][::step]):,} of {len(samples['target']):,} pairs"
    return Chart("Predictions beside the scores", drawn(figure, "dots"), f"{shown}.")
