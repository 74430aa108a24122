"""What MLflow holds after a run, and that nothing MLflow does can hurt the run."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stbench.records import mlflow_store
from stbench.records import tracker as module
from stbench.records.mlflow_runs import ATTEMPT
from stbench.records.tracker import MlflowTracker, NoTracker, Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

# MLflow uses what SQLAlchemy has deprecated; where warnings are errors its import would fail.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests: a new one takes two seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('logs') / 'deep' / 'mlflow.db'}"


@pytest.fixture
def client(uri: str) -> MlflowClient:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def finished(tracker: MlflowTracker, client: MlflowClient) -> Run:
    assert tracker.finish("FINISHED") == ""
    assert tracker.run_id is not None
    return client.get_run(tracker.run_id)


def started(uri: str, **parameters: object) -> MlflowTracker:
    tracker = MlflowTracker(uri, "tests")
    tracker.start("a-run", parameters, {})
    return tracker


def test_a_run_arrives_whole(uri: str, client: MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "plan.txt").write_text("plan")
    (tmp_path / "report.html").write_text("report")
    tracker: Tracker = MlflowTracker(uri, "whole")
    tracker.start("minilm-1a2b", {"training.epochs": 3, "adapter": None}, {"model": "sparse_encoder"})
    tracker.dataset("python_docs", "d" * 64, rows=1200, source="https://docs.python.org", context="train")
    tracker.log({"loss": 0.5, "ndcg@10": 0.25}, step=1)
    tracker.log({"loss": 0.25}, step=2)
    tracker.artifacts(tmp_path / "folder", into="folder")
    tracker.artifacts(tmp_path / "report.html")
    assert isinstance(tracker, MlflowTracker)
    run = finished(tracker, client)
    assert (run.info.run_name, run.info.status) == ("minilm-1a2b", "FINISHED")
    assert run.data.params == {"training.epochs": "3", "adapter": "null"}
    assert run.data.tags["model"] == "sparse_encoder"
    assert run.data.metrics == {"loss": 0.25, "ndcg_at_10": 0.25}
    curve = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25)]
    assert run.inputs is not None
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.tags[0].value) == ("python_docs", "train")
    assert json.loads(data.dataset.profile or "") == {"num_rows": 1200}
    assert {a.path for a in client.list_artifacts(run.info.run_id)} == {"folder", "report.html"}
    logs = Path(uri.removeprefix("sqlite:///")).parent
    assert run.info.artifact_uri.startswith((logs / "mlartifacts").as_uri())
    assert list(logs.glob("mlartifacts/*/artifacts/folder/plan.txt"))


def test_long_many_and_odd_values(uri: str, client: MlflowClient) -> None:
    parameters = {f"p{i}": i for i in range(250)} | {"long": "x" * 9000, "a//b:c@1": "odd", "../up": 1}
    tracker = started(uri, **parameters)
    for step in range(2500):
        tracker.log({"m": step}, step)
    tracker.log({"nan": math.nan, "inf": math.inf, "50 % done!": 1, "": 2}, step=0)
    run = finished(tracker, client)
    assert len(run.data.params) == 253
    assert len(run.data.params["long"]) == 6000
    assert (run.data.params["a/b_c_at_1"], run.data.params["up"]) == ("odd", "1")
    assert len(client.get_metric_history(run.info.run_id, "m")) == 2500
    assert math.isnan(run.data.metrics["nan"])
    assert run.data.metrics["inf"] > 1e300
    assert run.data.metrics["50 _ done_"] == 1
    assert run.data.metrics["_"] == 2


def test_resume_goes_on_with_the_same_run(uri: str, client: MlflowClient) -> None:
    first = started(uri, seed=1)
    first.log({"loss": 1.0}, 1)
    assert first.finish("KILLED") == ""
    assert client.get_run(first.run_id or "").info.status == "KILLED"
    second = MlflowTracker(uri, "tests")
    second.start("a-run", {"seed": 2, "new": 3}, {}, resume=first.run_id)
    assert second.run_id == first.run_id
    assert client.get_run(first.run_id or "").info.status == "RUNNING"
    second.log({"loss": 0.5}, 2)
    run = finished(second, client)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "1", "new": "3"}
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 2


@pytest.mark.parametrize("gone", ["0" * 32, "deleted", "not an id!"])
def test_resume_of_a_lost_run_starts_a_new_one(uri: str, client: MlflowClient, gone: str) -> None:
    if gone == "deleted":
        lost = started(uri)
        gone = finished(lost, client).info.run_id
        client.delete_run(gone)
    tracker = MlflowTracker(uri, "tests")
    tracker.start("again", {}, {}, resume=gone)
    run = finished(tracker, client)
    assert run.info.run_id != gone
    assert run.info.run_name == "again"


def test_the_run_of_an_attempt_is_gone_on_with_by_its_tag_alone(uri: str, client: MlflowClient) -> None:
    """A process that is killed before it could note the run's id."""
    killed = MlflowTracker(uri, "tests")
    killed.start("a-run", {"seed": 1}, {ATTEMPT: "one"})
    killed.log({"loss": 1.0}, 1)
    killed.log({"loss": 0.5}, 2)
    run_id = killed.run_id
    wait_for(lambda: len(client.get_metric_history(run_id or "", "loss")) == 2)
    again = MlflowTracker(uri, "tests")
    again.start("a-run", {"seed": 1}, {ATTEMPT: "one", "stbench.command": "again"})
    for step, value in ((2, 0.5), (3, 0.25)):
        again.log({"loss": value}, step)
    run = finished(again, client)
    assert (run.info.run_id, run.data.tags["stbench.command"]) == (run_id, "again")
    assert [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "loss")] == [
        (1, 1.0), (2, 0.5), (3, 0.25),
    ]  # fmt: skip
    killed.finish("FINISHED")


def test_what_replaced_attempts_have_left_running_is_ended(uri: str, client: MlflowClient) -> None:
    left = [MlflowTracker(uri, "tests") for _ in range(3)]
    for number, one in enumerate(left):
        one.start("a-run", {}, {ATTEMPT: f"left-{number}"})
    left[1].finish("FAILED")
    tracker = MlflowTracker(uri, "tests")
    tracker.start("a-run", {}, {ATTEMPT: "new"}, replaced=["left-0", "left-1", "never-tracked"])
    assert finished(tracker, client).info.run_id not in {one.run_id for one in left}
    found = [client.get_run(one.run_id or "").info.status for one in left]
    assert found == ["KILLED", "FAILED", "RUNNING"]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_deleted_experiment_comes_back(uri: str, client: MlflowClient) -> None:
    client.delete_experiment(client.create_experiment("deleted"))
    tracker = MlflowTracker(uri, "deleted")
    tracker.start("a-run", {}, {})
    assert finished(tracker, client).info.status == "FINISHED"


def test_several_runs_at_once_stay_apart(uri: str, client: MlflowClient) -> None:
    trackers = [started(uri, index=index) for index in range(3)]
    for index, tracker in enumerate(trackers):
        tracker.log({"index": index}, 0)
    runs = [finished(tracker, client) for tracker in trackers]
    assert [run.data.metrics["index"] for run in runs] == [0, 1, 2]
    assert [run.data.params["index"] for run in runs] == ["0", "1", "2"]


def test_nobody_waits_for_the_store(uri: str, client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ready, connect = threading.Event(), module.connect

    def slow(uri: str) -> MlflowClient:
        ready.wait(30)
        return connect(uri)

    monkeypatch.setattr(module, "connect", slow)
    begin = time.perf_counter()
    tracker = started(uri)
    tracker.log({"loss": 1.0}, 1)
    assert time.perf_counter() - begin < 1.0
    ready.set()
    assert finished(tracker, client).data.metrics == {"loss": 1.0}


def test_values_that_gather_are_written_together(
    uri: str, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, written, write = threading.Event(), [], module.MlflowRun.metrics

    def counted(self: module.MlflowRun, points: list[module.Point]) -> None:
        ready.wait(30)
        written.append(len(points))
        write(self, points)

    monkeypatch.setattr(module.MlflowRun, "metrics", counted)
    tracker = started(uri)
    for step in range(100):
        tracker.log({"loss": 1.0}, step)
    ready.set()
    finished(tracker, client)
    assert sum(written) == 100
    assert len(written) < 10


def test_a_locked_database_is_tried_again(uri: str, client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts, write = [], module.MlflowRun.metrics

    def contended(self: module.MlflowRun, points: list[module.Point]) -> None:
        attempts.append(len(points))
        if len(attempts) < 3:
            raise RuntimeError("(sqlite3.OperationalError) database is locked")
        write(self, points)

    monkeypatch.setattr(module.MlflowRun, "metrics", contended)
    monkeypatch.setattr(mlflow_store, "RACE_PAUSES_SECONDS", (0.01, 0.01, 0.01))
    tracker = started(uri)
    tracker.log({"loss": 1.0}, 1)
    assert finished(tracker, client).data.metrics == {"loss": 1.0}
    assert attempts == [1, 1, 1]


def test_an_unreachable_server_costs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setattr(logging.getLogger("stbench"), "propagate", True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tracker = MlflowTracker(f"http://someone:secret@127.0.0.1:{port}", "tests")
    begin = time.perf_counter()
    tracker.start("a-run", {"seed": 1}, {})
    tracker.log({"loss": 1.0}, 1)
    tracker.artifacts(Path("nowhere"))
    assert tracker.run_id is None
    problem = tracker.finish("FINISHED")
    assert time.perf_counter() - begin < 20
    assert "start" in problem
    assert "secret" not in problem
    (warning,) = [record for record in caplog.records if record.name == "stbench"]
    assert warning.levelno == logging.WARNING


def test_a_failed_call_does_not_stop_the_others(
    uri: str, client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = started(uri)
    tracker.artifacts(tmp_path / "missing.txt")
    tracker.log({"loss": 1.0}, 1)
    problem = tracker.finish("FAILED")
    assert "artefacts" in problem
    assert "missing.txt" in problem
    run = client.get_run(tracker.run_id or "")
    assert (run.info.status, run.data.metrics) == ("FAILED", {"loss": 1.0})
    assert len([record for record in caplog.records if record.name == "stbench"]) == 1


def test_after_three_failures_in_a_row_only_the_end_is_tried(uri: str, client: MlflowClient, tmp_path: Path) -> None:
    tracker = started(uri)
    for _ in range(20):
        tracker.artifacts(tmp_path / "missing.txt")
    tracker.log({"loss": 1.0}, 1)
    assert tracker.finish("FINISHED").startswith("failed calls to MLflow: 3;")
    run = client.get_run(tracker.run_id or "")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 1.0})


def test_finish_twice_and_calls_afterwards_do_nothing(uri: str, client: MlflowClient) -> None:
    tracker = started(uri)
    tracker.finish("KILLED")
    tracker.log({"late": 1.0}, 1)
    run = finished(tracker, client)
    assert (run.info.status, run.data.metrics) == ("KILLED", {})


def test_finish_without_start() -> None:
    tracker = MlflowTracker("sqlite:///never-made.db", "tests")
    assert (tracker.finish("FAILED"), tracker.run_id) == ("", None)
    assert not Path("never-made.db").exists()


def test_tracking_leaves_the_seeded_generators_alone(uri: str) -> None:
    random.seed(12)
    expected = [random.random() for _ in range(3)]
    random.seed(12)
    tracker = started(uri, seed=12)
    tracker.log({"loss": 1.0}, 1)
    tracker.finish("FINISHED")
    assert [random.random() for _ in range(3)] == expected


def test_what_the_user_has_set_stays(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    started(uri).finish("FINISHED")
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
    assert os.environ["DO_NOT_TRACK"] == "true"


def test_no_tracker_tracks_nothing() -> None:
    tracker: Tracker = NoTracker()
    tracker.start("a-run", {}, {}, resume="x", replaced=["y"])
    tracker.log({"loss": 1.0}, 1)
    tracker.dataset("d", "1", 1, "here", "train")
    tracker.artifacts(Path("nowhere"))
    assert (tracker.run_id, tracker.finish("FINISHED")) == (None, "")
