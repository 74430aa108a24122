"""A run comes back from its folder as it was kept; whatever is wrong with a folder is said, never raised."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import CONFIG, IDS, N, outcomes, scores, write_evaluation, write_run, write_weights

from stbench.records.finished import FinishedRun, LeftOut, read_run


def read(path: Path) -> FinishedRun:
    found = read_run(path)
    assert isinstance(found, FinishedRun), found
    return found


def reason(path: Path) -> str:
    found = read_run(path)
    assert isinstance(found, LeftOut)
    assert found.mend
    return found.reason


def test_a_run_is_read_whole(tmp_path: Path) -> None:
    values = outcomes(0.2)
    path = write_run(tmp_path, "one", scores(values), scores(outcomes(0.1, 2)))
    write_weights(path, {"a": (10, 4), "b": (2,)}, size=300)
    run = read(path)
    assert (run.name, run.job, run.words, run.outcome) == ("one", "train", "loss=one", "WIN")
    assert run.samples["value"].tolist() == values.tolist()
    assert run.samples["id"].tolist() == IDS
    assert set(run.samples) == {"id", "value", "ndcg@10", "recall@10"}
    assert (run.score, run.baseline) == (pytest.approx(values.mean()), pytest.approx(outcomes(0.1, 2).mean()))
    assert run.plan == {"data": "small: 100 rows", "loss": "LossOne", "batch size": "32"}
    cost = run.cost
    assert (cost.training_seconds, cost.peak_bytes, cost.parameters) == (12.5, 2**30, 42)
    assert cost.model_bytes == (path / "model" / "model.safetensors").stat().st_size
    assert (cost.texts_per_second, cost.query_ms) == (None, None)


def test_costs_that_were_measured_come_first(tmp_path: Path) -> None:
    after = {
        "texts_per_second": 850.0, "query_ms_median": 1.25, "model_bytes": 5, "parameters": 7,
        "index_bytes_per_document": 1024.0, "active_dims": None,
    }  # fmt: skip
    measured = {
        "before": {**after, "texts_per_second": 1.0},
        "after": after,
        "machine": {"device": "cpu", "processors": 2},
    }
    path = write_run(tmp_path, "one", scores(outcomes(0.2)), **{"cost.json": measured})
    cost = read(path).cost
    assert (cost.texts_per_second, cost.query_ms, cost.model_bytes, cost.parameters) == (850.0, 1.25, 5, 7)
    assert (cost.index_bytes, cost.active_dims, cost.machine) == (1024.0, None, "cpu, 2")


def test_an_evaluation_is_a_run_without_a_baseline(tmp_path: Path) -> None:
    run = read(write_evaluation(tmp_path, "evaluate-one", scores(outcomes(0.2))))
    assert (run.job, run.outcome, run.baseline, run.history) == ("evaluate", "EVALUATED", None, ())
    assert len(run.samples["value"]) == N


def test_two_runs_answered_one_question_whatever_the_order_of_their_samples(tmp_path: Path) -> None:
    values = outcomes(0.2)
    turned = scores(values[::-1], ids=IDS[::-1])
    one, other = (read(write_run(tmp_path, name, some)) for name, some in (("one", scores(values)), ("two", turned)))
    assert one.question == other.question
    assert other.samples["id"].tolist() == IDS[::-1]
    aligned = other.in_order_of(one)
    assert aligned["id"].tolist() == IDS
    assert np.array_equal(aligned["value"], values)


@pytest.mark.parametrize(
    "other",
    [
        scores(outcomes(0.2), judged="another corpus"),
        scores(outcomes(0.2), ids=[f"other {place}" for place in range(N)]),
        scores(outcomes(0.2, n=40)),
        scores(outcomes(0.2), greater_is_better=False),
    ],
)
def test_another_corpus_sample_or_direction_is_another_question(tmp_path: Path, other: Any) -> None:
    one = read(write_run(tmp_path, "one", scores(outcomes(0.2))))
    assert read(write_run(tmp_path, "two", other)).question != one.question


def test_another_similarity_is_the_same_question(tmp_path: Path) -> None:
    dense = read(write_run(tmp_path, "dense", scores(outcomes(0.2))))
    sparse = read(write_run(tmp_path, "sparse", scores(outcomes(0.1), prefix="test_dot_")))
    assert dense.question == sparse.question


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"status.json": {"state": "running"}}, "still running, or was killed"),
        ({"status.json": {"state": "failed"}}, "it failed"),
        ({"status.json": {"state": "interrupted"}}, "it was interrupted"),
        ({"status.json": None}, "there is no status.json"),
        ({"status.json": "{"}, "cannot be read (JSONDecodeError"),
        ({"config.yaml": "a: ["}, "cannot be read (ParserError"),
        ({"config.yaml": None}, "cannot be read (FileNotFoundError"),
        ({"metrics.json": None}, "metrics.json is missing"),
        ({"metrics.json": {"test": {}}}, "before runs told how they were judged"),
        ({"verdict.json": None}, "verdict.json is missing"),
        ({"verdict.json": {"outcome": "WIN"}}, "cannot be read (KeyError: 'score'"),
        ({"samples.parquet": "text"}, "cannot be read (Arrow"),
        ({"config.yaml": json.dumps({**CONFIG, "training": {"trial": True}})}, "a trial on a slice"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    assert said in reason(write_run(tmp_path, "one", scores(outcomes(0.2)), **files))


def test_an_unfinished_run_is_mended_by_its_own_command_and_a_broken_one_started_over(tmp_path: Path) -> None:
    unfinished = read_run(write_run(tmp_path, "one", scores(outcomes(0.2)), **{"status.json": {"state": "failed"}}))
    broken = read_run(write_run(tmp_path, "two", scores(outcomes(0.2)), **{"metrics.json": None}))
    assert isinstance(unfinished, LeftOut)
    assert isinstance(broken, LeftOut)
    assert unfinished.mend == "python -m stbench tracker=none loss=one"
    assert broken.mend == "python -m stbench tracker=none loss=two force=true"


def test_folders_of_other_jobs_are_known_as_such(tmp_path: Path) -> None:
    config = json.dumps({**CONFIG, "job": {"kind": "mine"}})
    found = read_run(write_run(tmp_path, "one", scores(outcomes(0.2)), **{"config.yaml": config}))
    assert isinstance(found, LeftOut)
    assert found.other_job


def test_a_verdict_over_seeds_is_no_run_of_its_own(tmp_path: Path) -> None:
    seeds = [{"seed": 1, "run": "one"}, {"seed": 2, "run": "two"}]
    path = write_run(tmp_path, "both", scores(outcomes(0.2)), **{"seeds.json": seeds, "metrics.json": None})
    found = read_run(path)
    assert isinstance(found, LeftOut)
    assert (found.other_job, found.mend) == (True, "name these: runs=[one,two]")


def test_a_score_that_there_is_not_is_nan(tmp_path: Path) -> None:
    verdict = {"outcome": "MARGINAL", "score": None, "baseline": 0.5, "metric": "m", "n": N}
    assert math.isnan(read(write_run(tmp_path, "one", scores(outcomes(0.2)), **{"verdict.json": verdict})).score)
