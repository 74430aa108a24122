"""A grid from its words to its table, its jobs run by a launcher of Hydra's in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Tiny

from stbench.records import ledger

Command = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.slow


@pytest.fixture
def words(tiny: Tiny, data: Mapping[str, Path], workplace: Path) -> list[str]:
    return [
        "-m", "hydra/launcher=basic", "tracker=none", "base_model=path", f"base_model.path={tiny.static}", "dataset=files",
        f"dataset.train={data['pair']}", "training.epochs=1", "training.batch_size=8", "evaluator.cost=false",
    ]  # fmt: skip


def last_line(out: str) -> dict[str, str]:
    last = out.rstrip("\n").rsplit("\n", 1)[-1]
    return dict(part.split("=", 1) for part in last.removeprefix("SWEEP: ").split(" | "))


def test_a_grid_ends_in_a_table_and_is_not_run_again(command: Command, words: list[str]) -> None:
    grid = [*words, "training.learning_rate=0.001,0.002", "loss=contrastive,listwise"]
    code, out, _ = command(*grid)
    assert code == 2
    said = last_line(out)
    assert (said["jobs"], said["finished"], said["reused"], said["refused"]) == ("4", "2", "0", "2")
    assert len(ledger.rows(Path("logs/experiments.md"))) == 2
    assert said["run"] in [path.name for path in Path("experiments").iterdir()]

    code, out, _ = command(*grid)
    assert last_line(out) == {**said, "reused": "2"}
    code, out, _ = command(*grid, "plan=only")
    assert code == 2
    assert "0 of 4 jobs run, 2 refused, 2 done" in out or "0 of 4 jobs run, 2 done, 2 refused" in out

    _, out, _ = command(*words, "training.learning_rate=0.001,0.002,0.003", "loss=contrastive,listwise")
    assert (last_line(out)["finished"], last_line(out)["reused"]) == ("3", "2")
    (sweep,) = Path("experiments").glob("sweep-*")
    assert (sweep / "report.html").is_file()
    assert json.loads((sweep / "status.json").read_text())["state"] == "finished"


def test_what_is_said_twice_is_run_once(command: Command, words: list[str]) -> None:
    code, out, _ = command(*words, "training.learning_rate=0.001,1e-3,0.002", "plan=only")
    assert code == 0
    assert "says the same as job 1" in out
    assert "2 of 3 jobs run" in out


def test_where_every_job_is_refused_nothing_is_left(command: Command, words: list[str]) -> None:
    code, _, err = command(*words, "loss=listwise,LambdaLoss")
    assert code == 2
    assert "does not exist for sentence_transformer" in err
    assert not Path("experiments").exists()


def test_a_job_that_fails_is_a_row(command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from stbench.training import train as module

    whole = module.train

    def train(plan: Any, *rest: Any) -> Any:
        if plan.training.learning_rate == 0.002:
            raise LookupError("planted")
        return whole(plan, *rest)

    monkeypatch.setattr(module, "train", train)
    code, out, _ = command(*words, "training.learning_rate=0.001,0.002")
    assert code == 1
    assert (last_line(out)["finished"], last_line(out)["failed"]) == ("1", "1")
    assert "LookupError: planted" in out
