"""The tables, remarks and last lines of a sweep."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_sweeps import ended, lost, mixed, ran

from stbench import console
from stbench.records.comparison_text import p_written
from stbench.records.sweep import SweepResult, SweepRow
from stbench.records.sweep_text import last_lines, remarks, short_names, sweep_line, tables


@pytest.fixture
def result(tmp_path: Path) -> SweepResult:
    return mixed(tmp_path)


def fields(line: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in line.removeprefix("SWEEP: ").split(" | "))


def with_p(row: SweepRow, p: float) -> SweepRow:
    assert row.path is not None
    file = row.path / "verdict.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "p": p, "outcome": "WIN"}))
    return row


def test_every_job_stands_in_one_row(result: SweepResult) -> None:
    board, lost_ones, _ = tables(result)
    assert [row[0] for row in (*board.rows, *lost_ones.rows)] == ["6", "4", "3", "2", "1", "", "9", "5", "7", "8"]
    assert all(len(row) == len(table.columns) for table in tables(result) for row in table.rows)


def test_a_board_has_the_options_for_columns_and_no_names_of_runs(result: SweepResult) -> None:
    board = tables(result)[0]
    assert list(board.columns[:4]) == ["#", "loss", "learning_rate", "ndcg@10"]
    first = dict(zip(board.columns, board.rows[0], strict=True))
    assert (first["loss"], first["learning_rate"], first["behind the best"], first["took"]) == ("contrastive", "1e-2", "best", "12.5 s")  # fmt: skip
    assert first["verdict"] == "WIN"
    assert not any("run-" in cell for row in board.rows for cell in row)
    assert [row[1] for row in board.rows if not row[0]] == ["BM25"]


def test_jobs_without_a_rank_say_why(result: SweepResult) -> None:
    assert list(tables(result)[1].rows[1]) == ["5", "contrastive", "1e-3", "failed", "the loss is nan"]


def test_the_effects_have_a_line_for_each_level_also_where_nothing_finished(result: SweepResult) -> None:
    effects = tables(result)[2]
    names = [(row[0], row[1]) for row in effects.rows]
    assert names == [
        ("loss", "triplet"), ("", "contrastive"), ("", "teacher"), ("learning_rate", "1e-3"), ("", "1e-2"), ("", "3e-2"),
    ]  # fmt: skip
    assert list(effects.rows[2][2:]) == ["0", "0", "–", "–", "", ""]
    # One of the contrastive runs failed: its rate counts for neither loss.
    assert [row[2:4] for row in effects.rows[:2]] == [["3", "2"], ["2", "2"]]


def test_what_was_there_before_took_no_time(tmp_path: Path) -> None:
    rows = [ran(tmp_path, 1, 0.3, loss="a"), replace(ran(tmp_path, 2, 0.2, loss="b"), reused=True)]
    board = tables(ended(tmp_path, *rows))[0]
    assert [row[-1] for row in board.rows] == ["12.5 s", "was there", ""]


def test_options_are_named_by_their_last_word_where_that_is_enough() -> None:
    assert short_names(["loss", "training.epochs", "model.type", "base.type"]) == [
        "loss", "epochs", "model.type", "base.type",
    ]  # fmt: skip


def test_a_win_that_does_not_survive_is_marked_and_explained(tmp_path: Path) -> None:
    told = ((1, 0.001), (2, 0.04), (3, 0.03))
    rows = [with_p(ran(tmp_path, number, 0.1 * number, loss=str(number)), p) for number, p in told]
    fallen = ended(tmp_path, *rows)
    board = tables(fallen)[0]
    assert [row[board.columns.index("verdict")] for row in board.rows] == ["WIN*", "WIN*", "WIN", ""]
    assert [row[board.columns.index("p (verdict)")] for row in board.rows] == ["0.0600", "0.0600", "0.0030", ""]
    text = " ".join(remarks(fallen))
    assert "The best of 3 runs is picked by its test score, which makes it look better than it is" in text
    assert "corrected for all 3 by Holm's method" in text
    assert "WIN*: the verdict of the run alone, which does not survive the correction." in text
    assert "WIN*" not in " ".join(remarks(ended(tmp_path, rows[0], rows[2])))


def test_remarks_say_how_pairs_are_corrected_and_which_runs_are_in_the_means(result: SweepResult) -> None:
    text = " ".join(remarks(result))
    assert "corrected for all pairs of a group (10) by Holm's method" in text
    assert "which run is best was read off the same samples" in text
    assert "The means of loss are over 4 of 5 runs" in text
    assert "The means of training.learning_rate are over 3 of 5 runs" in text
    assert "loss moves the score most" in text


def test_of_a_whole_grid_the_shares_are_told(tmp_path: Path) -> None:
    rows = [
        ran(tmp_path, 1 + 2 * loss + rate, 0.1 + 0.2 * loss + 0.05 * rate, loss=f"l{loss}", rate=f"{rate}")
        for loss in range(2)
        for rate in range(2)
    ]
    (text,) = [line for line in remarks(ended(tmp_path, *rows)) if "explains most" in line]
    assert text.startswith("loss explains most: 9")
    assert ", rate " in text
    assert "lies in how they go together, or is chance" in text


def test_options_that_were_never_alike_otherwise_are_told_to_be_mixed(tmp_path: Path) -> None:
    rows = [ran(tmp_path, 1, 0.1, loss="a", rate="1"), ran(tmp_path, 2, 0.2, loss="b", rate="2")]
    text = " ".join(remarks(ended(tmp_path, *rows)))
    assert "The means of loss are over all runs: no combination of the other options finished at every level" in text


def test_one_option_alone_explains_nothing_that_its_means_do_not(tmp_path: Path) -> None:
    rows = [ran(tmp_path, number, 0.1 * number, loss=str(number)) for number in (1, 2)]
    assert not any("most" in line for line in remarks(ended(tmp_path, *rows)))


def test_jobs_that_are_one_run_are_told(tmp_path: Path) -> None:
    row = ran(tmp_path, 1, 0.4, rate="1e-2")
    found = ended(tmp_path, row, replace(row, number=2, factors={"rate": "0.01"}))
    assert "Jobs 1, 2 are one run: nothing that changes a number differs between them." in remarks(found)


def test_the_last_line_has_its_fields_in_their_order(result: SweepResult) -> None:
    lead = result.boards[0].lead
    assert lead is not None
    *again, line = last_lines(result)
    assert again == ["5 seeds of the best: python -m stbench loss=contrastive training.learning_rate=1e-2 seeds=5"]
    assert list(fields(line).items()) == [
        ("jobs", "9"), ("finished", "5"), ("reused", "0"), ("failed", "1"), ("refused", "1"), ("pruned", "1"),
        ("best", f"{result.boards[0].best.run.score:.4f}"), ("lead", f"{lead.delta:+.4f}"), ("p", p_written(lead.corrected)),
        ("run", "run-6"),
    ]  # fmt: skip


def test_where_nothing_finished_there_is_no_best(tmp_path: Path) -> None:
    found = ended(tmp_path, lost(1, "failed", "broken", loss="a"), lost(2, "interrupted", "stopped", loss="b"))
    assert last_lines(found) == ["SWEEP: jobs=2 | finished=0 | reused=0 | failed=1 | refused=0 | pruned=0"]
    assert remarks(found) == []
    assert [table.title for table in tables(found)] == ["without a rank"]


def test_a_run_alone_leads_nobody(tmp_path: Path) -> None:
    found = ended(tmp_path, ran(tmp_path, 1, 0.4, loss="a"))
    assert list(fields(sweep_line(found)))[6:] == ["best", "run"]
    assert remarks(found) == []


def test_the_sweeps_best_is_that_of_the_question_with_the_most_runs(tmp_path: Path) -> None:
    rows = [ran(tmp_path, number, 0.1 * number, judged=str(number // 3), dataset=str(number // 3)) for number in (1, 2, 3)]  # fmt: skip
    found = ended(tmp_path, *rows)
    *again, line = last_lines(found)
    assert fields(line)["run"] == "run-2"
    assert len(again) == 2
    assert "dataset=1 seeds=5" in again[1]
    assert "2 groups" in remarks(found)[0]
    assert len(tables(found)) == 2


def test_the_console_shows_it(result: SweepResult, capsys: pytest.CaptureFixture[str]) -> None:
    console.show_tables(tables(result))
    console.show_best(remarks(result), {"page": "report.html"}, last_lines(result))
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == sweep_line(result)
    assert "without a rank" in out
