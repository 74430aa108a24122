"""The store that MLflow keeps runs in: there is a whole one or none, and races in it are waited out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from records.forked import script

from stbench.records import mlflow_store as module
from stbench.records.mlflow_store import absolute, connect, experiment_id, in_short, patiently

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.slow
def test_a_database_whose_making_was_killed_is_made_again(tmp_path: Path) -> None:
    told = json.loads(script("killed_stores.py", tmp_path, 22, 60))
    assert told == {"22": [-9, 0], "60": [-9, 0]}
    for place in tmp_path.iterdir():
        assert {item.name for item in place.iterdir()} == {"mlflow.db", "mlflow.db.lock"}


def test_where_it_lies_and_where_its_artefacts_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    uri = absolute("sqlite:///logs/mlflow.db")
    assert uri == f"sqlite:///{tmp_path}/logs/mlflow.db"
    client = connect(uri)
    found = client.get_experiment(experiment_id(client, "mine"))
    assert found.artifact_location.startswith((tmp_path / "logs" / "mlartifacts").as_uri())
    assert experiment_id(connect(uri), "mine") == found.experiment_id
    assert {item.name for item in (tmp_path / "logs").iterdir()} == {"mlflow.db", "mlflow.db.lock"}


def test_an_address_of_a_server_stays_as_it_is() -> None:
    assert absolute("http://127.0.0.1:5000") == "http://127.0.0.1:5000"


@pytest.mark.parametrize("says", module.RACES)
def test_a_lost_race_is_run_again(says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RACE_PAUSES_SECONDS", (0.0, 0.0))
    tries: list[str] = []

    def action() -> str:
        tries.append(says)
        if len(tries) < 3:
            raise RuntimeError(f"(OperationalError) {says}: x")
        return "done"

    assert (patiently(action), len(tries)) == ("done", 3)


def test_a_race_that_is_always_lost_and_any_other_error_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RACE_PAUSES_SECONDS", (0.0, 0.0))
    tries: list[str] = []

    def action(says: str) -> None:
        tries.append(says)
        raise RuntimeError(says)

    for says in ("database is locked", "no such table"):
        with pytest.raises(RuntimeError, match=says):
            patiently(lambda says=says: action(says))  # type: ignore[misc]
    assert tries == ["database is locked"] * 3 + ["no such table"]


def test_an_error_is_told_in_a_line_without_its_password() -> None:
    assert in_short(RuntimeError("no http://me:secret@host/x\nmore")) == "no http://***@host/x"
    assert in_short(ValueError()) == "ValueError"


def test_the_environment_is_set_without_importing_mlflow() -> None:
    code = (
        "import os, sys\n"
        "import stbench.records.logbook, stbench.records.tracked_parent\n"
        "from stbench.records.mlflow_store import set_environment\n"
        "set_environment()\n"
        "print('mlflow' in sys.modules, os.environ['MLFLOW_DISABLE_TELEMETRY'], os.environ['DO_NOT_TRACK'])\n"
    )
    environment = {**os.environ, "DO_NOT_TRACK": "1", "PYTHONPATH": str(Path(module.__file__).parents[2])}
    environment.pop("MLFLOW_DISABLE_TELEMETRY", None)
    words = [sys.executable, "-c", code]
    said = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "true", "1"]
