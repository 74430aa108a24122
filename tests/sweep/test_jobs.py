"""Combinations, what tells them apart, and what each of them would be called."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from stbench.errors import Refused
from stbench.sweep.jobs import combinations, factors_of, labels_of


def parsed(*words: str) -> list[object]:
    return list(OverridesParser.create().parse_overrides(list(words)))


def test_every_combination_once() -> None:
    found = combinations(parsed("loss=contrastive,triplet", "seed=range(1,4)", "dataset=stsb"))
    assert len(found) == 6
    assert found[0] == ["loss=contrastive", "seed=1", "dataset=stsb"]
    assert len({tuple(words) for words in found}) == 6


def test_of_an_option_that_is_said_twice_the_last_counts() -> None:
    assert combinations(parsed("seed=1,2", "seed=5")) == [["seed=5"]]


def test_an_interval_is_for_a_search() -> None:
    with pytest.raises(Refused, match="hydra/sweeper=optuna"):
        combinations(parsed("training.learning_rate=interval(0,1)"))


def test_factors_are_what_differs() -> None:
    jobs = [["a=1", "b=2", "++c=3"], ["a=1", "b=3", "++c=4"], ["a=1", "b=3"]]
    assert factors_of(jobs) == [{"b": "2", "c": "3"}, {"b": "3", "c": "4"}, {"b": "3"}]
    assert labels_of(jobs)[0] == "b=2, c=3"


def test_a_job_alone_has_no_factors() -> None:
    assert factors_of([["a=1"]]) == [{}]
