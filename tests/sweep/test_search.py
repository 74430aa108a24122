"""The loop of a search with jobs that follow a script: what is kept of each, what is not run again, what goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from sweep.small_search import (
    GOAL,
    LEARNING_RATE,
    STUDY,
    Jobs,
    Values,
    compose,
    finish,
    ground_of,
    search_with,
    settings,
    study_of,
)

from stbench.errors import Refused
from stbench.records.folder import RunFolder
from stbench.sweep.search import search as loop
from stbench.sweep.search.goal import Goal
from stbench.sweep.search.result import Found, more, rows, search_line
from stbench.sweep.search.search import Search
from stbench.sweep.search.study import Study
from stbench.task import gravest

pytestmark = pytest.mark.usefixtures("workplace")
GROUND = partial(ground_of, LEARNING_RATE, "loss=x,y")


def rising(values: Values) -> tuple[Sequence[float], int]:
    """The nearer the learning rate to 0.1, the better."""
    height = 1 - abs(0.1 - float(values["rate"]))
    return [height * part / 5 for part in range(1, 6)], 0


def codes(search: Search) -> list[int]:
    return [ending.code for ending in search.endings.values()]


def found_of(study: Study, search: Search | None = None, goal: Goal = GOAL) -> Found:
    return Found(goal, tuple(study.past), tuple(study.front), {}, frozenset(search.endings if search else ()))


def states(study: Study) -> list[str]:
    return [one.told.state for one in study.past]


def test_every_trial_is_kept_with_its_best_selection_score() -> None:
    jobs, study = Jobs(lambda values: ([0.2, 0.9, 0.1], 0), places=2), study_of(settings(4))
    search = search_with(jobs, GROUND(), settings(4), study=study)
    search.run()
    assert search.is_whole
    assert [one.values for one in study.past] == [(0.9,)] * 4
    assert [one.told.steps for one in study.past] == [60] * 4
    assert [at.percent for at in study.past[0].moments] == [20, 40, 60]
    assert len({json.dumps(values) for values in jobs.started}) == 4
    assert gravest(codes(search)) == 0
    assert len(jobs.lines) == 4
    assert all("selection score 0.9000; WIN 0.5000" in line for line in jobs.lines)


def test_the_best_is_that_of_the_metrics_direction() -> None:
    goal = Goal(("score",), greater_is_better=False)
    study = study_of(settings(2), goal)
    search_with(Jobs(lambda values: ([0.2, 0.9, 0.1], 0)), GROUND(), settings(2), goal, study).run()
    assert study.past[0].values == (0.1,)
    assert found_of(study, goal=goal).best == study.past[0]


def test_the_same_command_again_runs_nothing_and_more_trials_go_on() -> None:
    search_with(Jobs(rising), GROUND(), settings(3)).run()
    jobs, study = Jobs(rising), study_of(settings(3))
    again = search_with(jobs, GROUND(), settings(3), study=study)
    again.run()
    assert (jobs.started, again.endings, len(study.past)) == ([], {}, 3)

    jobs, study = Jobs(rising), study_of(settings(5))
    search_with(jobs, GROUND(), settings(5), study=study).run()
    assert (len(jobs.started), len(study.past)) == (2, 5)
    # A sampler with the same seed as at the beginning would draw the first trials again.
    assert len({json.dumps(one.told.factors) for one in study.past}) == 5


class Killed(BaseException):
    """As a process ends that is killed: nothing is caught."""


def killed_after(jobs: Jobs, messages: int) -> Jobs:
    wait, count = jobs.wait, 0

    def waiting() -> Any:
        nonlocal count
        for one in wait():
            count += 1
            if count > messages:
                raise Killed
            yield one

    jobs.wait = waiting  # type: ignore[method-assign]
    return jobs


def test_what_was_killed_goes_on_first_and_what_has_finished_is_not_run_again() -> None:
    first = killed_after(Jobs(rising, places=2), 18)
    with pytest.raises(Killed):
        search_with(first, GROUND(), settings(4)).run()
    study = study_of(settings(4))
    assert (len(study.past), len(first.started)) == (2, 4)
    assert study.recover() == 2
    assert study.recover() == 0

    jobs = Jobs(rising, places=2)
    search = search_with(jobs, GROUND(), settings(4), study=study)
    search.run()
    assert jobs.started == first.started[2:]
    assert states(study) == ["finished"] * 4
    assert [one.number for one in study.past] == [1, 2, 5, 6]
    # What the killed ones had reported is known of those that go on.
    assert all([at.percent for at in one.moments] == [20, 40, 60, 80, 100] for one in study.past)


def test_a_search_that_is_killed_twice_repeats_each_trial_once() -> None:
    for _ in range(2):
        study = study_of(settings(2))
        study.recover()
        with pytest.raises(Killed):
            search_with(killed_after(Jobs(rising, places=2), 3), GROUND(), settings(2), study=study).run()
    study, jobs = study_of(settings(2)), Jobs(rising, places=2)
    study.recover()
    search_with(jobs, GROUND(), settings(2), study=study).run()
    assert len(study.past) == len(jobs.started) == 2


def test_a_sentence_that_has_run_before_is_not_run() -> None:
    first = Jobs(rising)
    search_with(first, GROUND(), settings(1)).run()
    (STUDY.path / "study.db").unlink()
    jobs, study = Jobs(rising), study_of(settings(2))
    search_with(jobs, GROUND(), settings(2), study=study).run()
    assert len(jobs.started) == 1
    assert [one.told.reused for one in study.past] == [True, False]
    assert [at.percent for at in study.past[0].moments] == [20, 40, 60, 80, 100]
    assert [row.reused for row in rows(found_of(study))] == [True, True]


def test_two_trials_that_say_the_same_run_once() -> None:
    ground, jobs = ground_of("loss=x,y"), Jobs(lambda values: ([0.5], 0), places=4)
    study = study_of(settings(6))
    search_with(jobs, ground, settings(6), study=study).run()
    assert sorted(values["loss"] for values in jobs.started) == ["x", "y"]
    assert states(study) == ["finished"] * 6


def test_a_failed_trial_is_told_and_the_search_goes_on() -> None:
    closed: list[tuple[str, str]] = []
    jobs, study = Jobs(lambda values: ([0.1], 1) if values["loss"] == "x" else ([0.5], 0)), study_of(settings(6))
    search = search_with(
        jobs,
        GROUND(),
        settings(6),
        study=study,
        closed=lambda folder, sentence, said, reason: closed.append((folder.name, reason)),
    )
    search.run()
    failed = [one for one in study.past if one.told.state == "failed"]
    assert 0 < len(failed) < 6
    assert all(one.told.factors["loss"] == "x" and one.told.reason == "it broke with 1" for one in failed)
    assert closed == [(one.told.run, "it broke with 1") for one in failed]
    assert gravest(codes(search)) == 1
    assert f"failed={len(failed)}" in search_line(found_of(study))


def test_what_broke_is_not_tried_again_by_the_same_command() -> None:
    jobs, study = Jobs(lambda values: ([0.1], 1)), study_of(settings(5))
    search_with(jobs, ground_of("loss=x,y"), settings(5), study=study).run()
    assert len(jobs.started) == 2
    assert [one.told.reason.startswith("as trial") for one in study.past].count(True) == 3


def test_a_run_without_what_was_to_be_measured_has_failed() -> None:
    goal = Goal(("score", "latency"), greater_is_better=True)
    study = study_of(settings(1, objectives=["score", "latency"]), goal)
    search_with(Jobs(rising), GROUND(), settings(1), goal, study).run()
    assert states(study) == ["failed"]
    assert "latency (milliseconds for one query alone, the median) was not measured" in study.past[0].told.reason


def test_a_sentence_that_cannot_be_composed_is_a_refused_trial() -> None:
    refusing = partial(compose, refused={"loss=x": "it has gone"})
    study = study_of(settings(6))
    search = search_with(Jobs(rising), GROUND(), settings(6), study=study, compose=refusing)
    search.run()
    assert set(states(study)) == {"refused", "finished"}
    assert "loss=x: it has gone" in {one.told.reason for one in study.past}
    assert gravest(codes(search)) == 2


def test_draws_in_vain_are_neither_counted_nor_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("legal", "ground"):
        monkeypatch.setattr(f"stbench.sweep.search.{module}.MOST", 1)
    law = lambda values: "never" if values["loss"] == "y" else None  # noqa: E731
    ground, jobs, study = GROUND(law=law), Jobs(rising), study_of(settings(5))
    search_with(jobs, ground, settings(5), study=study).run()
    assert [values["loss"] for values in jobs.started] == ["x"] * 5
    assert len(study.past) == len(jobs.lines) == 5
    assert study.past[-1].number > 5


def test_a_search_in_which_nothing_can_be_drawn_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("legal", "ground"):
        monkeypatch.setattr(f"stbench.sweep.search.{module}.MOST", 1)
    monkeypatch.setattr(loop, "VAIN", 3)
    calls: list[Values] = []

    def law(values: Values) -> str | None:
        """All but the first are refused: what was surveyed has changed."""
        calls.append(values)
        return "never" if len(calls) > 2 else None

    ground = GROUND(law=law)
    monkeypatch.setattr(ground.law, "_known", {})
    with pytest.raises(Refused, match="3 draws in a row were refused, the last: never"):
        search_with(Jobs(rising), ground, settings(1)).run()


def halved(**more: Any) -> dict[str, Any]:
    return {"pruner": {"kind": "successive_halving", "reduction_factor": 2, **more}, "sampler": "random"}


def test_what_is_behind_is_stopped_and_is_no_failure() -> None:
    jobs, study = Jobs(rising), study_of(settings(10, **halved()))
    search = search_with(jobs, GROUND(), settings(10, **halved()), study=study)
    search.run()
    pruned = [one for one in study.past if one.told.state == "pruned"]
    assert 0 < len(pruned) < 10
    assert states(study).count("finished") == 10 - len(pruned)
    assert all(one.told.reason.startswith(f"pruned at {one.moments[-1].percent} % of its training") for one in pruned)
    assert all(one.told.steps == one.moments[-1].percent for one in pruned)
    assert gravest(codes(search)) == 0
    assert [line for line in jobs.lines if line.startswith("130 ")]
    assert RunFolder(pruned[0].told.run).state() == "interrupted"
    assert {row.state for row in rows(found_of(study))} == {"finished", "pruned"}


def test_the_last_score_stops_nothing() -> None:
    """The second is level with the first until its last score."""
    scores = iter([[0.1, 0.2, 0.3, 0.4, 0.9], [0.1, 0.2, 0.3, 0.4, 0.5]])
    found = settings(2, **halved(min_resource=100))
    study = study_of(found)
    search_with(Jobs(lambda values: (next(scores), 0)), GROUND(), found, study=study).run()
    assert states(study) == ["finished", "finished"]


def test_a_sentence_that_was_stopped_stops_again_at_once() -> None:
    scores = {"x": [0.5, 0.6, 0.7, 0.8, 0.9], "y": [0.1, 0.1, 0.1, 0.1, 0.1]}
    found = settings(6, **halved())
    jobs, study = Jobs(lambda values: (scores[values["loss"]], 0)), study_of(found)
    # The good one first.
    study._study.enqueue_trial({"loss": "x"})
    search_with(jobs, ground_of("loss=x,y"), found, study=study).run()
    assert len(jobs.started) == 2
    assert {one.told.factors["loss"]: one.told.state for one in study.past} == {"x": "finished", "y": "pruned"}
    assert sum(one.told.steps for one in study.past if one.told.state == "pruned") == 20


def test_ctrl_c_lets_the_jobs_save_and_the_next_search_goes_on() -> None:
    jobs, study = Jobs(rising, places=2), study_of(settings(4))
    wait, calls = jobs.wait, []

    def interrupted() -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return wait()

    jobs.wait = interrupted  # type: ignore[method-assign]
    search = search_with(jobs, GROUND(), settings(4), study=study)
    search.run()
    assert not search.is_whole
    assert codes(search) == [130, 130]
    assert len(search.stopped) == 2
    assert study.recover() == 2

    jobs_after = Jobs(rising, places=2)
    again = search_with(jobs_after, GROUND(), settings(4), study=study)
    again.run()
    assert jobs_after.started[:2] == jobs.started
    assert states(study) == ["finished"] * 4


def test_several_objectives_have_a_front_and_no_best() -> None:
    goal, found = Goal(("score", "size"), greater_is_better=True), settings(8, objectives=["score", "size"])
    study = study_of(found, goal)

    def scored(values: Values) -> tuple[Sequence[float], int]:
        """Score and size rise with the learning rate; the loss y is larger for nothing."""
        return [float(values["rate"])], 0

    jobs = Jobs(scored)
    start = jobs.start

    def with_size(number: int, label: str, job: Any) -> None:
        start(number, label, job)
        values = dict(word.split("=") for word in job.words)
        size = float(values["rate"]) * 1000 * (2 if values["loss"] == "y" else 1)
        job.folder.path.mkdir(parents=True, exist_ok=True)
        job.folder.write("cost.json", {"after": {"model_bytes": size}})

    jobs.start = with_size  # type: ignore[method-assign]
    search_with(jobs, GROUND(), found, goal, study).run()
    end = found_of(study, goal=goal)
    assert end.best is None
    on_front = {one.told.factors["loss"] for one in study.past if one.number in end.front}
    assert "x" in on_front
    by_score = sorted(study.past, key=lambda one: one.values[0])
    for one in study.past:
        beaten = any(
            other.values[0] >= one.values[0] and other.values[1] <= one.values[1] and other.values != one.values
            for other in by_score
        )
        assert (one.number in end.front) != beaten
    (table,) = more(end).tables
    assert table.title.startswith("Pareto front of score, size")
    assert len(table.rows) == len(end.front)
    assert search_line(end).endswith(f"front={len(end.front)}")


def test_messages_of_the_search_are_lines_that_programs_read() -> None:
    study = study_of(settings(3))
    search = search_with(Jobs(rising), GROUND(), settings(3), study=study)
    search.run()
    end = found_of(study, search)
    assert end.best is not None
    assert end.best.values[0] == max(one.values[0] for one in study.past)
    told = more(end)
    assert told.notes[0].startswith(f"Best by score on the selection split: trial {end.best.number} (rate=")
    assert told.notes[0].endswith("on the test split WIN 0.5000.")
    assert told.lines[0].endswith(f"{end.best.told.command} seeds=5")
    assert told.lines[-1].startswith(
        "SEARCH: trials=3 | finished=3 | pruned=0 | failed=0 | refused=0 | steps=300 | score="
    )
    kept = end.as_dict()
    assert kept["best"] == end.best.number
    assert [one["values"] for one in kept["trials"]] == [list(one.values) for one in study.past]


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "qmc", "nsgaii"])
def test_every_sampler_goes_through_a_conditional_space(sampler: str) -> None:
    law = lambda values: ("none", "rate") if values["loss"] == "y" and "rate" in values else None  # noqa: E731
    found = settings(12, sampler=sampler)
    study = study_of(found)
    search_with(Jobs(lambda values: ([float(values.get("rate", 0.5))], 0)), GROUND(law=law), found, study=study).run()
    assert len(study.past) == 12
    assert all(("rate" in one.told.factors) == (one.told.factors["loss"] == "x") for one in study.past)


def test_pruned_scores_of_a_finished_run_count_for_others() -> None:
    """A run that was there has passed all rungs, so that a worse one is stopped at the first."""
    found = settings(2, **halved())
    words = ["loss=x", "rate=0.5"]
    finish(compose(words).folder, [(20 * place, 0.1 * place) for place in range(1, 6)])
    study = study_of(found)
    study._study.enqueue_trial({"loss": "x", "rate": 0.5})
    jobs = Jobs(lambda values: ([0.01] * 5, 0))
    search_with(jobs, GROUND(), found, study=study).run()
    assert states(study) == ["finished", "pruned"]
    assert len(jobs.started) == 1
