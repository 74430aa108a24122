"""Whole runs on two data sets: what they leave of each, and that a killed one goes on to the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
from end_to_end.places import Done, Place, check_verdict
from end_to_end.test_stops import curve, wait_for_checkpoint

pytestmark = pytest.mark.slow
PARTS = "dataset.parts={pairs: {train: pairs.csv}, scores: {train: scores.csv, loss: CoSENTLoss, limit: 64}}"
MIXTURE = (
    "dataset=mixture", PARTS, "dataset.parts.pairs.validation_size=20", "dataset.parts.pairs.test_size=20",
    "training.batch_size=8", "training.epochs=2", "training.eval_steps=2", "training.learning_rate=1e-3",
)  # fmt: skip
STEPS = 2 * (160 // 8 + 64 // 8)


@dataclass(frozen=True)
class Ran:
    place: Place
    done: Done


@pytest.fixture(scope="module")
def words(tiny_words: Callable[..., list[str]]) -> list[str]:
    return [*tiny_words("plain"), *MIXTURE]


def prepared(place: Place) -> Place:
    rows = [f"what is thing number {i}?,which thing is number {i + i % 3}?,{i % 3}" for i in range(200)]
    (place.folder / "scores.csv").write_text("\n".join(["sentence1,sentence2,score", *rows]) + "\n")
    return place


@pytest.fixture(scope="module")
def undisturbed(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], words: list[str]
) -> Future[Ran]:
    def run() -> Ran:
        place = prepared(new_place("mixture"))
        return Ran(place, place.run(*words))

    return background(run)


@pytest.fixture(scope="module")
def killed(new_place: Callable[[str], Place], background: Callable[..., Future[Any]], words: list[str]) -> Future[Ran]:
    def run() -> Ran:
        place = prepared(new_place("mixture killed"))
        process = place.start(*words, "tracker=none")
        try:
            # In the second epoch, whose rows and parts come in another order.
            wait_for_checkpoint(place, process, STEPS // 2 + 4)
        finally:
            process.kill()
            process.communicate()
        return Ran(place, place.run(*words, "tracker=none"))

    return background(run)


def test_it_trains_on_all_parts_and_one_decides(undisturbed: Future[Ran]) -> None:
    ran = undisturbed.result()
    assert check_verdict(ran.done)
    assert "metric=cosine_ndcg@10" in ran.done.last
    assert ran.place.read("metrics.json")["last_step"] == STEPS
    assert "224 training (160 pairs, 64 scores), 20 selection, 20 test rows" in ran.done.out


def test_the_other_part_is_reported_before_and_after(undisturbed: Future[Ran]) -> None:
    ran = undisturbed.result()
    also = ran.place.read("metrics.json")["also"]
    assert set(also) == {"scores.similarity"}
    figures = also["scores.similarity"]["metrics"]["spearman_cosine"]
    assert set(figures) == {"baseline", "final"}
    assert "scores.similarity: spearman_cosine" in ran.done.out
    assert "scores.similarity" in (ran.place.experiment / "report.html").read_text(encoding="utf-8")


def test_mlflow_has_every_part(undisturbed: Future[Ran]) -> None:
    (run,) = undisturbed.result().place.tracked
    names = {item.dataset.name for item in run.inputs.dataset_inputs}
    assert names == {f"{part}-{split}" for part in ("pairs", "scores") for split in ("train", "validation", "test")}
    assert "also.scores.similarity.spearman_cosine" in run.data.metrics
    assert run.data.params["dataset.parts.scores.loss.use"] == "CoSENTLoss"


def test_its_files_are_known_to_have_been_read(undisturbed: Future[Ran]) -> None:
    assert set(undisturbed.result().place.read("inputs.json")) == {"pairs.csv", "scores.csv"}


def test_the_command_that_it_leaves_repeats_it(undisturbed: Future[Ran], words: list[str]) -> None:
    import shlex

    place = undisturbed.result().place
    command = shlex.split((place.experiment / "command.txt").read_text())
    again = place.run(*command[command.index("stbench") + 1 :])
    check_verdict(again)
    assert "has already run" in again.out


def test_a_killed_run_goes_on_to_the_same_numbers(killed: Future[Ran], undisturbed: Future[Ran]) -> None:
    found, expected = killed.result(), undisturbed.result()
    check_verdict(found.done)
    assert found.place.read("status.json")["resumed"]
    assert found.place.results() == expected.place.results()
    assert curve(found.place) == curve(expected.place)
    also = [json.dumps(ran.place.read("metrics.json")["also"]) for ran in (found, expected)]
    assert also[0] == also[1]
