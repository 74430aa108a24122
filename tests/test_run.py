"""How a run ends when something comes in between: another process, a signal, an error of our own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stbench.plan import make

Command = Callable[..., tuple[int, str, str]]
PLANNED = make.make_plan


@pytest.fixture
def words(data: Mapping[str, Path], workplace: Path) -> list[str]:
    return ["dataset=files", f"dataset.train={data['pair']}", "tracker=none"]


def planning(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[str], None]) -> None:
    """Lets something happen while the run, whose name is handed over, makes its plan."""

    def plan(sentence: Any, chosen: Any, run: str, store: Any) -> Any:
        meanwhile(run)
        return PLANNED(sentence, chosen, run, store)

    monkeypatch.setattr(make, "make_plan", plan)


def test_what_another_process_finished_meanwhile_is_not_trained_again(
    command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(run: str) -> None:
        folder = Path("experiments", run)
        folder.mkdir(parents=True)
        line = f"VERDICT: WIN | run={run}"
        (folder / "verdict.json").write_text(json.dumps({"line": line, "outcome": "WIN"}))
        (folder / "status.json").write_text(json.dumps({"state": "finished"}))

    planning(monkeypatch, finish)
    code, out, _ = command(*words)
    assert code == 0
    assert out.splitlines()[-1].startswith("VERDICT: WIN | run=")
    assert not Path("logs").exists()


def test_an_error_before_the_run_has_begun_leaves_its_traceback_in_the_log(
    command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: str) -> None:
        raise LookupError("first line\nsecond line")

    planning(monkeypatch, fail)
    code, _, err = command(*words)
    assert code == 1
    assert "failed: LookupError: first line" in err
    assert "second line" not in err
    assert "Traceback" not in err
    (log,) = Path("logs").glob("*.log")
    assert str(log) in err
    assert "Traceback" in log.read_text()
    assert "second line" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_outside_of_the_training_leaves_a_run_that_can_go_on(
    command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    from stbench.stages import Stages

    before = signal.getsignal(number)
    monkeypatch.setattr(Stages, "data", lambda _: os.kill(os.getpid(), number))
    code, _, err = command(*words)
    assert code == 130
    assert "the same command goes on from where it was" in err
    (status,) = Path("experiments").glob("*/status.json")
    assert json.loads(status.read_text())["state"] == "interrupted"
    assert signal.getsignal(number) == before
