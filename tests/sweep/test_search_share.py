"""How far a training is, whatever its number of steps."""

from __future__ import annotations

import math

import pytest

from stbench.sweep.search.share import interval_of, is_last, share


def evaluated(total: int, eval_steps: float) -> list[int]:
    interval = interval_of(total, eval_steps)
    return [*range(interval, total, interval), total]


@pytest.mark.parametrize("total", [66, 75, 100, 300, 1234])
def test_evaluations_of_all_lengths_stand_at_the_same_percents(total: int) -> None:
    found = [share(step, total, 0.2) for step in evaluated(total, 0.2)]
    assert found == [20, 40, 60, 80, 100]


def test_as_many_evaluations_as_there_are_have_a_percent_each() -> None:
    assert [share(step, 75, 0.1) for step in evaluated(75, 0.1)] == [10, 20, 30, 40, 50, 60, 70, 90, 99, 100]
    # A training of few steps has fewer evaluations, each where it is in the training.
    assert [share(step, 8, 0.1) for step in evaluated(8, 0.1)] == [10, 30, 40, 50, 60, 80, 90, 100]


def test_a_number_of_steps_is_a_share_of_each_training() -> None:
    assert [share(step, 200, 50) for step in (50, 100, 150, 200)] == [25, 50, 75, 100]
    assert share(50, 400, 50) == 12


def test_percents_are_never_none_and_whole_only_at_the_end() -> None:
    assert share(1, 10_000, 1) == 1
    assert share(9_999, 10_000, 1) == 99
    assert share(12, 10, 0.5) == 100


def test_a_training_is_over_where_next_to_nothing_is_left() -> None:
    assert is_last(75, 75, 0.1)
    assert is_last(72, 75, 0.1)
    assert not is_last(64, 75, 0.1)
    assert interval_of(3, 0.2) == math.ceil(0.6) == 1
