"""The folder of a run: whole files, a state that adds up, and one process at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import stbench
from stbench.errors import Refused
from stbench.records.folder import RunFolder, State


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    found = RunFolder("a-run", tmp_path / "experiments")
    found.path.mkdir(parents=True)
    return found


def test_places(folder: RunFolder) -> None:
    assert folder.log == Path("logs/a-run.log")
    assert [place.name for place in (folder.checkpoints, folder.model, folder.report)] == [
        "checkpoints", "model", "report.html",
    ]  # fmt: skip
    assert {place.parent for place in (folder.checkpoints, folder.model, folder.report)} == {folder.path}


def test_a_run_that_never_was_has_no_state(tmp_path: Path) -> None:
    folder = RunFolder("a-run", tmp_path)
    assert folder.state() is None
    assert folder.read("status.json") is None
    assert list(tmp_path.iterdir()) == []


def test_the_state_changes_and_what_was_known_stays(folder: RunFolder) -> None:
    folder.set_state("running", pid=7)
    folder.set_state("finished", seconds=1.5)
    assert folder.state() == "finished"
    assert folder.read("status.json") == {"state": "finished", "pid": 7, "seconds": 1.5}


def test_text_stays_text_and_values_become_json(folder: RunFolder) -> None:
    folder.write("plan.txt", "ä\n")
    folder.write("metrics.json", {"ä": [1, None]})
    assert (folder.path / "plan.txt").read_text(encoding="utf-8") == "ä\n"
    assert (folder.path / "metrics.json").read_text(encoding="utf-8").endswith("\n")
    assert folder.read("metrics.json") == {"ä": [1, None]}


def test_a_file_that_cannot_be_written_leaves_the_old_one(folder: RunFolder) -> None:
    folder.write("metrics.json", {"score": 1})
    with pytest.raises(TypeError):
        folder.write("metrics.json", {"score": object()})
    with pytest.raises(UnicodeEncodeError):
        folder.write("metrics.json", "\ud800")
    assert folder.read("metrics.json") == {"score": 1}


def test_starting_over_leaves_nothing_but_the_lock(folder: RunFolder) -> None:
    with folder.held():
        for place in (folder.model, folder.checkpoints / "checkpoint-1"):
            place.mkdir(parents=True)
            (place / "weights").write_text("x")
        folder.set_state("failed")
        folder.start_over(replaced=["x"])
        assert {item.name for item in folder.path.iterdir()} - {".lock"} == {"status.json"}
        check_held(folder)
    assert folder.read("status.json") == {"state": "running", "replaced": ["x"]}


def test_a_folder_whose_emptying_is_cut_short_is_no_finished_run(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Path) -> None:
        raise KeyboardInterrupt

    folder.write("verdict.json", {})
    folder.set_state("finished", data="1a")
    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.start_over()
    assert folder.read("status.json") == {"state": "running"}


def test_the_reason_of_a_state_goes_with_it(folder: RunFolder) -> None:
    folder.set_state("failed", reason="RuntimeError: boom", pid=7)
    assert folder.read("status.json")["reason"] == "RuntimeError: boom"
    folder.set_state("running")
    assert folder.read("status.json") == {"state": "running", "pid": 7}


def test_a_run_whose_process_died_is_closed_from_outside(folder: RunFolder) -> None:
    folder.set_state("running", attempt="1a")
    assert folder.close_abandoned("crashed (SIGSEGV)")
    assert folder.read("status.json") == {"state": "failed", "attempt": "1a", "reason": "crashed (SIGSEGV)"}
    assert not folder.close_abandoned("once more")
    assert folder.read("status.json")["reason"] == "crashed (SIGSEGV)"


def test_a_run_that_somebody_runs_is_not_closed(folder: RunFolder) -> None:
    folder.set_state("running")
    with folder.held():
        assert not folder.close_abandoned("crashed")
    assert folder.state() == "running"
    assert folder.close_abandoned("crashed")


@pytest.mark.parametrize("state", ["finished", "interrupted", None])
def test_a_run_that_has_ended_by_itself_is_not_closed(folder: RunFolder, state: State | None) -> None:
    if state:
        folder.set_state(state)
    assert not folder.close_abandoned("crashed")
    assert folder.state() == state


def test_checkpoints_are_left_alone_until_the_run_is_finished_and_nobody_holds_it(folder: RunFolder) -> None:
    folder.checkpoints.mkdir()
    folder.set_state("interrupted")
    folder.tidy()
    assert folder.checkpoints.exists()
    folder.set_state("finished")
    with folder.held():
        folder.tidy()
        assert folder.checkpoints.exists()
    folder.tidy()
    assert not folder.checkpoints.exists()


HOLDS = """
import sys
from pathlib import Path
from stbench.errors import Refused
from stbench.records.folder import RunFolder
try:
    with RunFolder("a-run", Path(sys.argv[1])).held():
        print("held")
except Refused as refusal:
    print(refusal)
"""


def other_process(folder: RunFolder) -> str:
    environment = {"PYTHONPATH": str(Path(stbench.__file__).parents[1])}
    words = [sys.executable, "-c", HOLDS, str(folder.root)]
    return subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout


def check_held(folder: RunFolder) -> None:
    said = other_process(folder)
    assert "this sentence is running already" in said
    assert "tail -f logs/a-run.log" in said


def test_another_process_is_kept_out_until_this_one_is_done(folder: RunFolder) -> None:
    with folder.held():
        check_held(folder)
    assert other_process(folder) == "held\n"


def test_an_error_inside_lets_go_of_the_run(folder: RunFolder) -> None:
    with pytest.raises(ValueError, match="inside"), folder.held():
        raise ValueError("inside")
    with folder.held():
        pass


def test_the_same_process_is_kept_out_too(folder: RunFolder) -> None:
    with folder.held(), pytest.raises(Refused, match="running already"), RunFolder("a-run", folder.root).held():
        pass


def test_a_folder_written_by_hand_can_be_read(folder: RunFolder) -> None:
    (folder.path / "status.json").write_text(json.dumps({"state": "interrupted"}))
    assert folder.state() == "interrupted"
