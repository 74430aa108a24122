from __future__ import annotations

from typing import get_args

import pytest

from stbench.config.sentence import Shape
from stbench.data.convert import _BY_NAME
from stbench.data.shapes import COLUMNS, CONVERSIONS, path, reachable


@pytest.mark.parametrize("shape", COLUMNS)
def test_no_conversion_where_none_is_needed(shape: Shape) -> None:
    assert path(shape, [shape]) == []


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [
        ("pair", "ranked_list", ["mine"]),
        ("triplet", "ranked_list", ["rank"]),
        ("triplet", "labeled_pair", ["unfold"]),
        ("ranked_list", "pair", ["unfold", "keep_positives"]),
        ("labeled_pair", "triplet", ["keep_positives", "mine"]),
        ("n_tuple", "triplet", ["first_negative"]),
    ],
)
def test_the_cheapest_way_is_taken(source: Shape, target: Shape, names: list[str]) -> None:
    steps = path(source, [target])
    assert steps is not None
    assert [step.name for step in steps] == names


def test_a_free_way_comes_before_one_that_mines() -> None:
    steps = path("ranked_list", ["n_tuple", "labeled_pair"])
    assert [step.target for step in steps or ()] == ["labeled_pair"]


@pytest.mark.parametrize("source", COLUMNS)
def test_without_mining_no_way_mines(source: Shape) -> None:
    ways = [path(source, [target], mining=False) for target in COLUMNS]
    assert not [step for way in ways for step in way or () if step.mines]


@pytest.mark.parametrize("source", ["scored_pair", "class_pair"])
def test_scores_and_classes_have_no_way_out_and_none_in(source: Shape) -> None:
    assert reachable(source) == {source}
    assert not [shape for shape in COLUMNS if shape != source and source in reachable(shape)]


@pytest.mark.parametrize("source", ["pair", "triplet", "n_tuple", "labeled_pair", "ranked_list"])
def test_everything_that_ranks_reaches_everything_that_ranks(source: Shape) -> None:
    assert reachable(source) == {"pair", "triplet", "n_tuple", "labeled_pair", "ranked_list"}


def test_each_step_goes_on_where_the_last_one_ended() -> None:
    for source in COLUMNS:
        for target in COLUMNS:
            steps = path(source, [target]) or []
            stops = [source, *(step.target for step in steps)]
            assert [step.source for step in steps] == stops[:-1]


def test_every_conversion_is_between_known_shapes_and_can_be_done() -> None:
    assert set(COLUMNS) <= set(get_args(Shape))
    for step in CONVERSIONS:
        assert {step.source, step.target} <= set(COLUMNS)
        assert step.says
        assert step.mines or step.name in _BY_NAME
