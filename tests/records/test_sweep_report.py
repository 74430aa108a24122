"""The page of a sweep: every job, nothing from outside, and no text that is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from small_sweeps import ended, lost, mixed, ran

from stbench.records.sweep import SweepResult
from stbench.records.sweep_report import in_words, render_sweep, write_sweep
from stbench.records.sweep_text import remarks, sweep_line

EVIL = "<script>alert('x')</script>&\"{{7*7}}</pre></td>"


@pytest.fixture
def result(tmp_path: Path) -> SweepResult:
    return mixed(tmp_path)


def page(result: SweepResult, place: Path) -> str:
    return render_sweep(result, place / "experiments" / "sweep-x")


def text(html: str) -> str:
    """What is read of it."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", html[html.index("<main") :])))


def test_everything_is_on_the_page(result: SweepResult, tmp_path: Path) -> None:
    shown = text(page(result, tmp_path))
    for said in (
        "Sweep x", "9 jobs: 5 finished, 1 pruned, 1 failed, 1 refused, 1 interrupted.", sweep_line(result), "run-6", "12.5 s",
        "ndcg@10 on 60 samples of small", "behind the best", "BM25", "the loss is nan", "it was pruned", "ndcg@10 by loss",
        "ndcg@10 by training.learning_rate", "What each option did: ndcg@10", "spread of means", *remarks(result),
        "python -m stbench loss=contrastive training.learning_rate=1e-2 seeds=5", "python -m stbench -m loss=a,b",
    ):  # fmt: skip
        assert said in shown, said
    assert page(result, tmp_path).count("<svg") == 5 + 2


def test_each_job_has_one_row(result: SweepResult, tmp_path: Path) -> None:
    found = re.findall(r'<td class="number">(\d*)</td>', page(result, tmp_path))
    assert found == ["6", "4", "3", "2", "1", "", "9", "5", "7", "8"]


def test_links_lead_to_the_reports_of_the_runs(result: SweepResult, tmp_path: Path) -> None:
    path = tmp_path / "experiments" / "sweep-x" / "report.html"
    write_sweep(result, path)
    html = path.read_text(encoding="utf-8")
    links = re.findall(r'<a href="([^"]+)"', html)
    assert links == [f"../run-{number}/report.html" for number in (6, 4, 3, 2, 1)]
    assert all((path.parent / unquote(link)).is_file() for link in links)
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]
    assert not re.search(r'(?:src|href)="(?:http|//)|@import|url\((?!#)', html)
    assert "<script" not in html


def test_a_run_without_a_report_is_named_without_a_link(tmp_path: Path) -> None:
    html = page(ended(tmp_path, ran(tmp_path, 1, 0.2, files={"report.html": None}, loss="a")), tmp_path)
    assert "run-1" in html
    assert "<a " not in html


def test_texts_are_never_markup(tmp_path: Path) -> None:
    rows = [ran(tmp_path, 1, 0.2, loss=EVIL), ran(tmp_path, 2, 0.3, loss="b"), lost(3, "failed", EVIL, loss=EVIL)]
    rows = [replace(row, factors={EVIL: row.factors["loss"], **row.factors}) for row in rows]
    html = page(replace(ended(tmp_path, *rows), title=EVIL, command=EVIL), tmp_path)
    assert "<script" not in html
    assert "alert('x')" in text(html)
    assert "{{7*7}}" in text(html)


def test_a_win_that_fell_keeps_its_colour_and_bears_its_mark(tmp_path: Path) -> None:
    # 200 resamples of which the run does not tell cannot say less than 0.01, which six of them make 0.06.
    result = ended(tmp_path, *(ran(tmp_path, number, 0.3 + number / 100, loss=str(number)) for number in range(6)))
    assert page(result, tmp_path).count('<span class="win">WIN*</span>') == 6


def test_a_run_alone_is_behind_nobody(tmp_path: Path) -> None:
    shown = text(page(ended(tmp_path, ran(tmp_path, 1, 0.2, loss="a")), tmp_path))
    for absent in ("behind the best", "Holm", "What each option did", "Without a rank", "How to read this"):
        assert absent not in shown


def test_questions_stand_in_boards_of_their_own(tmp_path: Path) -> None:
    rows = [ran(tmp_path, number, 0.1 * number, judged=str(number % 2), loss=str(number)) for number in range(1, 5)]
    result = ended(tmp_path, *rows)
    shown = page(result, tmp_path)
    assert [shown.count(f"<h2>{board.title}</h2>") for board in result.boards] == [1, 1]
    assert shown.count("The best again, with more seeds") == 2
    ids = re.findall(r' id="([^"]+)"', shown)
    assert len(ids) == len(set(ids)) > 0


def test_how_jobs_ended_is_told_in_words(tmp_path: Path) -> None:
    reused = replace(ran(tmp_path, 1, 0.2, loss="a"), reused=True)
    assert in_words(ended(tmp_path, reused, lost(2, "failed", "x", loss="b"))) == "2 jobs: 1 finished (1 of them before this sweep), 1 failed"  # fmt: skip
    assert in_words(ended(tmp_path)) == "no jobs"


def test_a_sweep_of_which_nothing_finished_has_a_page(tmp_path: Path) -> None:
    shown = text(page(ended(tmp_path, lost(1, "failed", "broken", loss="a")), tmp_path))
    assert "Without a rank" in shown
    assert "broken" in shown


def test_the_same_result_gives_the_same_page(result: SweepResult, tmp_path: Path) -> None:
    assert page(result, tmp_path) == page(result, tmp_path)
