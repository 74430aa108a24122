"""The run that those of a sweep belong to, and what is done for runs whose process died."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stbench.records.mlflow_runs import ATTEMPT
from stbench.records.tracked_parent import adopt, close_parent, end_orphan, open_parent
from stbench.records.tracker import MlflowTracker, Status

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PARENT = "mlflow.parentRunId"
NOWHERE = "nowhere://x"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('parents') / 'mlflow.db'}"


@pytest.fixture
def client(uri: str) -> MlflowClient:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def opened(uri: str, attempt: str, resume: str | None = None) -> str:
    found = open_parent(uri, "sweeps", "a-sweep", {ATTEMPT: attempt, "stbench.job": "sweep"}, {"jobs": 12}, resume)
    assert found is not None
    return found


def child(uri: str, attempt: str, status: Status | None = None) -> str:
    tracker = MlflowTracker(uri, "sweeps")
    tracker.start("a-run", {}, {ATTEMPT: attempt})
    found = tracker.run_id
    if status:
        tracker.finish(status)
    assert found is not None
    return found


def test_a_sweep_that_is_repeated_has_one_parent(uri: str, client: MlflowClient, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("page")
    first = opened(uri, "sweep")
    assert client.get_run(first).info.status == "RUNNING"
    for resume in (None, first):
        assert opened(uri, "sweep", resume) == first
        close_parent(uri, first, "FINISHED", {"best": 0.75, "finished jobs": 12}, [page])
    run = client.get_run(first)
    assert (run.info.run_name, run.info.status, run.data.params) == ("a-sweep", "FINISHED", {"jobs": "12"})
    assert run.data.metrics == {"best": 0.75, "finished jobs": 12}
    assert len(client.get_metric_history(first, "best")) == 1
    assert [one.path for one in client.list_artifacts(first)] == ["report.html"]
    assert opened(uri, "another sweep") != first


def test_a_parent_ends_also_where_its_files_are_missing(
    uri: str, client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parent = opened(uri, "without files")
    close_parent(uri, parent, "FAILED", {"best": 0.5}, [tmp_path / "missing.html"])
    run = client.get_run(parent)
    assert (run.info.status, run.data.metrics) == ("FAILED", {"best": 0.5})
    assert "missing.html" in caplog.text


def test_runs_that_finished_before_are_adopted(uri: str, client: MlflowClient) -> None:
    parent, children = opened(uri, "adopting"), [child(uri, f"child-{number}", "FINISHED") for number in range(3)]
    client.delete_run(children[0])
    adopt(uri, parent, [*children, "0" * 32])
    found = [client.get_run(one) for one in children]
    assert [run.data.tags.get(PARENT) for run in found] == [None, parent, parent]
    assert [run.info.status for run in found] == ["FINISHED"] * 3


def test_a_run_whose_process_died_is_ended_and_no_other(uri: str, client: MlflowClient) -> None:
    died, ended = child(uri, "died"), child(uri, "ended", "FINISHED")
    for name in ("died", "ended"):
        end_orphan(uri, "sweeps", name, {ATTEMPT: name}, {}, "FAILED")
    assert status(client.get_run(died)) == ("FAILED", True)
    assert status(client.get_run(ended)) == ("FINISHED", True)


def test_an_attempt_that_died_before_it_was_tracked_is_a_run_all_the_same(uri: str, client: MlflowClient) -> None:
    for _ in range(2):
        end_orphan(uri, "sweeps", "early", {ATTEMPT: "early", PARENT: "p"}, {"seed": 42}, "FAILED")
    place = client.get_experiment_by_name("sweeps")
    assert place is not None
    (run,) = client.search_runs([place.experiment_id], f"tags.`{ATTEMPT}` = 'early'")
    assert status(run) == ("FAILED", True)
    assert (run.info.run_name, run.data.params, run.data.tags[PARENT]) == ("early", {"seed": "42"}, "p")


def status(run: Run) -> tuple[str, bool]:
    return run.info.status, run.info.end_time is not None


def test_nothing_raises_because_of_the_store(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("stbench"), "propagate", True)
    assert open_parent(NOWHERE, "sweeps", "a-sweep", {}, {}) is None
    close_parent(NOWHERE, "x", "FINISHED", {})
    adopt(NOWHERE, "x", ["y"])
    end_orphan(NOWHERE, "sweeps", "x", {ATTEMPT: "x"}, {}, "KILLED")
    warnings = [record for record in caplog.records if record.name == "stbench"]
    assert len(warnings) == 5
    assert all(record.levelno == logging.WARNING for record in warnings)
