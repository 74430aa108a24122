"""The study on disk, and the folder that holds it."""

from __future__ import annotations

from functools import partial

import pytest
from sweep.small_search import GOAL, LEARNING_RATE, STUDY, Jobs, ground_of, search_with, settings, space, study_of

from stbench.errors import Refused
from stbench.sweep.search.run import folder_of
from stbench.sweep.search.study import FILE, open_study

pytestmark = pytest.mark.usefixtures("workplace")
GROUND = partial(ground_of, LEARNING_RATE, "loss=x,y")


def test_the_same_space_is_the_same_study_in_whatever_order_it_is_said() -> None:
    words = ["loss=x,y", LEARNING_RATE, "seed=3"]
    folder = folder_of(space(*words), settings(4))
    assert folder.name.startswith("search-loss-rate-")
    assert folder_of(space(*reversed(words)), settings(40, sampler="random", pruner="median", seed=1)) == folder
    assert folder_of(space(*words, "plan=only", "tracker=none", "force=true", "++cache=off"), settings(4)) == folder
    others = [
        folder_of(space("loss=x,z", LEARNING_RATE, "seed=3"), settings(4)),
        folder_of(space("loss=x,y", "rate=tag(log,interval(0.001,2))", "seed=3"), settings(4)),
        folder_of(space("loss=x,y", "rate=interval(0.001,1)", "seed=3"), settings(4)),
        folder_of(space("loss=x,y", LEARNING_RATE, "seed=4"), settings(4)),
        folder_of(space(*words), settings(4, objectives=["score", "size"])),
        folder_of(space(*words), settings(4, name="second")),
    ]
    assert len({folder, *others}) == 7


def test_what_is_no_study_is_refused_and_can_be_forgotten() -> None:
    STUDY.path.mkdir(parents=True)
    (STUDY.path / FILE).write_text("this is no database, and long enough to be seen as none" * 20)
    with pytest.raises(Refused) as refusal:
        study_of(settings())
    (problem,) = refusal.value.problems
    assert problem.where.endswith(FILE)
    assert problem.mend == "force=true starts over"
    assert open_study(STUDY, GOAL, settings(), fresh=True).past == []


def test_starting_over_forgets_all_trials() -> None:
    search_with(Jobs(lambda values: ([0.5], 0)), GROUND(), settings(2)).run()
    assert len(study_of(settings(2)).past) == 2
    assert open_study(STUDY, GOAL, settings(2), fresh=True).past == []


def test_a_seed_that_is_said_of_the_sampler_is_that_of_the_search() -> None:
    found = settings(4, sampler={"kind": "random", "seed": 5}, seed=1)
    assert (found.seed, found.sampler.arguments) == (5, {})


def test_the_same_seed_draws_the_same_trials_and_another_others() -> None:
    drawn = []
    for seed in (1, 1, 2):
        jobs = Jobs(lambda values: ([0.5], 0))
        found = settings(3, sampler="random", seed=seed)
        study = open_study(STUDY, GOAL, found, fresh=True) if STUDY.path.exists() else study_of(found)
        search_with(jobs, GROUND(), found, study=study).run()
        drawn.append([one.told.factors for one in study.past])
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_finished_trial_tells_when_it_ran() -> None:
    study = study_of(settings(1))
    search_with(Jobs(lambda values: ([0.5], 0)), GROUND(), settings(1), study=study).run()
    (one,) = study.past
    assert one.started < one.ended
