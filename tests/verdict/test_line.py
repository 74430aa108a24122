from __future__ import annotations

import math
from dataclasses import replace

import pytest

from stbench.verdict.judge import Verdict
from stbench.verdict.line import parse_line, verdict_line

WIN = Verdict(
    outcome="WIN", score=0.71249, baseline=0.49041, delta=0.22208, low=0.1951, high=0.2479, p=0.0002, n=600,
    metric="cosine_ndcg@10", min_effect=0.005,
)  # fmt: skip
LINE = (
    "VERDICT: WIN | score=0.7125 | baseline=0.4904 | delta=+0.2221 | ci95=[+0.195,+0.248] | p=0.0002 | n=600"
    " | metric=cosine_ndcg@10 | run=demo-1a2b"
)


def test_the_line_has_its_exact_shape() -> None:
    assert verdict_line(WIN, "demo-1a2b") == LINE


def test_extras_stand_between_n_and_metric() -> None:
    extras = {"query_active_dims": 41.23, "corpus_active_dims": 187.0, "kept": 0.98765}
    line = verdict_line(replace(WIN, extras=extras), "r")
    assert "n=600 | query_active_dims=41.2 | corpus_active_dims=187.0 | kept=0.9877 | metric=" in line


def test_the_line_reads_back() -> None:
    fields = parse_line(LINE)
    assert list(fields) == ["outcome", "score", "baseline", "delta", "ci95", "p", "n", "metric", "run"]
    assert fields["outcome"] == "WIN"
    assert fields["ci95"] == "[+0.195,+0.248]"
    again = replace(WIN, score=float(fields["score"]), baseline=float(fields["baseline"]), delta=float(fields["delta"]))
    assert verdict_line(again, fields["run"]) == LINE


@pytest.mark.parametrize("run", ["a=b", "a | b", "line\nbreak", "ünïcode é"])
def test_no_name_breaks_the_line(run: str) -> None:
    line = verdict_line(WIN, run)
    assert "\n" not in line
    fields = parse_line(line)
    assert len(fields) == 9
    assert fields["run"] == " ".join(run.replace("|", "/").split())


def test_the_last_line_of_a_log_counts() -> None:
    log = f"12:00:01 INFO {LINE}\n12:00:02 INFO {LINE.replace('WIN', 'MARGINAL')}\nbye\n"
    assert parse_line(log)["outcome"] == "MARGINAL"
    with pytest.raises(ValueError, match="VERDICT"):
        parse_line("nothing here")


def test_the_sign_survives_rounding() -> None:
    assert "ci95=[-0.000,+0.000]" in verdict_line(replace(WIN, low=-0.0001, high=0.0001), "r")


def test_small_and_missing_values_stay_readable() -> None:
    line = verdict_line(replace(WIN, outcome="MARGINAL", score=math.nan, p=2e-6), "r")
    assert parse_line(line)["score"] == "nan"
    assert float(parse_line(line)["p"]) == 2e-6
