"""Runs of one question are ranked and tested against each other; runs of another stand apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_runs import IDS, TRUTH, outcomes, scores, set_level, write_evaluation, write_run

from stbench.cache import Store
from stbench.records import comparison as module
from stbench.records.comparison import Comparison, Statistics, compare
from stbench.records.finished import FinishedRun, LeftOut, read_run
from stbench.verdict.judge import judge


def run(path: Path) -> FinishedRun:
    found = read_run(path)
    assert isinstance(found, FinishedRun), found
    return found


def statistics(place: Path, **more: bool) -> Statistics:
    return Statistics(Store(place / "store", "on"), 500, 5, **more)


@pytest.fixture
def runs(tmp_path: Path) -> list[FinishedRun]:
    qualities = {"middle": 0.2, "best": 0.4, "alike": 0.405, "worst": 0.1}
    return [
        run(write_run(tmp_path, name, scores(outcomes(quality, place)), scores(outcomes(0.05, 9))))
        for place, (name, quality) in enumerate(qualities.items())
    ]


@pytest.fixture
def found(runs: list[FinishedRun], tmp_path: Path) -> Comparison:
    return compare(runs, statistics(tmp_path))


def test_runs_are_ranked_and_numbered_best_first(found: Comparison) -> None:
    (group,) = found.groups
    order = [one.name for one in group.runs]
    assert set(order[:2]) == {"best", "alike"}
    assert order[2:] == ["middle", "worst"]
    assert [one.value for one in group.scores] == pytest.approx(sorted((one.score for one in group.runs), reverse=True))
    assert list(found.numbers.values()) == [1, 2, 3, 4]
    assert group.tied == {1}
    assert group.title == "ndcg@10 on 60 samples of small"


def test_the_difference_from_the_best_is_the_one_that_a_verdict_would_give(found: Comparison) -> None:
    (group,) = found.groups
    behind = group.behind(3)
    assert behind is not None
    verdict = judge(scores(group.best.samples["value"]), scores(group.runs[3].samples["value"]), resamples=500, seed=5)
    assert (behind.delta, behind.low, behind.high) == pytest.approx((verdict.delta, verdict.low, verdict.high))
    assert group.behind(0) is None


def test_samples_in_another_order_are_paired_by_their_ids(tmp_path: Path) -> None:
    values = outcomes(0.2)
    one = run(write_run(tmp_path, "one", scores(values)))
    two = run(write_run(tmp_path, "two", scores(values[::-1], ids=IDS[::-1])))
    (group,) = compare([one, two], statistics(tmp_path)).groups
    (pair,) = group.ranking.pairs
    assert (pair.delta, pair.low, pair.high) == (0, 0, 0)


def test_other_samples_and_other_metrics_stand_apart(runs: list[FinishedRun], tmp_path: Path) -> None:
    others = [
        run(write_run(tmp_path, "elsewhere", scores(outcomes(0.9), judged="other"))),
        run(write_run(tmp_path, "pairs", set_level(TRUTH + 0.1))),
    ]
    found = compare([*others, *runs], statistics(tmp_path))
    assert [len(group.runs) for group in found.groups] == [4, 1, 1]
    assert {group.metric for group in found.groups} == {"ndcg@10", "spearman"}
    assert len(found.numbers) == 6


def test_groups_of_one_metric_are_told_apart_by_how_they_were_judged(tmp_path: Path) -> None:
    plan = "data        small: 100 rows\nevaluator   {}\n"
    one, two, three = (
        run(write_run(tmp_path, name, scores(outcomes(0.2), judged=name), **{"plan.txt": plan.format(evaluator)}))
        for name, evaluator in (("one", "Retrieval"), ("two", "Reranking"), ("three", "Reranking"))
    )
    found = compare([one, two], statistics(tmp_path))
    assert [found.title_of(group) for group in found.groups] == [
        "ndcg@10 on 60 samples of small (Retrieval)", "ndcg@10 on 60 samples of small (Reranking)",
    ]  # fmt: skip
    found = compare([two, three], statistics(tmp_path))
    assert [found.title_of(group)[-20:] for group in found.groups] == ["(Reranking), group 1", "(Reranking), group 2"]


def test_a_model_that_was_only_scored_is_compared_with_trained_ones(runs: list[FinishedRun], tmp_path: Path) -> None:
    evaluated = run(write_evaluation(tmp_path, "evaluate-one", scores(outcomes(0.3))))
    (group,) = compare([*runs, evaluated], statistics(tmp_path)).groups
    assert len(group.runs) == 5
    assert [one.name for one in group.runs].index("evaluate-one") == 2


def test_every_metric_has_its_interval(found: Comparison) -> None:
    (group,) = found.groups
    assert group.metric_names == ["ndcg@10", "recall@10"]
    for one, measured, spread in zip(group.runs, group.metrics, group.scores, strict=True):
        assert (measured["ndcg@10"].low, measured["ndcg@10"].high) == (spread.low, spread.high)
        assert measured["recall@10"].value == pytest.approx(one.score / 2)
        assert measured["recall@10"].low == pytest.approx(spread.low / 2)


def test_metrics_over_the_whole_set_are_computed_again_and_those_that_nobody_knows_have_no_interval(
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(2).normal(0, 0.3, len(TRUTH))
    (group,) = compare([run(write_run(tmp_path, "pairs", set_level(TRUTH + noise)))], statistics(tmp_path)).groups
    (measured,) = group.metrics
    for name in ("spearman", "pearson"):
        low, high = measured[name].low, measured[name].high
        assert low is not None
        assert high is not None
        assert low < measured[name].value < high
    assert (measured["odd"].value, measured["odd"].low) == (0.5, None)


def test_a_metric_that_cannot_be_had_again_from_the_samples_gets_no_interval(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one", scores(outcomes(0.2)))
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["test"]["cosine_recall@10"]["final"] = 0.123
    (path / "metrics.json").write_text(json.dumps(metrics))
    (group,) = compare([run(path)], statistics(tmp_path)).groups
    assert group.metrics[0]["recall@10"] == module.Measured(0.123)


def test_the_same_comparison_takes_its_statistics_from_the_store(
    runs: list[FinishedRun], found: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "ranked", never)
    monkeypatch.setattr(module, "spreads", never)
    again = compare(runs, statistics(tmp_path))
    assert again.as_dict() == found.as_dict()
    with pytest.raises(AssertionError):
        compare(runs[:2], statistics(tmp_path))


def test_other_outcomes_under_the_same_name_are_computed_anew(runs: list[FinishedRun], tmp_path: Path) -> None:
    before = compare(runs, statistics(tmp_path))
    changed = run(write_run(tmp_path / "again", "worst", scores(outcomes(0.45, 7))))
    after = compare([*runs[:3], changed], statistics(tmp_path))
    assert before.groups[0].best.name != after.groups[0].best.name == "worst"


def test_where_lower_is_better_the_lowest_comes_first(tmp_path: Path) -> None:
    low, high = (
        run(write_run(tmp_path, name, scores(outcomes(quality, 1), greater_is_better=False)))
        for name, quality in (("low", 0.1), ("high", 0.4))
    )
    (group,) = compare([high, low], statistics(tmp_path)).groups
    assert group.best.name == "low"
    behind = group.behind(1)
    assert behind is not None
    assert behind.delta < 0


def test_only_references_that_all_runs_share_are_told(tmp_path: Path) -> None:
    one = scores(outcomes(0.2))
    other = scores(outcomes(0.3))
    other.references["fused with BM25"] = 0.7
    (group,) = compare(
        [run(write_run(tmp_path, "one", one)), run(write_run(tmp_path, "two", other))], statistics(tmp_path)
    ).groups
    assert group.references == {"BM25": 0.25}


def test_a_ranking_alone_needs_no_metrics(runs: list[FinishedRun], tmp_path: Path) -> None:
    found = compare(runs, statistics(tmp_path, every_metric=False))
    assert found.groups[0].metrics == ()


def test_as_json_it_holds_runs_pairs_and_what_was_left_out(runs: list[FinishedRun], tmp_path: Path) -> None:
    left = LeftOut(tmp_path / "broken", "it failed", "again")
    found = json.loads(json.dumps(compare(runs, statistics(tmp_path), left_out=[left], command="c").as_dict()))
    assert (found["command"], found["resamples"], found["correction"]) == ("c", 500, "holm")
    (group,) = found["groups"]
    assert [one["tied_with_best"] for one in group["runs"]] == [True, True, False, False]
    assert len(group["pairs"]) == 6
    assert group["pairs"][0].keys() >= {"first", "second", "delta", "ci95", "p", "p_holm", "differs"}
    assert found["left_out"] == [{"run": "broken", "reason": "it failed", "mend": "again"}]
