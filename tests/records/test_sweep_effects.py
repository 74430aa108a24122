"""What an option did is told by runs that differ in it alone, wherever there are such runs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import pytest

from stbench.records.sweep_effects import Effect, Point, effects, is_numeric

LOSSES, RATES = ("a", "b"), ("1e-1", "1e-3", "1e-2")
LEVELS = {"loss": LOSSES, "rate": RATES}
SCORES = {
    ("a", "1e-3"): 0.1, ("a", "1e-2"): 0.2, ("a", "1e-1"): 0.3,
    ("b", "1e-3"): 0.5, ("b", "1e-2"): 0.6, ("b", "1e-1"): 0.7,
}  # fmt: skip


def found(scores: Mapping[tuple[str, str], float], **more: bool) -> dict[str, Effect]:
    points = [Point({"loss": loss, "rate": rate}, score) for (loss, rate), score in scores.items()]
    return {effect.factor: effect for effect in effects(points, LEVELS, **more)}


def means(effect: Effect) -> list[float]:
    return [level.mean for level in effect.levels]


def test_of_a_whole_grid_all_runs_count() -> None:
    loss, rate = found(SCORES)["loss"], found(SCORES)["rate"]
    assert means(loss) == pytest.approx([0.2, 0.6])
    assert [level.best for level in loss.levels] == [0.3, 0.7]
    assert [len(level.scores) for level in loss.levels] == [3, 3]
    assert (loss.spread, rate.spread) == pytest.approx((0.4, 0.2))
    assert (loss.blocks, rate.blocks, loss.counted, loss.runs) == (3, 2, 6, 6)


def test_quantities_stand_in_their_order_and_names_as_they_were_said() -> None:
    assert [level.name for level in found(SCORES)["rate"].levels] == ["1e-3", "1e-2", "1e-1"]
    assert [level.name for level in found(SCORES)["loss"].levels] == ["a", "b"]


@pytest.mark.parametrize(
    ("factor", "names", "numeric"),
    [("rate", ("1e-3", "10"), True), ("seed", ("1", "2"), False), ("training.seed", ("1", "2"), False),
     ("rate", ("1e-3", "null"), False), ("rate", ("1", "inf"), False), ("loss", ("a", "b"), False)],
)  # fmt: skip
def test_what_is_a_quantity(factor: str, names: tuple[str, ...], numeric: bool) -> None:
    assert is_numeric(factor, names) is numeric


def test_shares_are_those_of_an_analysis_of_variance() -> None:
    effects = found(SCORES)
    # Sums of squares: 6 * 0.2**2 between the losses, 2 * 2 * 0.1**2 between the rates, and nothing else.
    assert effects["loss"].share == pytest.approx(0.24 / 0.28)
    assert effects["rate"].share == pytest.approx(0.04 / 0.28)
    assert list(effects) == ["loss", "rate"]


def test_what_options_do_only_together_is_no_share_of_either() -> None:
    crossed = {("a", "1e-3"): 0.1, ("a", "1e-2"): 0.3, ("b", "1e-3"): 0.3, ("b", "1e-2"): 0.1}
    assert [effect.share for effect in found(crossed).values()] == pytest.approx([0, 0])


def test_a_run_that_is_missing_takes_its_combination_out_of_the_mean() -> None:
    some = {name: score for name, score in SCORES.items() if name != ("a", "1e-1")}
    loss = found(some)["loss"]
    # With all runs it would be 0.15 against 0.6, half of it the rate that a lacks.
    assert means(loss) == pytest.approx([0.15, 0.55])
    assert (loss.blocks, loss.counted, loss.runs) == (2, 4, 5)
    assert loss.levels[1].best == 0.7


def test_where_no_combination_is_whole_the_means_are_over_all_runs_and_it_is_told() -> None:
    torn = {name: score for name, score in SCORES.items() if (name[0] == "a") == (name[1] == "1e-3")}
    loss = found(torn)["loss"]
    assert not loss.balanced
    assert means(loss) == pytest.approx([0.1, 0.65])
    assert loss.share is None


def test_one_combination_explains_nothing() -> None:
    alone = {name: score for name, score in SCORES.items() if name[1] == "1e-3"}
    loss = found(alone)["loss"]
    assert loss.balanced
    assert loss.share is None
    assert list(found(alone)) == ["loss"]


def test_scores_that_are_all_alike_have_no_shares() -> None:
    assert [effect.share for effect in found(dict.fromkeys(SCORES, 0.5)).values()] == [None, None]


def test_a_share_that_cannot_be_told_does_not_make_an_option_the_last() -> None:
    some = {("a", "1e-3"): 0.1, ("a", "1e-2"): 0.11, ("b", "1e-3"): 0.5, ("b", "1e-2"): 0.5, ("a", "1e-1"): 0.9}
    effects = found(some)
    assert effects["rate"].share is None
    assert effects["loss"].share is not None
    assert list(effects) == ["rate", "loss"]


def test_a_level_at_which_nothing_finished_is_there_with_no_run() -> None:
    points = [Point({"loss": name}, score) for name, score in (("a", 0.1), ("b", 0.2))]
    (effect,) = effects(points, {"loss": ("a", "gone", "b")})
    gone = effect.levels[1]
    assert (gone.name, gone.scores, gone.counted) == ("gone", (), 0)
    assert math.isnan(gone.mean)
    assert [level.name for level in effect.present] == ["a", "b"]
    assert effect.spread == pytest.approx(0.1)
    assert json.loads(json.dumps(effect.as_dict(), allow_nan=False))["levels"][1]["mean"] is None


def test_scores_that_do_not_exist_count_for_nothing() -> None:
    assert found({**SCORES, ("a", "1e-1"): math.nan})["loss"].runs == 5


def test_where_lower_is_better_the_best_is_the_lowest() -> None:
    loss = found(SCORES, greater_is_better=False)["loss"]
    assert [level.best for level in loss.levels] == [0.1, 0.5]
    assert loss.best.name == "a"
    assert found(SCORES)["loss"].best.name == "b"


def test_the_same_combination_said_twice_counts_once() -> None:
    points = [Point({"loss": name}, score) for name, score in (("a", 0.1), ("b", 0.2), ("a", 0.1))]
    (effect,) = effects(points, {"loss": ("a", "b")})
    assert [len(level.scores) for level in effect.levels] == [1, 1]
