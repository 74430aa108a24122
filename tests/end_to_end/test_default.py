"""The default sentence on own data: what it leaves, what it says the second time, and that it can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest
from end_to_end.places import Done, Place, check_verdict

pytestmark = pytest.mark.slow
WORDS = ("training.max_steps=4", "training.batch_size=32")


@dataclass(frozen=True)
class Shared:
    """The same sentence in two places that know nothing of each other."""

    first: Place
    done: Done
    results: dict[str, bytes]
    second: Future[Place]


@pytest.fixture(scope="module")
def shared(new_place: Callable[[str], Place], background: Callable[..., Future[Any]]) -> Shared:
    first = new_place("default")
    second = background(elsewhere, new_place("default elsewhere"))
    done = first.run(*WORDS)
    return Shared(first, done, first.results() if done.code == 0 else {}, second)


def elsewhere(place: Place) -> Place:
    check_verdict(place.run(*WORDS, "tracker=none"))
    return place


def test_it_ends_in_a_verdict(shared: Shared) -> None:
    assert not check_verdict(shared.done)["dims"]
    assert f"run={shared.first.experiment.name}" in shared.done.last


def test_its_folder_is_whole(shared: Shared) -> None:
    names = {item.name for item in shared.first.experiment.iterdir() if item.name != ".lock"}
    assert names == {
        "command.txt", "config.yaml", "environment.json", "history.json", "inputs.json", "metrics.json", "model",
        "plan.txt", "report.html", "samples.parquet", "status.json", "verdict.json", "verdict.txt",
    }  # fmt: skip
    assert shared.first.read("status.json")["state"] == "finished"
    assert {"model.safetensors", "modules.json", "README.md"} <= {
        item.name for item in (shared.first.experiment / "model").iterdir()
    }
    command = (shared.first.experiment / "command.txt").read_text().split()
    assert command == ["python", "-m", "stbench", "dataset=files", "dataset.train=pairs.csv", *WORDS]
    assert shared.first.read("metrics.json")["last_step"] == 4


def test_mlflow_has_the_run(shared: Shared) -> None:
    (run,) = shared.first.tracked
    assert run.info.status == "FINISHED"
    assert run.info.run_name == shared.first.experiment.name
    assert (run.data.params["training.max_steps"], run.data.params["model.type"]) == ("4", "sentence_transformer")
    verdict = shared.first.read("verdict.json")
    assert run.data.metrics["verdict.score"] == verdict["score"]
    assert run.data.metrics["verdict.delta"] == pytest.approx(verdict["delta"])
    assert {"loss", "learning_rate", "score"} <= set(run.data.metrics)
    contexts = {item.dataset.name: item.tags[0].value for item in run.inputs.dataset_inputs}
    assert contexts == {"pairs-train": "train", "pairs-validation": "selection", "pairs-test": "test"}
    artefacts = shared.first.folder / "logs" / "mlartifacts" / run.info.run_id / "artifacts"
    kept = (artefacts / "model" / "model.safetensors").read_bytes()
    assert kept == (shared.first.experiment / "model" / "model.safetensors").read_bytes()
    assert {"report.html", "verdict.json", "samples.parquet"} <= {item.name for item in artefacts.iterdir()}


def test_the_saved_model_gives_the_score_of_the_verdict(shared: Shared) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(shared.first.experiment / "model"), device="cpu")
    assert model.encode(["what is thing number 3?"]).shape == (1, 256)


def test_the_same_sentence_gives_the_same_numbers_elsewhere(shared: Shared) -> None:
    """Another folder, another store, no tracker, another process: the same bytes."""
    assert shared.second.result().results() == shared.results


def test_the_second_time_it_is_answered_from_the_folder(shared: Shared) -> None:
    again = shared.first.run(*WORDS)
    check_verdict(again)
    assert again.last == shared.done.last
    assert "has already run" in again.out
    assert again.seconds < 4
    assert len(shared.first.ledger) == len(shared.first.tracked) == 1


def test_a_verdict_that_is_no_win_gates_when_asked(shared: Shared) -> None:
    place = shared.second.result()
    outcome = place.read("verdict.json")["outcome"]
    assert outcome == "MARGINAL"
    for fail_on, code in (("not_win", 3), ("regression", 0), ("never", 0)):
        check_verdict(place.run(*WORDS, f"verdict.fail_on={fail_on}"), code)


def test_changed_data_is_told(shared: Shared) -> None:
    place = shared.second.result()
    (place.folder / "pairs.csv").touch()
    assert "pairs.csv has changed since" in place.run(*WORDS).out


def test_force_trains_again_with_the_baseline_from_the_store(shared: Shared) -> None:
    first = shared.first
    check_verdict(first.run(*WORDS, "force=true"))
    assert first.results() == shared.results
    assert any(item.startswith("baseline/") for item in first.read("metrics.json")["cache"]["taken"])
    assert len(first.ledger) == 2
    assert [run.info.status for run in first.tracked] == ["FINISHED", "FINISHED"]
