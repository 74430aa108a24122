"""Runs that are tracked at the same moment, each by its own process: none is lost, none is there twice, nothing is told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from records.forked import script
from records.many_runs import EXPERIMENT, METRICS, PARAMETERS, STEPS
from records.servers import mlflow_server, postgres, why_no_postgres

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
NUMBER = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with mlflow_server(f"sqlite:///{tmp_path / 'server.db'}", tmp_path) as address:
        yield address


@pytest.fixture
def server_on_postgres(tmp_path: Path) -> Iterator[str]:
    if missing := why_no_postgres():
        pytest.skip(missing)
    with postgres() as store, mlflow_server(store, tmp_path) as address:
        yield address


def test_in_a_new_database(tmp_path: Path) -> None:
    check_together(f"sqlite:///{tmp_path / 'logs' / 'mlflow.db'}", tmp_path)
    assert not list((tmp_path / "logs").glob("*.new"))


@pytest.mark.servers
def test_at_a_server(server: str, tmp_path: Path) -> None:
    check_together(server, tmp_path)


@pytest.mark.servers
def test_at_a_server_with_postgresql_behind_it(server_on_postgres: str, tmp_path: Path) -> None:
    check_together(server_on_postgres, tmp_path)


def check_together(uri: str, place: Path) -> None:
    from mlflow.tracking import MlflowClient

    told = [json.loads(line) for line in script("many_runs.py", place, uri, NUMBER).splitlines()]
    assert [one["trouble"] for one in told] == [""] * NUMBER
    client = MlflowClient(tracking_uri=uri)
    (experiment,) = [one for one in client.search_experiments() if one.name == EXPERIMENT]
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == {one["run_id"] for one in told}
    assert Counter(run.info.run_name for run in runs) == {f"run-{number}": 1 for number in range(NUMBER)}
    for run in runs:
        check_whole(client, run)


def check_whole(client: MlflowClient, run: Run) -> None:
    number = int(run.info.run_name.removeprefix("run-"))
    assert run.info.status == "FINISHED"
    assert run.data.params == {f"option.{index}": str(number * index) for index in range(PARAMETERS)}
    assert run.data.tags["stbench.attempt"] == f"attempt-{number}"
    for name in METRICS:
        curve = client.get_metric_history(run.info.run_id, name)
        assert sorted((point.step, point.value) for point in curve) == [
            (step, number + step) for step in range(1, STEPS + 1)
        ]
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == [f"report-{number}.html"]
    assert run.inputs is not None
    assert len(run.inputs.dataset_inputs) == 1
