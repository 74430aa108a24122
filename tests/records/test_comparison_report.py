"""The page of a comparison: every run, every pair, every difference; nothing from outside, and no text that is markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from small_runs import outcomes, scores, write_evaluation, write_run, write_weights

from stbench.cache import Store
from stbench.records.comparison import MATRIX, Comparison, Statistics, compare
from stbench.records.comparison_report import render_comparison, write_comparison
from stbench.records.finished import FinishedRun, LeftOut, read_run

EVIL = "<script>alert('x')</script>&\"{{7*7}}</pre></td>"
COST = {
    "query_ms_median": 1.5, "parameters": 1000, "index_bytes_per_document": 256.0, "active_dims": None,
    "queries_per_second": 9.0,
}  # fmt: skip


class Page(HTMLParser):
    """What a browser would see; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if tag == "a" and name == "href"]
        self.outside += [
            str(value)
            for name, value in attrs
            if name == "src" or (not name.startswith("xmlns") and str(value).startswith("http"))
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


Compared = Callable[..., Comparison]


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    """A comparison of `number` runs, each better than the one before and dearer, and of those in `more`."""

    def made(number: int = 3, *more: FinishedRun, **told: Any) -> Comparison:
        runs = []
        for place in range(number):
            cost = {"after": {**COST, "texts_per_second": 1000.0 / (place + 1), "model_bytes": 1e6 * (place + 1)}}
            name = f"run-{place}"
            path = write_run(
                tmp_path / "experiments", name, scores(outcomes(0.05 * place, place)), **{"cost.json": cost}
            )
            write_weights(path, {"a": (10,)})
            runs.append(read_run(path))
        every = [run for run in (*runs, *more) if isinstance(run, FinishedRun)]
        return compare(every, Statistics(Store(tmp_path / "store", "on"), 200, 5), **told)

    return made


def page(found: Comparison, whole: bool = True) -> Page:
    return Page(render_comparison(found, found.runs[0].path.parent / "compare-x", whole))


def test_everything_is_on_the_page(compared: Compared, tmp_path: Path) -> None:
    left = LeftOut(tmp_path / "lost", "it failed", "mend it")
    shown = page(compared(left_out=[left], command="python -m stbench job=compare", title="Comparison x"))
    for text in (
        "Comparison x", "ndcg@10 on 60 samples of small", "run-0", "loss=run-2", "BM25", "0.2500", "Every pair", "recall@10",
        "corrected for all pairs of a group (3) by Holm's method", "Training loss, LossOne", "Selection metric, ndcg@10",
        "ndcg@10 against MB of weights", "documents (or pairs) a second", "12.5 s", "1.0 GiB", "1.50 ms", "lost", "it failed",
        "mend it", "python -m stbench job=compare", "BEST: ",
    ):  # fmt: skip
        assert text in shown.text, text
    # Loss, selection and three costs, of which the index costs all the same; an interval for each run.
    assert shown.tags.count("svg") == 2 + 2 + 3


def test_nothing_comes_from_outside_and_links_lead_to_the_reports(compared: Compared, tmp_path: Path) -> None:
    found = compared()
    path = tmp_path / "experiments" / "compare-x" / "report.html"
    write_comparison(found, path)
    shown = Page(path.read_text(encoding="utf-8"))
    assert "script" not in shown.tags
    assert not shown.outside
    assert len(shown.links) == 3
    assert all((path.parent / link).resolve().is_file() for link in shown.links)
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]


def test_texts_are_never_markup(compared: Compared) -> None:
    found = compared()
    (group,) = found.groups
    evil = tuple(
        replace(
            run, words=EVIL, name=EVIL, plan={**run.plan, "data": EVIL, "loss": EVIL, "batch size": f"{EVIL}{place}"}
        )
        for place, run in enumerate(group.runs)
    )
    shown = page(
        replace(found, groups=(replace(group, runs=evil),), command=EVIL, left_out=(LeftOut(Path(EVIL), EVIL, EVIL),))
    )
    assert "script" not in shown.tags
    assert "alert('x')" in shown.text
    assert "{{7*7}}" in shown.text


def test_runs_of_two_questions_stand_in_two_tables(compared: Compared, tmp_path: Path) -> None:
    other = read_run(write_run(tmp_path, "elsewhere", scores(outcomes(0.3), judged="other")))
    assert isinstance(other, FinishedRun)
    shown = page(compared(3, other))
    for number in (1, 2):
        assert shown.text.count(f"ndcg@10 on 60 samples of small, group {number}") == 1
    assert "2 groups: runs of different groups were judged by other samples, or another metric" in shown.text
    assert shown.text.count("BEST: ") == 2


def test_more_runs_than_a_matrix_holds_are_held_against_the_best(compared: Compared) -> None:
    shown = page(compared(MATRIX + 1))
    assert "Every pair" not in shown.text
    assert shown.text.count("behind the best") == 1
    assert "1 more runs are left out" in shown.text


def test_a_ranking_has_no_pairs_metrics_curves_or_differences(compared: Compared) -> None:
    shown = page(compared(), whole=False)
    for text in ("Every pair", "recall@10", "Training loss", "differ"):
        assert text not in shown.text
    assert "against MB of weights" in shown.text


def test_a_run_alone_is_behind_nobody(compared: Compared) -> None:
    shown = page(compared(1))
    assert "behind the best" not in shown.text
    assert "Holm" not in shown.text


def test_a_model_that_was_only_scored_has_no_verdict_and_no_curve(compared: Compared, tmp_path: Path) -> None:
    evaluated = read_run(write_evaluation(tmp_path, "evaluate-x", scores(outcomes(0.3))))
    assert isinstance(evaluated, FinishedRun)
    assert "EVALUATED" in page(compared(1, evaluated)).text


def test_the_same_comparison_gives_the_same_page(compared: Compared) -> None:
    found = compared()
    place = found.runs[0].path.parent
    assert render_comparison(found, place) == render_comparison(found, place)


def test_drawings_share_no_ids(compared: Compared) -> None:
    ids = re.findall(r' id="([^"]+)"', render_comparison(compared(), Path()))
    assert len(ids) == len(set(ids))
