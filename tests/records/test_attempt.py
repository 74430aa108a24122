"""An attempt keeps its id and its time through every process that works at it; another one has others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stbench.records import attempt as module
from stbench.records.attempt import begin, ended_at
from stbench.records.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    found = RunFolder("a-run", tmp_path)
    found.path.mkdir(parents=True)
    return found


def status(folder: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = folder.read("status.json")
    return found


def test_an_attempt_begins_once_and_is_gone_on_with(folder: RunFolder) -> None:
    assert begin(folder, "rows", force=False)
    first = status(folder)
    assert (first["state"], first["resumed"], first["data"]) == ("running", False, "rows")
    assert re.fullmatch("[0-9a-f]{32}", first["attempt"])
    folder.write("kept.json", {})
    folder.set_state("interrupted")
    assert not begin(folder, "rows", force=False)
    assert status(folder) == first | {"resumed": True}
    assert folder.there(["kept.json"])


@pytest.mark.parametrize(("data", "force"), [("rows", True), ("other rows", False)])
def test_force_or_other_rows_are_another_attempt(
    folder: RunFolder, data: str, force: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    begin(folder, "rows", force=False)
    folder.set_state("running", mlflow_run="7")
    ended_at(folder)
    folder.write("kept.json", {})
    first = status(folder)["attempt"]
    assert begin(folder, data, force)
    found = status(folder)
    assert found["attempt"] != first
    assert (found["replaced"], found["data"]) == ([first], data)
    assert not {"when", "mlflow_run"} & set(found)
    assert not folder.there(["kept.json"])
    assert ("the data has changed" in capfd.readouterr().out) == (not force)


def test_all_unfinished_attempts_are_remembered_until_one_is_finished(folder: RunFolder) -> None:
    ids = []
    for _ in range(3):
        begin(folder, "rows", force=True)
        assert status(folder)["replaced"] == ids
        ids.append(status(folder)["attempt"])
    folder.set_state("finished")
    begin(folder, "rows", force=True)
    assert status(folder)["replaced"] == []


def test_a_folder_whose_emptying_was_cut_short_is_emptied_again(
    folder: RunFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    begin(folder, "rows", force=False)
    first = status(folder)["attempt"]
    folder.write("kept.json", {})
    folder.write("status.json", {"state": "running", "replaced": [first]})
    assert begin(folder, "rows", force=False)
    assert not folder.there(["kept.json"])
    assert status(folder)["replaced"] == [first]
    assert "changed" not in capfd.readouterr().out


def test_a_run_of_an_earlier_version_is_gone_on_with(folder: RunFolder) -> None:
    folder.set_state("interrupted", data="rows", mlflow_run="7")
    assert not begin(folder, "rows", force=False)
    assert status(folder)["mlflow_run"] == "7"
    assert status(folder)["attempt"]


def test_the_end_has_one_time_for_all_processes_of_an_attempt(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(folder, "rows", force=False)
    when = ended_at(folder)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", when)
    monkeypatch.setattr(module, "datetime", None)
    begin(folder, "rows", force=False)
    assert ended_at(folder) == when == status(folder)["when"]
