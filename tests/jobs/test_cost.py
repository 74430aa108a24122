"""From measured parts to the whole."""

from __future__ import annotations

import pytest

from stbench.jobs.cost import Cost, Estimate, clock, evaluations_of, steps_of, tabled
from stbench.plan.plan import TrainingPlan


def training(**changes: object) -> TrainingPlan:
    plain = {
        "learning_rate": 1e-5, "batch_size": 32, "epochs": 3.0, "max_steps": None, "steps": 1, "eval_steps": 0.2,
        "patience": 0, "warmup": 0.1, "scheduler": "linear", "weight_decay": 0.0, "gradient_accumulation": 1,
        "gradient_checkpointing": False, "sampler": "batch_sampler",
    }  # fmt: skip
    return TrainingPlan(**{**plain, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "batches", "steps"),
    [
        ({}, 10, 30),
        ({"epochs": 0.5}, 9, 5),
        ({"gradient_accumulation": 4}, 10, 9),
        ({"max_steps": 7}, 10, 7),
        ({"max_steps": 70}, 10, 30),
    ],
)
def test_steps_are_those_that_the_library_makes(changes: dict[str, object], batches: int, steps: int) -> None:
    assert steps_of(training(**changes), batches) == steps


@pytest.mark.parametrize(
    ("every", "steps", "number"), [(0.2, 30, 5), (0.2, 31, 5), (0.5, 1, 1), (10, 30, 3), (10, 31, 4), (100, 30, 1)]
)
def test_the_last_step_is_evaluated_too(every: float, steps: int, number: int) -> None:
    assert evaluations_of(training(eval_steps=every), steps) == number


def test_the_whole_is_what_was_measured_times_size_and_number() -> None:
    assert Cost("a", 0.5, factor=3.0, times=4).whole == 6.0


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "0:00:01"), (59.9, "0:01:00"), (3725, "1:02:05"), (90000, "25:00:00")]
)
def test_the_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_all_of_it_in_one_line() -> None:
    costs = (Cost("training", 0.5, times=100, how="the mean of 5 steps"), Cost("data", 2.0, how="all rows"))
    found = Estimate("a-run", costs, 100, 0.5, 3 * 2**29, 180 * 2**20, 10**12)
    assert found.line() == "ESTIMATE: time=0:00:52 | steps=100 | step=0.5s | memory=1.5GiB | disk=180MiB | run=a-run"
    assert found.as_dict()["costs"][0]["whole"] == 50.0
    assert tabled(costs) == [
        ("training", "0:00:50", "0.50 s × 100: the mean of 5 steps"),
        ("data", "0:00:02", "2.00 s: all rows"),
    ]
