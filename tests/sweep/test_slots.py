"""How the machine is shared out."""

from __future__ import annotations

import pytest

from stbench.sweep import slots as module
from stbench.sweep.slots import Slot, slots


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight cores, room for all, no GPU."""
    monkeypatch.setattr(module, "_cores", lambda: range(8))
    monkeypatch.setattr(module, "_room", lambda: 99)
    monkeypatch.setattr(module, "_gpus", list)
    return monkeypatch


def test_cores_are_shared_out_among_the_jobs() -> None:
    assert slots(None, 2) == [Slot((0, 2, 4, 6)), Slot((1, 3, 5, 7))]
    assert [len(slot.cores) for slot in slots(None, 3)] == [3, 3, 2]
    assert slots(None, 1) == [Slot(tuple(range(8)))]


def test_there_are_no_more_places_than_cores_or_room(machine: pytest.MonkeyPatch) -> None:
    assert len(slots(None, 100)) == 8
    machine.setattr(module, "_room", lambda: 3)
    assert len(slots(None, 100)) == 3


def test_a_said_number_counts_whatever_there_is() -> None:
    assert [slot.cores for slot in slots(10, 2)] == [(place % 8,) for place in range(10)]


def test_each_gpu_takes_one_job(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(module, "_gpus", lambda: ["0", "3"])
    assert [slot.gpu for slot in slots(None, 9)] == ["0", "3"]
    assert [slot.gpu for slot in slots(3, 9)] == ["0", "3", "0"]
