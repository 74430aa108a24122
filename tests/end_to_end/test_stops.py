"""Runs that are killed, interrupted or started twice end with the same numbers as one that nothing disturbed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future
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


@pytest.fixture(scope="module")
def killed(new_place: Callable[[str], Place], undisturbed: Future[Place], words: list[str]) -> tuple[Place, Done, Any]:
    """(place, what a second process of the same sentence said meanwhile, status at the time of death)."""
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
    return place, second, place.read("status.json")


def test_a_second_process_of_the_same_sentence_is_refused(killed: tuple[Place, Done, Any]) -> None:
    _, second, _ = killed
    assert second.code == 2
    assert "this sentence is running already" in second.err
    assert "tail -f logs/" in second.err
    assert "Traceback" not in second.err


def test_a_killed_run_goes_on_to_the_same_numbers(
    killed: tuple[Place, Done, Any], undisturbed: Future[Place], words: list[str]
) -> None:
    place, _, status = killed
    assert status["state"] == "running"
    check_verdict(place.run(*words))
    assert place.read("status.json")["resumed"]
    assert "resumed: python -m stbench" in place.log
    assert place.results() == undisturbed.result().results()
    scores = [
        [entry.get("score") for entry in json.loads((one.experiment / "history.json").read_text())]
        for one in (place, undisturbed.result())
    ]
    assert scores[0] == scores[1]
    assert len(place.ledger) == 1
    (run,) = place.tracked
    assert (run.info.run_id, run.info.status) == (status["mlflow_run"], "FINISHED")
    assert not (place.experiment / "checkpoints").exists()


@pytest.fixture(scope="module")
def interrupted(new_place: Callable[[str], Place], words: list[str]) -> tuple[Place, Done]:
    place = new_place("interrupted")
    process = place.start(*words)
    wait_for_checkpoint(place, process, 6)
    process.send_signal(signal.SIGINT)
    return place, ended(process)


def test_ctrl_c_ends_with_one_line(interrupted: tuple[Place, Done]) -> None:
    place, done = interrupted
    assert done.code == 130
    assert re.fullmatch(r"■ .*the same command goes on from the last checkpoint\n", done.err)
    assert place.read("status.json")["state"] == "interrupted"
    assert place.ledger == []
    (run,) = place.tracked
    assert run.info.status == "KILLED"


def test_an_interrupted_run_goes_on_to_the_same_numbers(
    interrupted: tuple[Place, Done], undisturbed: Future[Place], words: list[str]
) -> None:
    place, _ = interrupted
    (before,) = place.tracked
    check_verdict(place.run(*words))
    assert place.results() == undisturbed.result().results()
    assert len(place.ledger) == 1
    (run,) = place.tracked
    assert (run.info.run_id, run.info.status) == (before.info.run_id, "FINISHED")
