"""Time and memory of training steps, with evaluations and checkpoints left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState

from stbench.training import pace as module
from stbench.training.pace import Moment, Pace, held_bytes

CPU: Any = SimpleNamespace(device=SimpleNamespace(type="cpu"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time it is, to be set."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def step(pace: Pace, number: int) -> None:
    state = TrainerState()
    state.global_step = number
    pace.on_step_end(CPU, state, TrainerControl())


def test_evaluations_and_checkpoints_are_no_part_of_a_step(clock: list[float]) -> None:
    pace, state, control = Pace(), TrainerState(), TrainerControl()
    clock[0] = 5
    pace.on_train_begin(CPU, state, control)
    clock[0] = 7
    step(pace, 1)
    clock[0] = 100
    pace.on_evaluate(CPU, state, control)
    clock[0] = 150
    pace.on_save(CPU, state, control)
    clock[0] = 151
    step(pace, 2)
    assert [(one.step, one.seconds) for one in pace.moments] == [(1, 2.0), (2, 1.0)]
    assert all(one.memory_bytes > 10**6 for one in pace.moments)
    assert pace.rows_per_second(6) == pytest.approx(4.0)


def test_without_a_step_there_is_no_pace() -> None:
    assert Pace().rows_per_second(6) is None


def test_memory_is_that_of_the_process() -> None:
    kept = bytearray(50_000_000)
    before = held_bytes("cpu")
    kept[:] = b"x" * len(kept)
    assert held_bytes("cpu") >= before > 0
    assert Moment(1, 0.5, before).memory_bytes == before
