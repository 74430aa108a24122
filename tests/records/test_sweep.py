"""Every job of a sweep has its place: ranked among those of its question, or with the reason why it has no rank."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import CONFIG, outcomes, scores, write_evaluation
from small_sweeps import ended, lost, mixed, ran, statistics

from stbench.records.sweep import SweepResult, SweepRow, sweep_result


@pytest.fixture
def result(tmp_path: Path) -> SweepResult:
    return mixed(tmp_path)


def numbers(result: SweepResult) -> list[int]:
    ranked = [one.row.number for board in result.boards for one in board.standings]
    return ranked + [row.number for row in result.unranked]


def with_p(root: Path, row: SweepRow, p: float, outcome: str = "WIN") -> SweepRow:
    assert row.path is not None
    file = row.path / "verdict.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "p": p, "outcome": outcome}))
    return row


def test_every_job_is_there_once_the_best_first_and_the_lost_ones_last(result: SweepResult) -> None:
    assert numbers(result) == [6, 4, 3, 2, 1, 9, 5, 7, 8]
    assert [row.state for row in result.unranked] == ["pruned", "failed", "refused", "interrupted"]
    assert result.factors == ["loss", "training.learning_rate"]
    assert (result.counts["finished"], result.counts["failed"], result.reused) == (5, 1, 0)


def test_a_standing_has_the_interval_of_its_score_and_its_distance_to_the_best(result: SweepResult) -> None:
    (board,) = result.boards
    best, second = board.standings[:2]
    assert best.spread.low < best.run.score < best.spread.high
    assert (best.behind, best.tied) == (None, False)
    assert second.behind is not None
    assert second.behind.delta == pytest.approx(second.run.score - best.run.score)
    # No table of a sweep shows other metrics, and their intervals would be resampled for every run.
    assert board.group.metrics == ()
    assert second.delta == pytest.approx(second.run.score - (second.run.baseline or 0))
    assert board.lead is not None
    assert board.lead.delta == pytest.approx(-second.behind.delta)


def test_what_cannot_be_told_from_the_best_is_tied_with_it(tmp_path: Path) -> None:
    rows = [ran(tmp_path, number, quality, loss=str(number)) for number, quality in ((1, 0.3), (2, 0.301), (3, 0.1))]
    (board,) = ended(tmp_path, *rows).boards
    assert [one.tied for one in board.standings] == [False, True, False]


def test_a_verdict_that_does_not_survive_the_number_of_runs_does_not_hold(tmp_path: Path) -> None:
    rows = [with_p(tmp_path, ran(tmp_path, number, 0.1 * number, loss=str(number)), p) for number, p in ((1, 0.001), (2, 0.04), (3, 0.03))]  # fmt: skip
    (board,) = ended(tmp_path, *rows).boards
    assert [one.p for one in board.standings] == [0.03, 0.04, 0.001]
    assert [one.corrected for one in board.standings] == pytest.approx([0.06, 0.06, 0.003])
    assert [one.holds for one in board.standings] == [False, False, True]
    (alone,) = ended(tmp_path, rows[2]).boards
    assert (alone.best.corrected, alone.best.holds) == (None, True)


def test_only_a_verdict_that_claims_something_can_fall(tmp_path: Path) -> None:
    said = {1: "MARGINAL", 2: "REGRESSION"}
    rows = [with_p(tmp_path, ran(tmp_path, number, 0.1 * number, loss=str(number)), 0.04, outcome) for number, outcome in said.items()]  # fmt: skip
    (board,) = ended(tmp_path, *rows).boards
    assert {one.run.outcome: one.holds for one in board.standings} == {"MARGINAL": True, "REGRESSION": False}


def test_jobs_of_another_question_are_ranked_apart(tmp_path: Path) -> None:
    rows = [ran(tmp_path, number, 0.1 * number, judged=f"{number // 3}", dataset=f"d{number // 3}", loss=f"l{number % 2}") for number in range(1, 5)]  # fmt: skip
    result = ended(tmp_path, *rows)
    assert [[one.row.number for one in board.standings] for board in result.boards] == [[2, 1], [4, 3]]
    assert len({board.title for board in result.boards}) == 2
    # p is corrected for the two of its own board, and the option that tells the boards apart has no effect within one.
    assert all(one.corrected is not None for board in result.boards for one in board.standings)
    assert [[effect.factor for effect in board.effects] for board in result.boards] == [["loss"], ["loss"]]


def test_two_jobs_that_are_one_run_stand_side_by_side(tmp_path: Path) -> None:
    one, other = ran(tmp_path, 1, 0.4, rate="1e-2"), ran(tmp_path, 2, 0.1, rate="1")
    (board,) = ended(tmp_path, one, other, replace(one, number=3, factors={"rate": "0.01"})).boards
    assert [(standing.row.number, standing.place) for standing in board.standings] == [(1, 0), (3, 0), (2, 1)]
    assert len(board.group.runs) == 2


@pytest.mark.parametrize(
    ("files", "reason"),
    [({"seeds.json": [{"run": "a"}]}, "a verdict over several runs; VERDICT: WIN | score=0."),
     ({"config.yaml": json.dumps({**CONFIG, "training": {"trial": True}})}, "a trial on a slice"),
     ({"samples.parquet": "nothing"}, "cannot be read")],
)  # fmt: skip
def test_a_finished_job_that_cannot_be_compared_says_why(tmp_path: Path, files: dict[str, object], reason: str) -> None:
    result = ended(tmp_path, ran(tmp_path, 1, 0.3, loss="a"), ran(tmp_path, 2, 0.4, files=files, loss="b"))
    assert numbers(result) == [1, 2]
    assert reason in result.unranked[0].reason
    assert "run=" not in result.unranked[0].reason
    assert result.counts["finished"] == 2


def test_a_finished_job_without_a_folder_says_so(tmp_path: Path) -> None:
    assert ended(tmp_path, lost(1, "finished", "", loss="a")).unranked[0].reason == "it left no folder"


def test_the_best_is_trained_again_by_its_own_command_with_more_seeds(result: SweepResult) -> None:
    assert result.boards[0].again == "python -m stbench loss=contrastive training.learning_rate=1e-2 seeds=5"


def test_what_trains_nothing_is_not_trained_again(tmp_path: Path) -> None:
    path = write_evaluation(tmp_path, "evaluate-x", scores(outcomes(0.3)))
    row = SweepRow(1, {"base_model": "a"}, path.name, path, "finished", "", "python -m stbench job=evaluate")
    (board,) = ended(tmp_path, row).boards
    assert (board.again, board.best.delta, board.best.p) == ("", None, None)


def test_as_json_it_holds_jobs_pairs_and_effects_without_nan(result: SweepResult) -> None:
    found = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert (found["jobs"], found["finished"], found["failed"], found["refused"], found["pruned"]) == (9, 5, 1, 1, 1)
    (board,) = found["boards"]
    assert [job["number"] for job in board["jobs"]] + [job["number"] for job in found["unranked"]] == numbers(result)
    assert board["jobs"][0]["tied_with_best"] is True
    assert board["jobs"][0]["behind"] is None
    assert board["jobs"][1].keys() >= {"score", "ci95", "delta", "outcome", "p", "p_holm", "holds", "folder", "factors"}
    assert len(board["pairs"]) == 10
    assert {effect["option"] for effect in board["effects"]} == set(result.factors)
    assert (board["best"], board["lead"]["p_holm"]) == ("run-6", result.boards[0].lead.corrected)  # type: ignore[union-attr]


def test_a_score_that_does_not_exist_comes_last_and_is_none_in_json(tmp_path: Path) -> None:
    broken = {"verdict.json": {"outcome": "MARGINAL", "score": None, "delta": None, "p": 1.0, "metric": "x", "n": 60}}
    rows = [ran(tmp_path, 1, float("nan"), files=broken, loss="a"), ran(tmp_path, 2, 0.2, loss="b")]
    result = ended(tmp_path, *rows)
    assert numbers(result) == [2, 1]
    assert json.loads(json.dumps(result.as_dict(), allow_nan=False))["boards"][0]["jobs"][1]["score"] is None


def test_nothing_finished_and_nothing_there(tmp_path: Path) -> None:
    assert ended(tmp_path, lost(1, "failed", "broken", loss="a")).best is None
    assert sweep_result([], statistics(tmp_path)).as_dict()["boards"] == []
