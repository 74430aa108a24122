"""The figures of a run: what they draw, and when there is nothing to draw."""

from __future__ import annotations

import re
from collections.abc import Iterator

import matplotlib
import pytest

from stbench.evaluation.sizes import Size
from stbench.records.charts import (
    gain_chart,
    loss_chart,
    norm_chart,
    pace_chart,
    score_chart,
    size_chart,
    sparsity_chart,
)
from stbench.records.drawing import STYLE
from stbench.training.pace import Moment

HISTORY = [{"step": step, "loss": 2 / step, "learning_rate": 0.1 / step, "grad_norm": step} for step in range(1, 9)]


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with matplotlib.rc_context(STYLE):
        yield


def lines(svg: str) -> int:
    return len(re.findall(r'id="\w+-line2d_\d+"', svg))


def test_nothing_measured_nothing_drawn() -> None:
    assert not any(chart([]) for chart in (loss_chart, norm_chart, sparsity_chart, pace_chart, gain_chart))
    assert score_chart([], 3) is None
    assert size_chart([Size(64, 6, 0.5, 0.4, 256, 1.0, 10)], "ndcg@10") is None


def test_the_loss_stands_beside_the_learning_rate() -> None:
    chart, alone = loss_chart(HISTORY), loss_chart([{"step": 1, "loss": 2.0}])
    assert chart is not None
    assert (chart.title, chart.caption[:42]) == ("Loss and learning rate", "Training loss from 2.0000 to 0.2500; dashe")
    assert "var(--side)" in chart.svg
    assert alone is not None
    assert alone.title == "Loss"


def test_the_best_step_is_marked() -> None:
    history = [{"step": 5, "epoch": 0.5, "score": 0.6}, {"step": 10, "epoch": 1.0, "score": 0.5}]
    marked, unmarked = score_chart(history, 5), score_chart(history, None)
    assert marked is not None
    assert marked.caption.startswith("Best at step 5 (epoch 0.5): 0.6000.")
    assert "var(--good)" in marked.svg
    assert unmarked is not None
    assert "var(--good)" not in unmarked.svg


def test_each_step_has_its_time_and_memory() -> None:
    chart = pace_chart([Moment(step, 0.25 if step > 1 else 3.0, step * 2**30) for step in range(1, 5)])
    assert chart is not None
    assert "0.25 in the middle and at most 3" in chart.caption
    assert "up to 4 GiB" in chart.caption


def test_active_dimensions_are_told_by_side() -> None:
    history = [
        {"step": 5, "validation_query_active_dims": 900.0, "validation_corpus_active_dims": 2000.0},
        {"step": 9, "validation_query_active_dims": 40.0, "validation_corpus_active_dims": 200.0},
    ]
    chart = sparsity_chart(history)
    assert chart is not None
    assert "at the end 200 of a document, 40 of a query" in chart.caption


def test_samples_that_did_not_change_are_counted_in_words() -> None:
    chart = gain_chart([0.0, 0.0, 0.5, -0.25])
    assert chart is not None
    assert chart.caption == "2 of 4 samples did not change."
    assert gain_chart([0.0, 0.0]) is None


def test_long_curves_are_thinned() -> None:
    many = [{"step": step, "loss": 1.0 + step % 2} for step in range(20_000)]
    chart = loss_chart(many)
    assert chart is not None
    assert len(chart.svg) < 40_000
    assert lines(chart.svg)
