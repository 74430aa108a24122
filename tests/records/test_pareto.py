from __future__ import annotations

import math

import pytest

from stbench.records.pareto import front


@pytest.mark.parametrize(
    ("quality", "cost", "places"),
    [
        ([0.9, 0.8, 0.7], [3, 2, 1], [2, 1, 0]),
        ([0.9, 0.8, 0.7], [1, 2, 3], [0]),
        ([0.5, 0.9, 0.6], [1, 2, 3], [0, 1]),
        ([0.7, 0.7, 0.7], [1, 1, 2], [0, 1]),
        ([0.7, 0.8], [1, 1], [1]),
        ([0.7, math.nan, 0.6], [None, 1, 2], [2]),
        ([], [], []),
    ],
)
def test_only_what_nothing_beats_in_both(quality: list[float], cost: list[float | None], places: list[int]) -> None:
    assert front(quality, cost) == places
