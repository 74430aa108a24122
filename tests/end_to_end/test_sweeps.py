"""Sweeps as a person starts them: what fails is a row, what is killed goes on, and nothing is recorded twice."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from end_to_end.places import LIMIT_SECONDS, Done, Place, ended

import stbench

pytestmark = pytest.mark.slow

FAULTS = """
import ctypes, resource
import stbench.training.train as training

whole = training.train

def train(plan, *rest):
    if plan.training.learning_rate == 0.011:
        ctypes.string_at(0)
    if plan.training.learning_rate == 0.012:
        import torch
        resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
        torch.zeros(2**36)
    if plan.training.learning_rate == 0.013:
        raise LookupError("this one was planted")
    return whole(plan, *rest)

training.train = train
"""
SHORT = ("training.batch_size=8", "training.epochs=1", "evaluator.cost=false")


def rows_of(place: Place) -> list[dict[str, Any]]:
    """Each job of the sweep as its table has it."""
    (file,) = place.folder.glob("experiments/sweep-*/sweep.json")
    found = json.loads(file.read_text(encoding="utf-8"))
    return [row for board in found["boards"] for row in board["jobs"]] + list(found["unranked"])


def last_line(done: Done) -> dict[str, str]:
    assert done.last.startswith("SWEEP: "), done.out + done.err
    return dict(part.split("=", 1) for part in done.last.removeprefix("SWEEP: ").split(" | "))


def words_of(tiny_words: Callable[..., list[str]], rates: str) -> list[str]:
    return ["-m", *tiny_words("static"), *SHORT, f"training.learning_rate={rates}"]


def test_four_that_fail_among_eight(new_place: Callable[[str], Place], tiny_words: Callable[..., list[str]]) -> None:
    place = new_place("faults")
    (place.folder / "sitecustomize.py").write_text(FAULTS, encoding="utf-8")
    where = f"{place.folder}{os.pathsep}{Path(stbench.__file__).parents[1]}"
    rates = "0.001,0.002,0.003,0.004,0.011,0.012,0.013,-1"
    done = place.run(*words_of(tiny_words, rates), PYTHONPATH=where)
    assert done.code == 1, done.out + done.err
    assert "Traceback" not in done.out + done.err
    said = last_line(done)
    assert (said["jobs"], said["finished"], said["failed"], said["refused"]) == ("8", "4", "3", "1")

    rows = {row["factors"]["training.learning_rate"]: row for row in rows_of(place)}
    assert len(rows) == 8
    assert all(rows[rate]["state"] == "finished" for rate in ("0.001", "0.002", "0.003", "0.004"))
    assert "SIGSEGV" in rows["0.011"]["reason"]
    assert "allocate memory" in rows["0.012"]["reason"]
    assert "training.batch_size" in rows["0.012"]["reason"]
    assert "this one was planted" in rows["0.013"]["reason"]
    assert "greater than 0" in rows["-1"]["reason"]

    assert len(place.ledger) == 4
    runs = {run.info.run_name: run for run in place.tracked}
    parents = [run for run in runs.values() if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    assert Counter(run.info.status for run in runs.values()) == {"FINISHED": 5, "FAILED": 3}
    children = [run for run in runs.values() if run is not parents[0]]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    state = json.loads((place.folder / rows["0.011"]["folder"] / "status.json").read_text(encoding="utf-8"))
    assert state["state"] == "failed"


RATES = "0.001,0.002,0.003,0.004"


@pytest.fixture(scope="module")
def undisturbed(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], tiny_words: Callable[..., list[str]]
) -> Future[Place]:
    def run() -> Place:
        place = new_place("whole_sweep")
        done = place.run(*words_of(tiny_words, RATES))
        assert done.code == 0, done.out + done.err
        return place

    return background(run)


def lines(place: Place) -> dict[str, str]:
    """The verdict line of each run, which begins with all of its numbers."""
    files = place.folder.glob("experiments/*/verdict.json")
    found = [json.loads(file.read_text(encoding="utf-8"))["line"] for file in files]
    return {line.rsplit("run=", 1)[1]: line for line in found}


def kill_when(place: Place, words: list[str], happened: Callable[[], bool]) -> None:
    """Starts the sweep and kills its first process the moment that something has happened."""
    process = place.start(*words)
    end = time.monotonic() + LIMIT_SECONDS
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    ended(process)


def test_a_sweep_that_is_killed_goes_on_and_records_each_run_once(
    undisturbed: Future[Place], new_place: Callable[[str], Place], tiny_words: Callable[..., list[str]]
) -> None:
    place, words = new_place("killed_sweep"), words_of(tiny_words, RATES)
    kill_when(place, words, lambda: any(place.folder.glob("experiments/*/checkpoints/checkpoint-*")))
    kill_when(place, words, lambda: len(place.ledger) >= 2)
    done = place.run(*words)
    assert done.code == 0, done.out + done.err
    whole = undisturbed.result()
    assert lines(place) == lines(whole)
    assert len(lines(whole)) == 4
    assert Counter(row["run"] for row in place.ledger) == dict.fromkeys(lines(whole), 1)
    tracked = [run for run in place.tracked if "mlflow.parentRunId" in run.data.tags]
    assert Counter(run.info.run_name for run in tracked) == dict.fromkeys(lines(whole), 1)
    assert {run.info.status for run in place.tracked} == {"FINISHED"}

    again = place.run(*words)
    assert last_line(again)["reused"] == "4"
    assert len(place.ledger) == 4
    more = place.run(*words_of(tiny_words, f"{RATES},0.005"))
    assert (last_line(more)["finished"], last_line(more)["reused"]) == ("5", "4")


def test_ctrl_c_saves_what_runs_and_starts_nothing_more(
    new_place: Callable[[str], Place], tiny_words: Callable[..., list[str]]
) -> None:
    place = new_place("stopped_sweep")
    words = ["-m", *tiny_words("static"), "training.batch_size=2", "training.epochs=40", "evaluator.cost=false"]
    words += ["training.learning_rate=0.001,0.002,0.003,0.004", "hydra.launcher.slots=2"]
    process = place.start(*words)
    end = time.monotonic() + LIMIT_SECONDS
    while not any(place.folder.glob("experiments/*/checkpoints/checkpoint-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    done = ended(process)
    assert done.code == 130, done.out + done.err
    states = Counter(row["state"] for row in rows_of(place))
    assert states["interrupted"] >= 3
    assert sum(states.values()) == 4
    assert "not started" in done.out
