"""Numbers as they are read."""

from __future__ import annotations

import math

import pytest

from stbench.records.numbers import number, signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.71249, "0.7125"),
        (0.0002, "0.0002"),
        (0.00001, "1.0e-05"),
        (-3.5, "-3.5000"),
        (187.04, "187.0"),
        (0, "0"),
        (12345, "12,345"),
        (None, "–"),
        (math.nan, "–"),
        ("text", "text"),
    ],
)
def test_numbers(value: float | str | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "+0.2000"), (-0.2, "−0.2000"), (0.0, "±0.0000"), (math.nan, "–"), (None, "–"), (-25.44, "−25.4")],
)
def test_signs(value: float | None, text: str) -> None:
    assert signed(value) == text
