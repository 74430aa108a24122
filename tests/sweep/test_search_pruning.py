"""Pruning with real processes: a job that is behind is told so at a score, and ends there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sweep.searched_children import climb
from sweep.small_search import LEARNING_RATE, STUDY, compose, ground_of, search_with, settings, study_of

from stbench.records.folder import RunFolder
from stbench.sweep.board import Board
from stbench.sweep.pool import Pool
from stbench.sweep.search.runner import PoolRunner
from stbench.sweep.slots import Slot

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("workplace")]


def composed(words: Sequence[str], number: int = 0) -> Any:
    """The words are all that the process is given."""
    found: SimpleNamespace = compose(words, number)
    return SimpleNamespace(**{**vars(found), "ready": replace(found.ready, config=tuple(words))})


def test_a_trial_that_is_behind_ends_at_its_first_score(capfd: pytest.CaptureFixture[str]) -> None:
    found = settings(6, sampler="random", pruner={"kind": "successive_halving", "reduction_factor": 2})
    study, board = study_of(found), Board(6, 2)
    pool = Pool([Slot((0,)), Slot((1,))], searched=True, work=climb)
    runner = PoolRunner(pool, board, lambda: None, waits=True)
    search = search_with(runner, ground_of(LEARNING_RATE), found, study=study, compose=composed)  # type: ignore[arg-type]
    search.run()

    ends = {one.told.state for one in study.past}
    assert ends == {"finished", "pruned"}
    best = max(study.past, key=lambda one: float(one.told.factors["rate"]))
    assert best.told.state == "finished"
    for one in study.past:
        told = [at.percent for at in one.moments]
        if one.told.state == "pruned":
            assert told == list(range(20, told[-1] + 1, 20))
            assert told[-1] < 100
            assert not (RunFolder(one.told.run).path / "history.json").exists()
        else:
            assert told == [20, 40, 60, 80, 100]
    assert not pool.running
    assert len(pool._free) == 2
    out = capfd.readouterr().out
    assert out.count("pruned at") == sum(one.told.state == "pruned" for one in study.past)
    assert "6/6" in out
    assert (STUDY.path / "study.db").is_file()
