"""What the tables of every sweep show of a search."""

from __future__ import annotations

import pytest
from sweep.small_search import Jobs, ground_of, search_with, settings, study_of

from stbench.records.sweep_effects import Effect, Point, effects
from stbench.sweep.search import explain
from stbench.sweep.search.goal import Goal
from stbench.sweep.search.result import Found, rows

RATES = [f"0.{number}" for number in range(1, 9)]


def of_rates(points: list[Point]) -> Effect:
    levels = {"rate": RATES, "loss": ["x", "y"]}
    return next(one for one in effects(points, levels) if one.factor == "rate")


def test_values_that_each_run_has_alone_have_no_means() -> None:
    drawn = [Point({"rate": rate, "loss": "xy"[place % 2]}, 0.1 * place) for place, rate in enumerate(RATES)]
    assert of_rates(drawn).scattered
    assert not of_rates(drawn[:4]).scattered
    # All of one loss differ in the rate alone, as in a grid.
    assert not of_rates([Point({"rate": point.factors["rate"], "loss": "x"}, point.score) for point in drawn]).scattered


@pytest.mark.usefixtures("workplace")
def test_a_row_tells_of_a_trial_what_a_job_of_a_grid_tells() -> None:
    study = study_of(settings(2))
    search_with(
        Jobs(lambda values: ([0.5], 0 if values["loss"] == "x" else 1)), ground_of("loss=x,y"), settings(2), study=study
    ).run()
    found = Found(Goal(("score",), True), tuple(study.past), (), {}, frozenset({1, 2}))
    told = {row.factors["loss"]: row for row in rows(found)}
    for name, row in told.items():
        assert row.state == ("finished" if name == "x" else "failed")
        assert row.command == f"stbench loss={name}"
        assert row.path is not None
        assert row.path.name == row.run
    assert [row.number for row in rows(found)] == [1, 2]


@pytest.mark.parametrize(
    ("words", "points"),
    [
        (["loss=x,y", "a=1,2,3"], 6),
        (["loss=x,y", "a=range(0,10,5)", "b=interval(1,4)"], 16),
        (["loss=x,y", "a=interval(0.0,1.0)"], None),
    ],
)
def test_a_space_with_fewer_points_than_trials_is_told(words: list[str], points: int | None) -> None:
    lines = explain.notes(ground_of(*words), settings(100))
    told = [f"the space has {points} points, fewer than trials: a grid runs each once (hydra/sweeper=grid)"]
    assert lines == (told if points else [])
    assert explain.notes(ground_of(*words), settings(5)) == []
