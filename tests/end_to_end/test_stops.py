"""Runs that are killed, interrupted or started twice end with the same numbers as one that nothing disturbed."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
from end_to_end.places import LIMIT_SECONDS, Done, Place, check_verdict, ended

from stbench.training.callbacks import CHECKSUM

pytestmark = pytest.mark.slow
STEPS = 60
LONG = (
    "training.batch_size=8", "training.epochs=3", "training.eval_steps=2", "training.learning_rate=1e-3",
    "dataset.validation_size=20", "dataset.test_size=20",
)  # fmt: skip
"""160 rows, so 20 steps an epoch; with dropout, and an evaluation and a checkpoint every other step."""


@pytest.fixture(scope="module")
def words(tiny_words: Callable[..., list[str]]) -> list[str]:
    return [*tiny_words("plain"), *LONG]


@pytest.fixture(scope="module")
def undisturbed(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], words: list[str]
) -> Future[Place]:
    def run() -> Place:
        place = new_place("undisturbed")
        check_verdict(place.run(*words, "tracker=none"))
        assert place.read("metrics.json")["last_step"] == STEPS
        return place

    return background(run)


def wait_for_checkpoint(place: Place, process: subprocess.Popen[str], step: int) -> None:
    """Until a whole checkpoint of `step` or later lies there."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = [file.parent.name for file in place.folder.glob(f"experiments/*/checkpoints/checkpoint-*/{CHECKSUM}")]
        if any(int(name.rsplit("-", 1)[1]) >= step for name in found):
            return
        time.sleep(0.01)
    raise AssertionError("\n".join(["no checkpoint", *process.communicate()]))


@dataclass(frozen=True)
class Stopped:
    """A run that was stopped and then started again."""

    place: Place
    status: dict[str, Any]
    """As the first process left it."""
    tracked: list[Any]
    ledger: list[dict[str, str]]
    done: Done
    """What the first process said (of the killed one: what another said that was started meanwhile)."""
    again: Done

    @classmethod
    def then_again(cls, place: Place, done: Done, words: list[str]) -> Stopped:
        left = place.read("status.json"), place.tracked, place.ledger
        return cls(place, *left, done, place.run(*words))


@pytest.fixture(scope="module")
def killed(
    new_place: Callable[[str], Place],
    background: Callable[..., Future[Any]],
    undisturbed: Future[Place],
    words: list[str],
) -> Future[Stopped]:
    def run() -> Stopped:
        place = new_place("killed")
        process = place.start(*words)
        try:
            wait_for_checkpoint(place, process, 2)
            process.send_signal(signal.SIGSTOP)
            second = place.run(*words)
            process.send_signal(signal.SIGCONT)
            # In the second epoch, whose rows come in another order.
            wait_for_checkpoint(place, process, 24)
        finally:
            process.kill()
            process.communicate()
        return Stopped.then_again(place, second, words)

    return background(run)


@pytest.fixture(scope="module")
def interrupted(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], killed: Future[Any], words: list[str]
) -> Future[Stopped]:
    def run() -> Stopped:
        place = new_place("interrupted")
        process = place.start(*words)
        wait_for_checkpoint(place, process, 6)
        process.send_signal(signal.SIGINT)
        return Stopped.then_again(place, ended(process), words)

    return background(run)


def test_a_second_process_of_the_same_sentence_is_refused(
    killed: Future[Stopped], interrupted: Future[Stopped]
) -> None:
    second = killed.result().done
    assert second.code == 2
    assert "this sentence is running already" in second.err
    assert "tail -f logs/" in second.err
    assert "Traceback" not in second.err


def test_a_killed_run_goes_on_to_the_same_numbers(killed: Future[Stopped], undisturbed: Future[Place]) -> None:
    found = killed.result()
    assert found.status["state"] == "running"
    assert [run.info.status for run in found.tracked] == ["RUNNING"]
    check_went_on(found, undisturbed.result())


def check_went_on(found: Stopped, undisturbed: Place) -> None:
    """To the same numbers, one row in the ledger, one tracked run."""
    place = found.place
    check_verdict(found.again)
    assert place.read("status.json")["resumed"]
    assert "resumed: python -m stbench" in place.log
    assert place.results() == undisturbed.results()
    assert curve(place) == curve(undisturbed)
    assert (len(found.ledger), len(place.ledger)) == (0, 1)
    (run,) = place.tracked
    assert (run.info.run_id, run.info.status) == (found.status["mlflow_run"], "FINISHED")
    assert not (place.experiment / "checkpoints").exists()


def curve(place: Place) -> dict[int, float]:
    """Scores on the selection split by step."""
    return {entry["step"]: entry["score"] for entry in place.read("history.json") if "score" in entry}


def test_ctrl_c_ends_with_one_line(interrupted: Future[Stopped]) -> None:
    found = interrupted.result()
    assert found.done.code == 130
    assert re.fullmatch(r"■ .*the same command goes on from the last checkpoint\n", found.done.err)
    assert found.status["state"] == "interrupted"
    assert [run.info.status for run in found.tracked] == ["KILLED"]


def test_an_interrupted_run_goes_on_to_the_same_numbers(
    interrupted: Future[Stopped], undisturbed: Future[Place]
) -> None:
    check_went_on(interrupted.result(), undisturbed.result())
