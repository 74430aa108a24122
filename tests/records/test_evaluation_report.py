"""The page of an evaluation: the score with its interval, and nothing of a training that there was not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stbench.evaluation.scores import Scores
from stbench.records.evaluation_report import render_evaluation, weakest
from stbench.records.report import MetricRow, Record, SampleRow
from stbench.verdict.score import Scored

VALUES = np.linspace(0, 1, 50)
VERDICT = {
    "outcome": "EVALUATED", "baseline": None, "score": 0.6462, "low": 0.602, "high": 0.689, "n": 50,
    "metric": "cosine_ndcg@10", "extras": {"query_active_dims": 41.2},
}  # fmt: skip
RECORD = Record(
    run="evaluate-x", line="SCORE: 0.6462 | …", verdict=VERDICT, command="python -m stbench job=evaluate",
    metrics=[MetricRow("cosine_ndcg@10", None, 0.6462), MetricRow("cosine_mrr@10", None, 0.6)],
    references={"BM25": 0.6652}, files=["samples.parquet"],
    samples=[SampleRow(f"q{i}", f"<b>query {i}</b>", value, value) for i, value in enumerate(VALUES)],
)  # fmt: skip


def page(record: Record = RECORD, **samples: Any) -> str:
    scores = Scores("m", {"m": 0.5}, "mean", samples or {"value": VALUES})
    return render_evaluation(record, scores, {"triplet": Scored(0.9, 0.85, 0.95, 40, "cosine_accuracy")})


def test_it_shows_score_interval_metrics_and_references() -> None:
    text = page().replace("<wbr>", "")
    assert "<title>0.6462 cosine_ndcg@10 · evaluate-x</title>" in text
    for shown in (
        "0.6020 to 0.6890",
        "query active dims",
        "BM25",
        "0.6652",
        "cosine_mrr@10",
        "samples.parquet",
        "triplet",
    ):
        assert shown in text
    assert "baseline" not in text.split("</style>")[1]
    assert "untouched" not in text


def test_the_weakest_samples_come_with_their_texts_escaped() -> None:
    text = page()
    assert "&lt;b&gt;query 0&lt;/b&gt;" in text
    assert "query 49" not in text
    assert "Where it is weakest" not in page(replace(RECORD, samples=()))


def test_where_lower_is_better_the_weakest_are_the_highest() -> None:
    assert weakest(RECORD.samples, lower_is_better=True)[0].id == "q49"
    assert weakest(RECORD.samples, lower_is_better=False)[0].id == "q0"


@pytest.mark.parametrize(
    ("samples", "title"),
    [
        ({"value": VALUES}, "Scores, sample by sample"),
        ({"prediction": VALUES, "target": VALUES * 5}, "Predictions beside the scores"),
        ({"prediction": VALUES, "target": (VALUES > 0.5).astype(float)}, "Predictions by class"),
        ({"prediction": np.ones(4), "target": np.array([0.0, 0, 1, 1])}, "Predictions by class"),
    ],
)
def test_the_drawing_follows_the_kind_of_outcome(samples: dict[str, Any], title: str) -> None:
    assert title in page(**samples)


def test_the_same_record_gives_the_same_page_and_not_a_large_one() -> None:
    many = {"prediction": np.random.default_rng(1).random(5000), "target": np.random.default_rng(2).random(5000)}
    assert page(**many) == page(**many)
    assert len(page(**many)) < 200_000
