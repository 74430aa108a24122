"""Options of the sweeper: what is wrong with them is told before anything is planned."""

from __future__ import annotations

from typing import Any

import pytest
from sweep.small_search import settings

from stbench.errors import Refused
from stbench.sweep.search.kinds import PRUNERS, SAMPLERS, Kind, build, kind_of


def problems(**said: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as refusal:
        settings(**said)
    return [(one.where, one.what, one.mend) for one in refusal.value.problems]


def test_the_name_alone_says_a_kind() -> None:
    found = settings(sampler="random", pruner=None)
    assert (found.sampler, found.pruner) == (Kind("sampler", "random", {}), Kind("pruner", "none", {}))
    assert kind_of("pruner", {"kind": "hyperband", "reduction_factor": 2}).whole == {
        "min_resource": 10, "max_resource": 100, "reduction_factor": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("role", "name"), [*(("sampler", name) for name in SAMPLERS), *(("pruner", name) for name in PRUNERS)]
)
def test_every_kind_is_built_with_its_defaults(role: Any, name: str) -> None:
    arguments = {"upper": 1.0} if name == "threshold" else {}
    if name != "gp":  # it loads torch
        assert type(build(Kind(role, name, arguments), 1, 3)).__name__ == {**SAMPLERS, **PRUNERS}[name]


def test_arguments_reach_optuna() -> None:
    pruner = build(kind_of("pruner", {"kind": "successive_halving", "reduction_factor": 7}), 1)
    assert (pruner._reduction_factor, pruner._min_resource) == (7, 10)
    first, again, other = (build(kind_of("sampler", {"kind": "random", "seed": seed}), 1, 3) for seed in (1, 1, 2))
    drawn = [one._rng.rng.random_sample() for one in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("said", "where", "mend"),
    [
        ({"sampler": {"kind": "tpee"}}, "hydra.sweeper.sampler.kind=tpee", "hydra.sweeper.sampler.kind=tpe?"),
        ({"pruner": "hyperbnd"}, "hydra.sweeper.pruner.kind=hyperbnd", "hydra.sweeper.pruner.kind=hyperband?"),
        ({"sampler": {"kind": "tpe", "sed": 1}}, "hydra.sweeper.sampler.sed", "hydra.sweeper.sampler.seed=…?"),
        ({"sampler": {"kind": "tpe", "seed": "x"}}, "hydra.sweeper.sampler.seed", "hydra.sweeper.sampler.seed=10"),
        ({"sampler": {"kind": "tpe", "group": 1}}, "hydra.sweeper.sampler.group", "group=true"),
        ({"sampler": {"kind": "tpe", "gamma": 1}}, "hydra.sweeper.sampler.gamma", ""),
        ({"pruner": {"kind": "none", "x": 1}}, "hydra.sweeper.pruner.x", "leave it out"),
        ({"pruner": {"kind": "median", "n_startup_trials": True}}, "hydra.sweeper.pruner.n_startup_trials", "=10"),
        ({"pruner": {"kind": "hyperband", "reduction_factor": 1.5}}, "hydra.sweeper.pruner.reduction_factor", "=10"),
        ({"pruner": {"kind": "successive_halving", "reduction_factor": 1}}, "hydra.sweeper.pruner", "Optuna's page"),
        ({"trials": 0}, "hydra.sweeper.trials", "hydra.sweeper.trials=20"),
        ({"trials": "many"}, "hydra.sweeper.trials", "hydra.sweeper.trials=20"),
        ({"seed": -1}, "hydra.sweeper.seed", "hydra.sweeper.seed=0"),
        ({"batch": 0}, "hydra.sweeper.batch", "hydra.sweeper.batch=1"),
        ({"objectives": ["scor"]}, "hydra.sweeper.objectives", "[score]?"),
        ({"objectives": []}, "hydra.sweeper.objectives", "[score,latency]"),
        ({"objectives": "score"}, "hydra.sweeper.objectives", "[score,latency]"),
        ({"objectives": ["size", "size"]}, "hydra.sweeper.objectives", "[score,latency]"),
        ({"objectives": ["score", "size"], "sampler": "cmaes"}, "hydra.sweeper.sampler.kind=cmaes", "nsgaii"),
    ],
)
def test_each_mistake_is_one_clear_message(said: dict[str, Any], where: str, mend: str) -> None:
    ((place, what, mends),) = problems(**said)
    assert place == where
    assert what
    assert mend in mends


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems(trials=0, sampler="tpee", pruner={"kind": "none", "x": 1}, objectives=["no"])) == 4


def test_a_search_that_goes_on_does_not_draw_the_same_again() -> None:
    assert settings(seed=5).seed_after(3) == 8
    assert settings(seed=5, sampler="qmc").seed_after(3) == 5


def test_without_optuna_it_is_said_how_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert problems() == [("hydra/sweeper=optuna", "Optuna is not installed", "pip install 'stbench[search]'")]
