"""Words of Hydra become factors of a search."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from stbench.errors import Refused
from stbench.sweep.search.space import Choice, Number, Space, space_of


class Loader:
    """The choices of a group, as Hydra's loader lists them."""

    def get_group_options(self, group: str, **_: object) -> list[str]:
        return {"loss": ["contrastive", "triplet", "pairwise"], "adapter": ["lora", "none"]}.get(group, [])


def parsed(*words: str) -> Space:
    loader = Loader()
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    return space_of(overrides, lambda key: bool(loader.get_group_options(key)))


def factor(word: str) -> Choice | Number:
    space = parsed(word)
    (found,) = (*space.choices, *space.quantities)
    return found


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("a=interval(0.1,0.5)", Number("a", 0.1, 0.5)),
        ("a=interval(1,5)", Number("a", 1, 5, whole=True)),
        ("a=interval(1, 5)", Number("a", 1, 5, whole=True)),
        ("a=interval(1.0,5)", Number("a", 1, 5)),
        ("a=float(interval(1,5))", Number("a", 1, 5)),
        ("a=int(interval(1.5,5.0))", Number("a", 1, 5, whole=True)),
        ("a=tag(log,interval(1e-3,1e-1))", Number("a", 0.001, 0.1, log=True)),
        ("a=tag(log,interval(1,64))", Number("a", 1, 64, log=True, whole=True)),
        ("a=range(64,257,64)", Number("a", 64, 256, 64, whole=True)),
        ("a=range(10,0,-3)", Number("a", 1, 10, 3, whole=True)),
        ("a=range(0,1,0.25)", Number("a", 0.0, 0.75, 0.25)),
        ("a=tag(log,range(1,9))", Number("a", 1, 8, log=True, whole=True)),
        ("a=choice(2,4)", Choice("a", ("2", "4"))),
        ("a=null,64", Choice("a", ("null", "64"))),
        ("++a.b=x,y", Choice("++a.b", ("x", "y"))),
        ("a=[1],[1,2]", Choice("a", ("[1]", "[1,2]"))),
        ("loss=choice(triplet,contrastive)", Choice("loss", ("triplet", "contrastive"), is_group=True)),
        ("loss=glob(*t*,exclude=pair*)", Choice("loss", ("contrastive", "triplet"), is_group=True)),
    ],
)
def test_a_word_is_a_factor(word: str, found: Choice | Number) -> None:
    assert factor(word) == found


def test_what_has_one_value_is_fixed_and_the_last_word_counts() -> None:
    space = parsed("seed=3", "a=choice(7)", "b=range(4,5)", "c=1,2", "c=5,6", "d=9,9")
    assert sorted(space.fixed) == ["a=7", "b=4", "d=9", "seed=3"]
    assert space.quantities == (Choice("c", ("5", "6")),)


def test_groups_come_before_options_and_words_before_numbers() -> None:
    space = parsed("x=1,2", "y=up,down", "loss=triplet,pairwise", "z=interval(0,1)", "adapter=none,lora")
    assert [one.name for one in space.choices] == ["loss", "adapter", "y"]
    assert [one.name for one in space.quantities] == ["x", "z"]
    assert space.combinations == 8
    assert space.options == ("y", "x", "z")
    values = {"z": "0.5", "loss": "triplet", "y": "up"}
    assert space.words(values) == ["loss=triplet", "y=up", "z=0.5"]
    assert list(space.in_order(values)) == ["y", "loss", "z"]


@pytest.mark.parametrize(
    ("number", "value", "text"),
    [
        (Number("a", 1e-3, 1e-1, log=True), 0.012345678, "0.01235"),
        (Number("a", 1e-3, 0.012345678, log=True), 0.012345678, "0.012345678"),
        (Number("a", 0.0, 1.0), 0.123456789, "0.1235"),
        (Number("a", 0.9999, 0.99999), 0.99991234567, "0.999912346"),
        (Number("a", 0.0, 0.9, 0.1), 0.30000000000000004, "0.3"),
        (Number("a", 1, 64, whole=True), 7, "7"),
        (Number("a", -1000.0, 1000.0), -123.456, "-123.5"),
    ],
)
def test_numbers_are_as_exact_as_they_need_to_be(number: Number, value: float, text: str) -> None:
    assert number.text(value) == text
    assert number.low <= float(number.text(value)) <= number.high


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("a=interval(5,1)", "from a smaller number to a larger"),
        ("a=tag(log,interval(0,1))", "0 has no logarithm"),
        ("a=tag(log,range(2,9,2))", "equal steps"),
        ("a=tag(log,choice(1,2))", "a choice has no logarithm"),
        ("a=tag(lgo,interval(1,2))", "no tag 'lgo'"),
        ("a=range(5,5)", "no value is left"),
        ("loss=glob(nix*)", "no value is left"),
        ("seed=3", "nothing to search"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(word: str, what: str) -> None:
    with pytest.raises(Refused) as refusal:
        parsed(word)
    (problem,) = refusal.value.problems
    assert what in problem.what
    assert problem.mend


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(Refused) as refusal:
        parsed("a=interval(5,1)", "b=tag(log,interval(0,1))", "c=1,2")
    assert len(refusal.value.problems) == 2
