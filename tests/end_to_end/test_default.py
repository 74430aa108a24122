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
class Elsewhere:
    """The same sentence in another folder, with another store and no tracker; then once more with force."""

    place: Place
    results: dict[str, bytes]
    forced: Done


@pytest.fixture(scope="module")
def elsewhere(new_place: Callable[[str], Place], background: Callable[..., Future[Any]]) -> Future[Elsewhere]:
    def run() -> Elsewhere:
        place = new_place("default elsewhere")
        check_verdict(place.run(*WORDS, "tracker=none"))
        return Elsewhere(place, place.results(), place.run(*WORDS, "tracker=none", "force=true"))

    return background(run)


@dataclass(frozen=True)
class Shared:
    place: Place
    done: Done


@pytest.fixture(scope="module")
def shared(new_place: Callable[[str], Place], elsewhere: Future[Elsewhere]) -> Shared:
    place = new_place("default")
    return Shared(place, place.run(*WORDS))


def test_it_ends_in_a_verdict(shared: Shared) -> None:
    assert not check_verdict(shared.done)["dims"]
    assert f"run={shared.place.experiment.name}" in shared.done.last


def test_its_folder_is_whole(shared: Shared) -> None:
    names = {item.name for item in shared.place.experiment.iterdir() if item.name != ".lock"}
    assert names == {
        "audit.json", "command.txt", "config.yaml", "cost.json", "environment.json", "history.json", "inputs.json", "metrics.json", "model",
        "plan.txt", "report.html", "samples.parquet", "status.json", "verdict.json", "verdict.txt",
    }  # fmt: skip
    assert shared.place.read("status.json")["state"] == "finished"
    assert {"model.safetensors", "modules.json", "README.md"} <= {
        item.name for item in (shared.place.experiment / "model").iterdir()
    }
    command = (shared.place.experiment / "command.txt").read_text().split()
    assert command == ["python", "-m", "stbench", "dataset=files", "dataset.train=pairs.csv", *WORDS]
    assert shared.place.read("metrics.json")["last_step"] == 4


def test_mlflow_has_the_run(shared: Shared) -> None:
    (run,) = shared.place.tracked
    assert run.info.status == "FINISHED"
    assert run.info.run_name == shared.place.experiment.name
    assert (run.data.params["training.max_steps"], run.data.params["model.type"]) == ("4", "sentence_transformer")
    verdict = shared.place.read("verdict.json")
    assert run.data.metrics["verdict.score"] == verdict["score"]
    assert run.data.metrics["verdict.delta"] == pytest.approx(verdict["delta"])
    assert {"loss", "learning_rate", "score"} <= set(run.data.metrics)
    contexts = {item.dataset.name: item.tags[0].value for item in run.inputs.dataset_inputs}
    assert contexts == {"pairs-train": "train", "pairs-validation": "selection", "pairs-test": "test"}
    artefacts = shared.place.folder / "logs" / "mlartifacts" / run.info.run_id / "artifacts"
    kept = (artefacts / "model" / "model.safetensors").read_bytes()
    assert kept == (shared.place.experiment / "model" / "model.safetensors").read_bytes()
    assert {"report.html", "verdict.json", "samples.parquet"} <= {item.name for item in artefacts.iterdir()}


def test_the_saved_model_gives_the_score_of_the_verdict(shared: Shared) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(shared.place.experiment / "model"), device="cpu")
    assert model.encode(["what is thing number 3?"]).shape == (1, 256)


def test_the_same_sentence_gives_the_same_numbers_elsewhere(shared: Shared, elsewhere: Future[Elsewhere]) -> None:
    """Another folder, another store, no tracker, another process: the same bytes."""
    assert elsewhere.result().results == shared.place.results()


def test_the_second_time_it_is_answered_from_the_folder(shared: Shared) -> None:
    again = shared.place.run(*WORDS)
    check_verdict(again)
    assert again.last == shared.done.last
    assert "has already run" in again.out
    assert again.seconds < 4
    assert len(shared.place.ledger) == len(shared.place.tracked) == 1


def test_force_trains_again_with_the_baseline_from_the_store(elsewhere: Future[Elsewhere]) -> None:
    found = elsewhere.result()
    check_verdict(found.forced)
    assert "✓ training" in found.forced.out
    assert found.place.results() == found.results
    assert any(item.startswith("baseline/") for item in found.place.read("metrics.json")["cache"]["taken"])
    assert [row["verdict"] for row in found.place.ledger] == ["MARGINAL", "MARGINAL"]


def test_a_verdict_that_is_no_win_gates_when_asked(elsewhere: Future[Elsewhere]) -> None:
    place = elsewhere.result().place
    assert place.read("verdict.json")["outcome"] == "MARGINAL"
    for fail_on, code in (("not_win", 3), ("regression", 0), ("never", 0)):
        check_verdict(place.run(*WORDS, f"verdict.fail_on={fail_on}"), code)


def test_changed_data_is_told(elsewhere: Future[Elsewhere]) -> None:
    place = elsewhere.result().place
    (place.folder / "pairs.csv").touch()
    assert "pairs.csv has changed since" in place.run(*WORDS).out
