"""Impossible sentences are never drawn, and options that a choice refuses are left out with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sweep.small_search import FACTS, Values, ground_of, lawful, settings, space

from stbench.errors import Refused
from stbench.sweep.search import explain, ground, legal
from stbench.sweep.search.drawing import Drawn, draw, parameter
from stbench.sweep.search.legal import Illegal, Law
from stbench.sweep.search.space import Choice


class Picks:
    """Answers as a sampler would: by a function of the name and the values."""

    def __init__(self, choose: Any = lambda name, values: values[-1]) -> None:
        self._choose = choose
        self.asked: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.asked[name] = list(choices)
        return self._choose(name, choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.asked[name] = (low, high, step, log)
        return high

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.asked[name] = (low, high, step, log)
        return high


def by_adapter(values: Values) -> tuple[str, str] | str | None:
    """No rank without an adapter, no adapter for the base b, no scale for pairwise losses."""
    if values.get("adapter") == "none" and "adapter.rank" in values:
        return "there is no such option", "adapter.rank"
    if values.get("adapter") == "lora" and values.get("model") == "b":
        return "it has no layers"
    if values.get("loss") == "pairwise" and "scale" in values:
        return "it has no argument 'scale'", "scale"
    return None


WORDS = ("loss=triplet,pairwise", "model=a,b", "adapter=none,lora", "adapter.rank=interval(2,8)", "scale=1,2,4")


def test_only_what_can_still_become_a_whole_is_offered() -> None:
    found = ground_of(*WORDS, law=by_adapter)
    assert len(found.legal) == 6
    picks = Picks(lambda name, values: values[-1])
    drawn = draw(picks, found)
    assert isinstance(drawn, Drawn)
    # The base b has come first, so that one adapter is left, and nothing to choose.
    assert drawn.factors == {"loss": "pairwise", "model": "b", "adapter": "none"}
    assert list(picks.asked) == ["loss", "model"]


def test_every_draw_is_legal() -> None:
    found = ground_of(*WORDS, law=by_adapter)
    for loss in ("triplet", "pairwise"):
        for model in ("a", "b"):
            for adapter in ("none", "lora"):
                wanted = {"loss": loss, "model": model, "adapter": adapter}
                picks = Picks(lambda name, values, wanted=wanted: wanted.get(name, values[0]))
                drawn = draw(picks, found)
                assert isinstance(drawn, Drawn)
                values = dict(word.split("=") for word in drawn.words)
                assert by_adapter(values) is None
                assert ("adapter.rank" in values) == (adapter == "lora" and model == "a")
                assert ("scale" in values) == (loss == "triplet")


def test_a_smaller_set_of_values_has_a_name_of_its_own() -> None:
    law = lambda values: "no" if (values["model"], values["loss"]) in {("b", "x"), ("c", "y")} else None  # noqa: E731
    found = ground_of("model=a,b,c", "loss=x,y,z", law=law)
    names = {}
    for model in "abc":
        picks = Picks(lambda name, values, model=model: model if name == "model" else values[0])
        draw(picks, found)
        names[model] = {name: values for name, values in picks.asked.items() if name != "model"}
    assert names == {"a": {"loss": ["x", "y", "z"]}, "b": {"loss [y|z]": ["y", "z"]}, "c": {"loss [x|z]": ["x", "z"]}}


def test_long_names_are_cut_to_a_digest() -> None:
    values = [f"a_rather_long_value_{number}" for number in range(20)]
    choice = Choice("loss", tuple(values))
    one, other = parameter(choice, values[1:]), parameter(choice, values[:-1])
    assert one.startswith("loss [19 of 20: ")
    assert one != other
    assert parameter(choice, values) == "loss"


def test_an_option_of_words_is_left_out_only_where_none_of_them_would_do() -> None:
    def law(values: Values) -> tuple[str, str] | None:
        """Only metric losses know distances, and no city block."""
        distance = values.get("distance")
        if distance and (values["loss"] == "triplet" or distance == "city"):
            return "no such distance", "distance"
        return None

    found = ground_of("loss=triplet,metric", "distance=city,cosine,euclid", law=law)
    assert [dict(one.picks) for one in found.legal] == [
        {"loss": "triplet"}, {"loss": "metric", "distance": "cosine"}, {"loss": "metric", "distance": "euclid"},
    ]  # fmt: skip
    (line, other) = explain.notes(found, settings(1))[:2]
    assert line == "excluded: distance=city: distance: no such distance"
    assert other == "left out distance with loss=triplet: distance: no such distance"


def test_a_refusal_that_names_no_option_finds_it_by_leaving_out() -> None:
    law = lambda values: "too much" if values["loss"] == "x" and "b" in values else None  # noqa: E731
    found = ground_of("loss=x,y", "a=1,2", "b=1,2", "c=1,2", law=law)
    assert [one.takes for one in found.legal] == [("a", "c"), ("a", "b", "c")]
    assert list(found.legal[0].left_out) == ["b"]


def test_what_was_left_out_by_name_is_not_taken_up_again() -> None:
    def law(values: Values) -> Any:
        if "a" in values:
            return "no such option", "a"
        return "too much" if "b" in values else None

    found = Law(space("loss=x,y", "a=1,2", "b=1,2", "c=1,2"), lawful(law)).of({"loss": "x"})
    assert found.takes == ("c",)
    assert set(found.left_out) == {"a", "b"}


def test_an_option_that_nothing_takes_is_refused() -> None:
    with pytest.raises(Refused, match="no such option"):
        ground_of("loss=x,y", "a=1,2", law=lambda values: ("no such option", "a") if "a" in values else None)


def test_without_any_legal_combination_each_reason_is_told_once() -> None:
    with pytest.raises(Refused) as refusal:
        ground_of("loss=x,y", "a=1,2", law=lambda values: "never" if values["loss"] == "x" else "nor this")
    assert [problem.what for problem in refusal.value.problems] == ["never", "nor this"]


def test_the_greatest_numbers_are_tried_too() -> None:
    law = lambda values: ("too large", "a") if float(values.get("a", 0)) > 5 else None  # noqa: E731
    with pytest.raises(Refused, match="too large"):
        ground_of("loss=x,y", "a=interval(0,10)", law=law)
    assert ground_of("loss=x,y", "a=interval(0,5)", law=law)


def test_scores_that_count_in_both_ways_have_no_best() -> None:
    def attempt(words: Sequence[str]) -> Any:
        return replace(FACTS, greater_is_better=False, metric="mse") if "loss=y" in words else FACTS

    with pytest.raises(Refused, match="mse downwards"):
        ground.survey(space("loss=x,y"), attempt)


def test_several_questions_are_told() -> None:
    def attempt(words: Sequence[str]) -> Any:
        return replace(FACTS, judged="mrr by reranking") if "loss=y" in words else FACTS

    lines = explain.notes(ground.survey(space("loss=x,y", "a=interval(0.0,1.0)"), attempt), settings(1))
    assert any("2 questions" in line and "mrr by reranking" in line for line in lines)


def test_each_combination_is_planned_once() -> None:
    planned: list[tuple[str, ...]] = []

    def attempt(words: Sequence[str]) -> Any:
        planned.append(tuple(words))
        return FACTS

    found = ground.survey(space("loss=x,y", "model=a,b", "n=1,2,3"), attempt)
    draw(Picks(), found)
    # The four combinations, and one more with the greatest number.
    assert len(planned) == 5
    assert len(set(planned)) == 5


def test_of_too_many_combinations_each_is_planned_when_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legal, "MOST", 3)
    monkeypatch.setattr(ground, "MOST", 3)
    found = ground_of(*WORDS, law=by_adapter)
    assert (found.whole, len(found.legal)) == (False, 1)
    drawn = draw(Picks(lambda name, values: values[-1]), found)
    assert isinstance(drawn, Illegal)
    assert drawn.why[0].what == "it has no layers"
    assert isinstance(draw(Picks(lambda name, values: values[0]), found), Drawn)
