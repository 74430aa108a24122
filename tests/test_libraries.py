"""The heavy imports use as many threads as they are told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from stbench import libraries
from stbench.libraries import load_libraries, use_threads


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    use_threads(before)


@pytest.mark.parametrize("number", [1, 3])
def test_threads_reach_torch_and_the_others(number: int) -> None:
    from threadpoolctl import threadpool_info

    load_libraries("cpu", number)
    assert torch.get_num_threads() == number
    assert {pool["num_threads"] for pool in threadpool_info()} == {number}


def test_without_a_number_they_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "use_threads", lambda number: pytest.fail("nobody asked"))
    load_libraries("cpu")


def test_the_option_is_in_the_plan(plan_of: Callable[..., Any]) -> None:
    plan = plan_of("hardware.threads=3")
    assert plan.threads == 3
    assert next(one.value for one in plan.decisions if one.what == "device").endswith(", 3 threads")
    assert plan_of().threads is None
