"""Trials, failures, and base models from a Hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from end_to_end.hub import Repository, serving
from end_to_end.places import Done, Place, check_verdict
from tiny_models import Tiny

pytestmark = pytest.mark.slow
SHORT = ("training.max_steps=2", "training.batch_size=16")


Ended = Future[tuple[Place, Done]]


@pytest.fixture(scope="module")
def runs(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], tiny: Tiny
) -> Iterator[Mapping[str, Ended]]:
    local = ("base_model=path", f"base_model.path={tiny.plain}")
    # The loss keeps this word unread and subtracts from it in its first step.
    broken = ("loss=MegaBatchMarginLoss", "loss.arguments.positive_margin=nonsense")

    def run(name: str, *words: str, **environment: str) -> Ended:
        place = new_place(name)
        own = {"HF_HOME": str(place.folder / "hub")}
        return background(lambda: (place, place.run(*words, **own, **environment)))

    with serving(Repository("owner/tiny", tiny.pooled)) as (address, asked):
        yield {
            "unreachable": run(
                "unreachable", "base_model=owner/tiny", HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0"
            ),
            "failed": run("failed", *local, *SHORT, *broken),
            "trial": run("trial", *local, "training=smoke"),
            "hub": run("hub", "base_model=owner/tiny", *SHORT, "tracker=none", HF_ENDPOINT=address, HF_HUB_OFFLINE="0"),
        }
    assert any(line.startswith("GET /owner/tiny/resolve/") and "model.safetensors" in line for line in asked)


def test_an_error_while_training_is_told_in_short_and_kept_in_full(runs: Mapping[str, Ended]) -> None:
    place, done = runs["failed"].result()
    assert done.code == 1
    first, second = done.err.splitlines()
    assert first.startswith("✗ failed: TypeError: ")
    assert second.endswith(f"logs/{place.experiment.name}.log")
    assert "Traceback (most recent call last)" in place.log
    assert first.removeprefix("✗ failed: ") in place.log
    assert "VERDICT" not in done.out
    assert place.read("status.json")["state"] == "failed"
    assert place.ledger == []
    (run,) = place.tracked
    assert run.info.status == "FAILED"


def test_a_trial_leaves_no_row_and_is_not_tracked(runs: Mapping[str, Ended]) -> None:
    place, done = runs["trial"].result()
    check_verdict(done)
    assert "-trial-" in place.experiment.name
    assert place.ledger == []
    assert not (place.folder / "logs" / "mlflow.db").exists()
    assert place.read("metrics.json")["last_step"] == 1


def test_a_base_model_comes_from_the_hub_and_is_then_there_without_it(runs: Mapping[str, Ended]) -> None:
    place, done = runs["hub"].result()
    check_verdict(done)
    assert "-tiny-" in place.experiment.name
    offline = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(place.folder / "hub"), "HF_HUB_OFFLINE": "1"}
    again = place.run("base_model=owner/tiny", *SHORT, "plan=only", **offline)
    assert again.code == 0, again.err


def test_a_hub_that_cannot_be_reached_is_refused_with_what_mends_it(runs: Mapping[str, Ended]) -> None:
    place, done = runs["unreachable"].result()
    assert done.code == 2
    assert "owner/tiny" in done.err
    assert "base_model.path=FOLDER" in done.err
    assert "Traceback" not in done.err
    assert not (place.folder / "experiments").exists()
