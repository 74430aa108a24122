"""Many systems on the same samples: scores and pairs as the verdict has them, p corrected for all pairs."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from stbench.evaluation.scores import Scores
from stbench.verdict.judge import judge
from stbench.verdict.pairwise import Ranking, holm, ranked, spreads
from stbench.verdict.score import score

N = 200
RANDOM = np.random.default_rng(3)
TRUTH = RANDOM.random(N)


def samples(quality: float, seed: int = 1) -> dict[str, Any]:
    noise = np.random.default_rng(seed).normal(0, 0.1, N)
    return {"value": np.clip(TRUTH + quality + noise, 0, 2)}


def scores(values: Any, greater_is_better: bool = True) -> Scores:
    return Scores(
        "m", {"m": float(values.mean())}, "mean", {"id": np.arange(len(values)), "value": values}, greater_is_better
    )


SYSTEMS = [samples(0.0, 1), samples(0.3, 2), samples(0.31, 3), samples(0.1, 4)]


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    return ranked(SYSTEMS, "mean", resamples=2000, seed=5)


def test_every_pair_is_what_the_verdict_says_of_it(ranking: Ranking) -> None:
    for first, second in combinations(range(4), 2):
        pair = ranking.between(first, second)
        verdict = judge(scores(SYSTEMS[second]["value"]), scores(SYSTEMS[first]["value"]), resamples=2000, seed=5)
        assert (pair.delta, pair.low, pair.high) == pytest.approx((verdict.delta, verdict.low, verdict.high), abs=1e-12)
        assert pair.p <= verdict.p


def test_every_score_is_what_an_evaluation_says_of_it(ranking: Ranking) -> None:
    for system, spread in zip(SYSTEMS, ranking.spreads, strict=True):
        alone = score(scores(system["value"]), resamples=2000, seed=5)
        assert (spread.value, spread.low, spread.high) == pytest.approx((alone.score, alone.low, alone.high), abs=1e-12)


def test_the_best_comes_first_and_what_cannot_be_told_from_it_is_named(ranking: Ranking) -> None:
    assert ranking.order == (2, 1, 3, 0)
    assert ranking.tied == (1,)


def test_seen_from_the_other_side_the_signs_turn(ranking: Ranking) -> None:
    there, back = ranking.between(0, 1), ranking.between(1, 0)
    assert (back.delta, back.low, back.high) == (-there.delta, -there.high, -there.low)
    assert (back.p, back.corrected) == (there.p, there.corrected)
    with pytest.raises(KeyError):
        ranking.between(1, 1)


def test_where_lower_is_better_the_lowest_is_the_best() -> None:
    found = ranked(SYSTEMS, "mean", greater_is_better=False, resamples=500, seed=5)
    assert found.order == (0, 3, 1, 2)
    assert found.between(0, 1).delta > 0


def test_holm_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_p_is_corrected_for_all_pairs(ranking: Ranking) -> None:
    assert [pair.corrected for pair in ranking.pairs] == holm([pair.p for pair in ranking.pairs])
    assert any(pair.corrected > pair.p for pair in ranking.pairs)


def test_runs_that_differ_by_chance_alone_are_told_apart_in_at_most_one_table_of_twenty() -> None:
    """Eight systems of one quality, 100 times: the largest of 28 differences looks like one in most tables, uncorrected."""
    false, alone = 0, 0
    for repetition in range(100):
        generator = np.random.default_rng(repetition)
        systems = [{"value": TRUTH + generator.normal(0, 0.2, N)} for _ in range(8)]
        found = ranked(systems, "mean", resamples=400, seed=repetition)
        false += any(pair.differs for pair in found.pairs)
        alone += any(pair.p < 0.05 for pair in found.pairs)
    assert false <= 10
    assert alone >= 40


def test_a_clear_difference_among_many_runs_is_still_seen() -> None:
    """435 pairs: the smallest p of 1,000 resamples times these would be 0.87."""
    systems = [samples(0.0, seed) for seed in range(29)] + [samples(0.5, 99)]
    found = ranked(systems, "mean", resamples=1000, seed=1)
    assert found.best == 29
    assert found.tied == ()


def test_too_few_changed_samples_tell_nothing() -> None:
    same = TRUTH.copy()
    five, eight = same.copy(), same.copy()
    five[:5] += 1
    eight[:8] += 1
    found = ranked([{"value": same}, {"value": five}, {"value": eight}], "mean", resamples=2000, seed=1)
    assert found.between(1, 0).p == 1.0
    assert found.between(2, 0).p < 0.1
    assert found.between(0, 1).differs is False


def test_equal_systems_do_not_differ() -> None:
    found = ranked([SYSTEMS[0], SYSTEMS[0]], "mean", resamples=200, seed=1)
    pair = found.between(0, 1)
    assert (pair.delta, pair.low, pair.high, pair.p) == (0, 0, 0, 1)


def test_a_score_that_does_not_exist_is_last() -> None:
    broken = {"value": np.full(N, np.nan)}
    found = ranked([broken, SYSTEMS[0]], "mean", resamples=200, seed=1)
    assert found.order == (1, 0)
    assert math.isnan(found.between(0, 1).delta)
    assert found.between(0, 1).differs is False


def test_set_level_statistics_are_recomputed_on_each_resample() -> None:
    target = TRUTH
    good = {"prediction": target + RANDOM.normal(0, 0.1, N), "target": target}
    bad = {"prediction": target + RANDOM.normal(0, 2.0, N), "target": target}
    found = ranked([bad, good], "spearman", resamples=500, seed=1)
    assert found.best == 1
    assert found.between(1, 0).differs


def test_one_system_has_a_score_and_no_pair() -> None:
    found = ranked([SYSTEMS[0]], "mean", resamples=200, seed=1)
    assert (found.order, found.pairs, found.tied) == ((0,), (), ())


def test_it_comes_back_from_json_as_it_went(ranking: Ranking) -> None:
    assert Ranking.from_dict(json.loads(json.dumps(ranking.as_dict()))) == ranking


def test_several_metrics_of_one_system_share_the_draws() -> None:
    both = spreads([("mean", SYSTEMS[0]), ("mean", SYSTEMS[1])], resamples=300, seed=2)
    assert both[1] == spreads([("mean", SYSTEMS[1])], resamples=300, seed=2)[0]
    assert spreads([], seed=2) == ()
