"""The page says what the record says, to anybody, anywhere, and cannot be tricked by a text."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from stbench.audit.finding import Audit, Finding, example
from stbench.evaluation.cost import Cost, Costs, Machine
from stbench.evaluation.sizes import Size
from stbench.records.beside import Beside
from stbench.records.report import MetricRow, Record, SampleRow, render, shares, write
from stbench.training.pace import Moment
from stbench.training.profiling import Operator, Profiled

VOID = {"meta", "br"}
EVIL = "<script>alert('x')</script> & \"quoted\" {{ 7 * 7 }} </pre></details>"


class Page(HTMLParser):
    """Which tags, attributes and texts a browser would see; fails on tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        # A place where a line may break is no space.
        self.feed(html.replace("<wbr>", ""))
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    def having(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


_COST = Cost(1000.0, 2000.0, 0.4, 0.9, 4_000_000, 1_000_000, 1024.0, None, None, 256)
COSTS = Costs(replace(_COST, index_bytes_per_document=512.0), Machine("cpu", 2, 1.0), _COST)


def verdict(**changed: Any) -> dict[str, Any]:
    values = {
        "outcome": "WIN",
        "score": 0.7125,
        "baseline": 0.4904,
        "delta": 0.2221,
        "low": 0.195,
        "high": 0.248,
        "p": 0.0002,
        "n": 600,
        "metric": "ndcg@10",
        "min_effect": 0.005,
        "settle": "",
        "detectable": 0.0381,
        "extras": {"query_active_dims": 41.2},
    }
    return values | changed


def history(steps: int) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        row = {
            "step": step,
            "epoch": step / 100,
            "loss": 2 / step,
            "learning_rate": 1e-5 * step,
            "grad_norm": 1.5,
        }
        rows.append(row | ({"score": 0.5 + step / 1000} if step % 50 == 0 else {}))
    return rows


def record(**changed: Any) -> Record:
    samples = [SampleRow(f"q{i}", f"question {i}", 0.5, 0.5 + (i - 20) / 100) for i in range(60)]
    whole = Record(
        run="minilm-contrastive-1a2b",
        line="VERDICT: WIN | score=0.7125 | run=minilm-contrastive-1a2b",
        verdict=verdict(),
        command="python -m stbench model=sparse_encoder loss=contrastive",
        facts=[("Model", "22.7 M parameters")],
        metrics=[MetricRow("test_ndcg@10", 0.4904, 0.7125), MetricRow("active_dims", None, 41.2)],
        references={"BM25": 0.5321},
        history=history(200),
        best_step=150,
        samples=samples,
        advice=[("training.epochs=6", "The best step is the last.")],
        plan="rows 98,000",
        config="model:\n  kind: sparse_encoder\n",
        environment={"torch": "2.9.1"},
        spent=[("memory", "2.1 GiB at the peak")],
        stages={"data": 1.0, "training": 6.0, "in all": 10.0},
        pace=[Moment(step, 0.5, 2**30) for step in range(1, 201)],
        costs=COSTS,
        files=["config.yaml", "model/README.md"],
    )
    return replace(whole, **changed)


def test_where_the_time_of_a_step_goes_is_shown_where_it_was_measured() -> None:
    phases = (Operator("forward and loss", 5, 0.6, 0.6), Operator("backward", 5, 0.4, 0.4))
    page = render(record(profile=Profiled(5, 1.0, phases, (Operator("aten::addmm<b>", 2000, 0.31, 0.41),))))
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "5 steps, measured by the profiler" in text
    assert "forward and loss 5 0.600 60 %" in text
    assert "aten::addmm&lt;b&gt; 2,000 0.310 41 %" in text
    assert "Where the time of a step goes" not in render(record())


def test_what_was_found_in_the_data_is_shown_with_its_examples_and_their_remedy() -> None:
    shown = example(("test", EVIL), ("training, row 7", "nearly the same"))
    leak = Finding("test_leak", 30, 600, "test queries", "stand in the training data", (shown,), "dataset.leaks=drop")
    page = Page(render(record(audit=Audit((leak, replace(leak, examples=(), override="")), {"repeated rows": 1234}))))
    for text in ("Data", leak.says, "Removed by dataset.leaks=drop", "training, row 7", EVIL, "1,234", "repeated rows"):
        assert text in page.text
    assert page.text.count("Removed by") == 1
    for audit in (Audit(), None):
        assert "Data" not in Page(render(record(audit=audit))).text


def test_everything_is_on_the_page() -> None:
    page = Page(render(record()))
    for text in (
        "WIN",
        "+0.2221",
        "ndcg@10 rose from 0.4904 to 0.7125",
        "+0.1950 to +0.2480",
        "0.0002",
        "query active dims",
        "VERDICT: WIN | score=0.7125 | run=minilm-contrastive-1a2b",
        "python -m stbench model=sparse_encoder loss=contrastive",
        "22.7 M parameters",
        "BM25",
        "Best at step 150 (epoch 1.5): 0.6500",
        "39 better, 1 unchanged, 20 worse",
        "training.epochs=6",
        "The best step is the last.",
        "rows 98,000",
        "kind: sparse_encoder",
        "2.9.1",
        "2.1 GiB at the peak",
        "everything else 3.0 s",
        "Seconds a step, 0.5 in the middle",
        "index, one document 1,024 bytes 512 bytes",
        "model/README.md",
    ):
        assert text in page.text
    assert page.count("figure") == 5
    assert page.count("svg") == 6
    assert page.count("details") == 3


def test_nothing_is_loaded_from_anywhere() -> None:
    html = render(record())
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    assert not page.having("src")
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    links = page.having("href") + page.having("xlink:href")
    assert {link for link in links if not link.startswith("#")} == {"config.yaml", "model/README.md"}
    (policy,) = [a for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    assert "default-src 'none'" in str(policy["content"])


def test_no_text_becomes_markup() -> None:
    evil = record(
        run=EVIL,
        line=EVIL,
        verdict=verdict(metric=EVIL, settle=EVIL, outcome='WIN" onload="x', extras={EVIL: EVIL}),
        command=EVIL,
        facts=[(EVIL, EVIL)],
        metrics=[MetricRow(EVIL, 0.1, 0.2)],
        references={EVIL: 0.3},
        samples=[SampleRow(EVIL, EVIL, 0.1, 0.9)],
        advice=[(EVIL, EVIL)],
        plan=EVIL,
        config=EVIL,
        environment={EVIL: EVIL},
        spent=[(EVIL, EVIL)],
        stages={EVIL: 1.0},
        compared=EVIL,
        files=["javascript:alert(1)", EVIL],
    )
    html = render(evil)
    page = Page(html)
    assert "<script" not in html
    assert not page.having("onload")
    assert page.text.count("{{ 7 * 7 }}") == 26
    assert not [link for link in page.having("href") if ":" in link]


def test_ids_are_unique_and_every_reference_has_its_target() -> None:
    page = Page(render(record()))
    ids = page.having("id")
    assert len(ids) == len(set(ids))
    used = [link[1:] for link in page.having("xlink:href")]
    used += [place[5:-1] for place in page.having("clip-path")]
    assert used
    assert set(used) <= set(ids)


def test_drawings_take_their_colours_from_the_page() -> None:
    html = render(record())
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert "var(--main)" in "".join(drawings)
    assert not [drawing for drawing in drawings if re.search(r"(fill|stroke)[:=]\s*\"?#", drawing)]
    assert "prefers-color-scheme: dark" in html
    used, defined = set(re.findall(r"var\((--\w+)", html)), set(re.findall(r"(--\w+):", html))
    assert used <= defined


def test_wins_and_losses_are_the_ten_biggest_in_order() -> None:
    html = render(record())
    wins, losses = html.split("Biggest wins")[1].split("Biggest losses")
    assert re.findall(r">(question \d+)<", wins) == [f"question {i}" for i in range(59, 49, -1)]
    assert re.findall(r">(question \d+)<", losses) == [f"question {i}" for i in range(10)]


def test_where_lower_is_better_falling_is_winning() -> None:
    falling = record(
        verdict=verdict(score=0.2, baseline=0.5, delta=0.3, metric="mse"),
        samples=[SampleRow("a", "much better", 0.9, 0.1), SampleRow("b", "worse", 0.1, 0.2)],
    )
    html = render(falling)
    assert "mse fell from 0.5000 to 0.2000 (lower is better)" in html
    wins, losses = html.split("Biggest wins")[1].split("Biggest losses")
    assert "much better" in wins
    assert "worse" in losses


def test_the_deciding_metric_stands_out() -> None:
    (row,) = re.findall(r'<tr class="deciding"><td>(.*?)</td>', render(record()))
    assert row == "test_<wbr>ndcg<wbr>@10"


def test_the_interval_is_drawn_in_its_place() -> None:
    html = render(record(verdict=verdict(delta=0.0, low=-0.1, high=0.1, min_effect=0.05)))
    drawing = html.split('class="interval"')[1].split("</svg>")[0]
    places = {name: float(value) for name, value in re.findall(r'(x1|cx|x|width)="([\d.]+)%"', drawing)[::-1]}
    assert (places["cx"], places["x1"]) == (50.0, 50.0)
    band, interval = re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%"', drawing)
    assert math.isclose(float(band[0]) + float(band[1]) / 2, 50, abs_tol=0.02)
    assert math.isclose(float(interval[1]), 2 * float(band[1]), rel_tol=0.01)


def test_bars_are_in_proportion_and_absent_below_zero() -> None:
    widths = re.findall(r'class="bar (\w+)" style="width: ([\d.]+)%"', render(record()))
    assert [kind for kind, _ in widths] == ["final", "reference", "baseline"]
    assert float(widths[1][1]) == pytest.approx(100 * 0.5321 / 0.7125, abs=0.01)
    negative = render(record(references={"other": -0.2}, stages={}))
    assert set(re.findall(r'style="width: ([\d.]+)%"', negative)) == {"0.0"}


def test_a_bare_record_makes_a_bare_page() -> None:
    page = Page(render(Record(run="r", line="VERDICT: WIN", verdict=verdict(extras={}), command="c")))
    assert page.count("figure") == 0
    assert page.count("table") == 0
    headings = re.findall(r"<h2>(.*?)</h2>", render(Record("r", "l", verdict(extras={}), "c")))
    assert headings == ["Run it again"]


def test_missing_and_endless_values_do_not_break_it() -> None:
    nan = math.nan
    broken = record(
        verdict=verdict(score=nan, delta=nan, low=nan, high=nan, p=nan, detectable=None, settle="The score is NaN."),
        history=[
            {"step": 1, "loss": nan, "learning_rate": 0.0},
            {"step": 2, "loss": math.inf},
            {"step": 3, "loss": 0.5},
        ],
        best_step=7,
        metrics=[MetricRow("m", nan, 0.5)],
        pace=[],
        references={"r": nan},
        samples=[SampleRow("a", "x", nan, 0.5), SampleRow("b", "y", 0.5, 0.5)],
    )
    page = Page(render(broken))
    assert "ndcg@10 could not be measured" in page.text
    assert "The score is NaN." in page.text
    assert page.count("figure") == 1
    assert "nan" not in page.text


def test_same_record_same_page_small_and_soon(tmp_path: Path) -> None:
    long = [SampleRow(f"q{i}", "word " * 2000, 0.5, (i % 101) / 100) for i in range(5000)]
    large = record(history=history(20_000), samples=long)
    first = render(large)
    begin = time.perf_counter()
    write(large, tmp_path / "run" / "report.html")
    assert time.perf_counter() - begin < 3
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == first
    assert len(first.encode()) < 400_000


def test_half_a_character_does_not_break_it(tmp_path: Path) -> None:
    write(record(samples=[SampleRow("a", "broken \ud83d", 0.1, 0.5)]), tmp_path / "report.html")
    assert "broken ?" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_sizes_are_a_table_and_a_curve() -> None:
    sizes = [Size(dim, layers, 0.5, 0.4, 4 * dim, 1.234, 1000) for layers in (6, 3) for dim in (64, 16)]
    page = Page(render(record(sizes=sizes)))
    assert "Sizes" in page.text
    assert "Score by size" in page.text
    assert "256" in page.text
    assert "1.23" in page.text
    assert "3 layers" in page.text
    assert "Sizes" not in Page(render(record())).text
    by_layers = Page(render(record(sizes=[Size(64, layers, 0.5, 0.4, 256, 1.0, 1000) for layers in (6, 3)])))
    assert "transformer layers" in by_layers.text


def test_other_evaluators_have_an_interval_and_no_verdict() -> None:
    also = [Beside("triplet", "cosine_accuracy", 0.25, 0.375, 0.0625, 0.1875, 40, {})]
    page = Page(render(record(also=also)))
    assert "Also measured" in page.text
    assert "triplet cosine_accuracy 0.2500 0.3750 +0.1250 +0.0625 … +0.1875 40" in page.text


def test_stages_are_shares_of_the_whole_and_nothing_is_left_out() -> None:
    found = shares({"data": 1.0, "training": 6.0, "in all": 10.0})
    assert [(one.stage, one.seconds, one.width) for one in found] == [
        ("data", 1.0, 10.0), ("training", 6.0, 60.0), ("everything else", 3.0, 30.0),
    ]  # fmt: skip
    assert [one.stage for one in shares({"data": 1.0, "in all": 1.01})] == ["data"]
    assert shares({}) == []


def test_sparse_runs_show_their_active_dimensions() -> None:
    dims = {"eval_validation_query_active_dims": 31.0, "eval_validation_corpus_active_dims": 180.0}
    page = Page(render(record(history=[{"step": 10, "score": 0.5, **dims}])))
    assert "Active dimensions" in page.text
    assert "180 of a document, 31 of a query" in page.text
