"""A run in MLflow is there once, and so is each point of its curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stbench.records.mlflow_runs import ATTEMPT, MlflowRun, Point, key, open_run, run_of_attempt, still_there
from stbench.records.mlflow_store import connect, experiment_id

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TAGS = {ATTEMPT: "one"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    return connect(f"sqlite:///{tmp_path_factory.mktemp('runs') / 'mlflow.db'}")


@pytest.fixture
def experiment(client: MlflowClient, request: pytest.FixtureRequest) -> str:
    return experiment_id(client, request.node.name)


def points(*values: tuple[str, float, int]) -> list[Point]:
    """Each logged a moment after the one before."""
    return [Point(name, value, 1000 + moment, step) for moment, (name, value, step) in enumerate(values)]


def curve(run: MlflowRun, name: str) -> list[tuple[int, float]]:
    return sorted((point.step, point.value) for point in run.client.get_metric_history(run.run_id, name))


def test_a_step_has_one_point_whoever_logs_it(client: MlflowClient, experiment: str) -> None:
    first = open_run(client, experiment, "run", {}, TAGS)
    first.metrics(points(("loss", 3.0, 1), ("loss", 2.0, 2), ("epoch", 0.5, 2), ("epoch", 0.5, 2)))
    first.metrics(points(("loss", 9.0, 2)))
    again = open_run(client, experiment, "run", {}, TAGS)
    again.metrics(points(("loss", 2.5, 2), ("loss", 1.0, 3), ("score", 0.5, 2)))
    assert again.run_id == first.run_id
    assert curve(again, "loss") == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert curve(again, "epoch") == [(2, 0.5)]
    assert curve(again, "score") == [(2, 0.5)]


def test_what_was_measured_once_is_what_was_measured_last(client: MlflowClient, experiment: str) -> None:
    first = open_run(client, experiment, "run", {}, TAGS)
    first.metrics(points(("verdict.score", 0.7, 0), ("rows_per_second", 10.0, 0), ("rows_per_second", 11.0, 0)))
    again = open_run(client, experiment, "run", {}, TAGS)
    again.metrics(
        [point._replace(milliseconds=5000) for point in points(("verdict.score", 0.7, 0), ("rows_per_second", 9.0, 0))]
    )
    assert curve(again, "verdict.score") == [(0, 0.7)]
    assert curve(again, "rows_per_second") == [(0, 9.0), (0, 11.0)]
    assert client.get_run(again.run_id).data.metrics == {"verdict.score": 0.7, "rows_per_second": 9.0}


def test_points_that_could_not_be_written_are_not_taken_for_written(
    client: MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(client, experiment, "run", {}, TAGS)
    with monkeypatch.context() as patch:
        patch.setattr(client, "log_batch", failing)
        with pytest.raises(RuntimeError):
            run.metrics(points(("loss", 1.0, 1)))
    run.metrics(points(("loss", 1.0, 1)))
    assert curve(run, "loss") == [(1, 1.0)]


def failing(*_: Any, **__: Any) -> None:
    raise RuntimeError("database is locked")


def test_a_creation_that_fails_half_way_and_is_tried_again_makes_one_run(
    client: MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(client, "log_batch", failing)
        with pytest.raises(RuntimeError):
            open_run(client, experiment, "run", {"seed": 1}, TAGS)
    run = open_run(client, experiment, "run", {"seed": 1}, TAGS)
    (found,) = client.search_runs([experiment])
    assert (found.info.run_id, found.data.params) == (run.run_id, {"seed": "1"})


def test_a_server_that_answered_too_late_leaves_no_double(
    client: MlflowClient, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = client.create_run

    def twice(*given: Any, **more: Any) -> Any:
        create(*given, **more)
        return create(*given, **more)

    monkeypatch.setattr(client, "create_run", twice)
    run = open_run(client, experiment, "run", {"seed": 1}, TAGS)
    (found,) = client.search_runs([experiment])
    assert (found.info.run_id, found.data.params) == (run.run_id, {"seed": "1"})


def test_attempts_and_experiments_are_told_apart(client: MlflowClient, experiment: str) -> None:
    one = open_run(client, experiment, "run", {}, TAGS)
    two = open_run(client, experiment, "run", {}, {ATTEMPT: "two"})
    elsewhere = open_run(client, experiment_id(client, "elsewhere"), "run", {}, TAGS)
    untagged = [open_run(client, experiment, "run", {}, {}) for _ in range(2)]
    assert len({run.run_id for run in (one, two, elsewhere, *untagged)}) == 5
    found = run_of_attempt(client, experiment, "two")
    assert found is not None
    assert found.info.run_id == two.run_id
    assert run_of_attempt(client, experiment, "three") is None


def test_a_run_in_the_bin_is_not_gone_on_with(client: MlflowClient, experiment: str) -> None:
    gone = open_run(client, experiment, "run", {}, TAGS)
    client.delete_run(gone.run_id)
    assert still_there(client, gone.run_id) is None
    run = open_run(client, experiment, "run", {}, TAGS, resume=gone.run_id)
    assert run.run_id != gone.run_id
    assert still_there(client, run.run_id) is not None


def test_a_data_set_and_a_file_that_are_named_again_are_there_once(
    client: MlflowClient, experiment: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    for content in ("first", "second"):
        file.write_text(content)
        run = open_run(client, experiment, "run", {}, TAGS)
        run.dataset("pairs", "d" * 32, 100, "pairs.csv", "train")
        run.artifacts(file, "")
    found = client.get_run(run.run_id)
    assert found.inputs is not None
    assert len(found.inputs.dataset_inputs) == 1
    kept = client.download_artifacts(run.run_id, "report.html", str(tmp_path))
    assert Path(kept).read_text() == "second"


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("ndcg@10", "ndcg_at_10"), ("a//b:c@1", "a/b_c_at_1"), ("../up", "up"), ("", "_"), ("x" * 300, "x" * 250)],
)
def test_names_that_mlflow_accepts(name: str, accepted: str) -> None:
    assert key(name) == accepted
