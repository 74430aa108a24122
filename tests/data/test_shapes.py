from __future__ import annotations

from typing import get_args

import pytest

from stbench.config.sentence import Shape
from stbench.data.convert import _BY_NAME
from stbench.data.shapes import COLUMNS, CONVERSIONS, MINER, Means, path


def reachable(source: Shape) -> set[Shape]:
    return {shape for shape in COLUMNS if path(source, (shape,)) is not None}


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
        ("labeled_pair", "triplet", ["group", "contrast"]),
        ("class_pair", "triplet", ["infer"]),
        ("labeled_text", "ranked_list", ["same_label", "mine"]),
        ("pair", "damaged_text", ["texts", "damage"]),
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
def test_without_models_no_way_needs_one(source: Shape) -> None:
    ways = [path(source, [target], means=()) for target in COLUMNS]
    assert not [step for way in ways for step in way or () if step.needs]


@pytest.mark.parametrize(
    ("source", "target", "teacher", "names"),
    [
        ("pair", "scored_n_tuple", "cross_encoder", ["mine", "score"]),
        ("triplet", "margin_triplet", "cross_encoder", ["score"]),
        ("text", "embedded_text", "bi_encoder", ["embed"]),
        ("pair", "embedded_text", "bi_encoder", ["texts", "embed"]),
        ("parallel_text", "embedded_text", "bi_encoder", ["embed"]),
        ("pair", "scored_pair", "cross_encoder", ["mine", "score", "score_pairs"]),
    ],
)
def test_a_teacher_opens_ways(source: Shape, target: Shape, teacher: Means, names: list[str]) -> None:
    assert [step.name for step in path(source, [target], MINER | {teacher}, ["ask"]) or ()] == names


@pytest.mark.parametrize("target", ["margin_triplet", "scored_n_tuple", "embedded_text"])
def test_what_only_a_teacher_knows_is_out_of_reach_without_one(target: Shape) -> None:
    able = {source for source in COLUMNS if path(source, [target]) is not None}
    assert able <= {target, "scored_n_tuple"}


def test_a_way_that_must_mine_does() -> None:
    assert [step.name for step in path("labeled_pair", ["ranked_list"], must=["mine"]) or ()] == [
        "keep_positives",
        "mine",
    ]
    assert [step.name for step in path("n_tuple", ["n_tuple"], must=["mine"]) or ()] == ["drop_negatives", "mine"]
    assert path("scored_pair", ["triplet"], must=["mine"]) is None


def test_scores_have_no_way_out_but_the_texts() -> None:
    assert reachable("scored_pair") == {"scored_pair", "text", "damaged_text", "twin_text", "tension_pair"}


@pytest.mark.parametrize("source", ["pair", "triplet", "n_tuple", "labeled_pair", "ranked_list", "class_pair"])
def test_everything_that_ranks_reaches_everything_that_ranks(source: Shape) -> None:
    assert reachable(source) >= {"pair", "triplet", "n_tuple", "labeled_pair", "ranked_list"}


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
        assert step.needs or step.name in _BY_NAME
