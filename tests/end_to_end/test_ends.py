"""Trials, failures, and base models from a Hub."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from end_to_end.hub import serving
from end_to_end.places import Done, Place, check_verdict
from tiny_models import Tiny

pytestmark = pytest.mark.slow
SHORT = ("training.max_steps=2", "training.batch_size=16")


@pytest.fixture(scope="module")
def failed(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], tiny_words: Callable[..., list[str]]
) -> Future[tuple[Place, Done]]:
    def run() -> tuple[Place, Done]:
        place = new_place("failed")
        # The loss keeps it unread and calls it in its first step.
        return place, place.run(*tiny_words("plain"), *SHORT, "loss.arguments.similarity_fct=nonsense")

    return background(run)


def test_a_trial_leaves_no_row_and_is_not_tracked(
    new_place: Callable[[str], Place], failed: Future[Any], tiny_words: Callable[..., list[str]]
) -> None:
    place = new_place("trial")
    check_verdict(place.run(*tiny_words("plain"), "training=smoke"))
    assert "-trial-" in place.experiment.name
    assert place.ledger == []
    assert not (place.folder / "logs" / "mlflow.db").exists()
    assert place.read("metrics.json")["last_step"] == 1


def test_an_error_while_training_is_told_in_short_and_kept_in_full(failed: Future[tuple[Place, Done]]) -> None:
    place, done = failed.result()
    assert done.code == 1
    first, second = done.err.splitlines()
    assert first == "✗ failed: TypeError: 'str' object is not callable"
    log = f"logs/{place.experiment.name}.log"
    assert second.endswith(log)
    assert "Traceback (most recent call last)" in place.log
    assert "TypeError: 'str' object is not callable" in place.log
    assert "VERDICT" not in done.out
    assert place.read("status.json")["state"] == "failed"
    assert place.ledger == []
    (run,) = place.tracked
    assert run.info.status == "FAILED"


def test_a_base_model_comes_from_the_hub(new_place: Callable[[str], Place], tiny: Tiny) -> None:
    place = new_place("hub")
    with serving("owner/tiny", tiny.pooled) as (address, asked):
        online = {"HF_ENDPOINT": address, "HF_HOME": str(place.folder / "hub"), "HF_HUB_OFFLINE": "0"}
        check_verdict(place.run("base_model=owner/tiny", *SHORT, "tracker=none", **online))
        assert any(line.startswith("GET /owner/tiny/resolve/") and "model.safetensors" in line for line in asked)
    assert "-tiny-" in place.experiment.name
    # What was loaded once is there without the Hub.
    again = place.run("base_model=owner/tiny", *SHORT, "plan=only", **{**online, "HF_HUB_OFFLINE": "1"})
    assert again.code == 0, again.err


def test_a_hub_that_cannot_be_reached_is_refused_with_what_mends_it(new_place: Callable[[str], Place]) -> None:
    place = new_place("no hub")
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(place.folder / "hub"), "HF_HUB_OFFLINE": "0"}
    done = place.run("base_model=owner/tiny", *SHORT, **nowhere)
    assert done.code == 2
    assert "owner/tiny" in done.err
    assert "base_model.path=FOLDER" in done.err
    assert "Traceback" not in done.err
    assert not (place.folder / "experiments").exists()
