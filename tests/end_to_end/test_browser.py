"""Reports of real runs in a real Chromium: at the width of a desk and of a phone, in light and in dark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser as chromium
import pytest
from browser import Browser, browser
from end_to_end.session import session
from tiny_models import Tiny

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing()),
]
WIDTHS = (1100, 380)
EVIL = "<script>alert('x')</script>"
SHORT = ("dataset=files", "dataset.train=pairs.jsonl", "training.max_steps=4", "training.batch_size=16", "tracker=none")
ALWAYS = {"Metrics on the test split", "Run it again", "Cost of the model", "Cost of the run", "In full", "Files"}
TRAINED = ALWAYS | {"What ran", "Curves"}
HEADINGS = {"evaluation": ALWAYS, "comparison": set()}


@pytest.fixture(scope="module")
def pages(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A report of each kind, of tiny models on rows with texts that would be a program if they were not text."""
    place = tmp_path_factory.mktemp("reports")
    rows = [
        {
            "question": f"{EVIL} what is thing number {i}?",
            "answer": f"<b>thing</b> {7 * i % 120} is a {('tool', 'plant')[i % 2]}",
        }
        for i in range(120)
    ]
    (place / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    base = {
        kind: ["base_model=path", f"base_model.path={getattr(tiny, kind)}"] for kind in ("static", "masked", "plain")
    }
    sentences = {
        "dense": [*SHORT, *base["static"], "modifier=matryoshka", "training.learning_rate=1"],
        "other": [*SHORT, *base["static"], "training.learning_rate=0.5"],
        "sparse": [*SHORT, "model=sparse_encoder", *base["masked"]],
        "cross": [*SHORT, "model=cross_encoder", *base["plain"]],
        "evaluation": [
            "job=evaluate", "dataset=files", "dataset.test=pairs.jsonl", "tracker=none", *base["static"],
        ],
    }  # fmt: skip
    with session(place, OMP_NUM_THREADS="1") as run:
        names = {name: _done(*run(*words)) for name, words in sentences.items()}
        names["comparison"] = _folder(*run("job=compare", f"runs=[{names['dense']},{names['other']}]"))
    return {name: place / "experiments" / folder / "report.html" for name, folder in names.items()}


def _done(code: int, out: str, err: str) -> str:
    assert code == 0, out + err
    return out.rstrip().rsplit("run=", 1)[1]


def _folder(code: int, out: str, err: str) -> str:
    """That of a job without a verdict."""
    assert code == 0, out + err
    found = re.search(r"experiments/([^/\s]+)/report.html", out)
    assert found, out
    return found[1]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["dense", "sparse", "cross", "evaluation", "comparison"])
def test_a_report_can_be_read_anywhere(
    name: str, width: int, dark: bool, pages: Mapping[str, Path], shown: Browser
) -> None:
    shown.open(pages[name], width, dark)
    shown.unfold()
    assert shown.script("return window.innerWidth") == width
    assert shown.beyond_the_edge == []
    assert shown.faint() == []
    assert shown.complaints == []
    assert {urlsplit(address).scheme for address in shown.requests} == {"file"}
    light = shown.script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] > 128")
    assert light is not dark


@pytest.mark.parametrize("name", ["dense", "sparse", "cross", "evaluation", "comparison"])
def test_a_report_is_whole_and_its_links_lead_somewhere(name: str, pages: Mapping[str, Path], shown: Browser) -> None:
    shown.open(pages[name], WIDTHS[0], dark=False)
    assert HEADINGS.get(name, TRAINED) <= set(shown.texts("h2"))
    assert len(shown.texts("h1")) == 1
    own = shown.script("return location.href")
    for link in shown.links:
        address, _, anchor = link.partition("#")
        assert Path(unquote(urlsplit(link).path)).exists(), link
        if address == own:
            assert shown.script(f"return document.getElementById({json.dumps(anchor)}) !== null"), link
        else:
            assert Path(unquote(urlsplit(link).path)).is_relative_to(pages[name].parents[1]), link
    drawings = shown.script("return [...document.querySelectorAll('figure svg')].map(one => one.clientHeight)")
    assert drawings
    assert min(drawings) > 100


def test_texts_of_the_data_stay_texts(pages: Mapping[str, Path], shown: Browser) -> None:
    for name in ("dense", "evaluation"):
        shown.open(pages[name], WIDTHS[0], dark=False)
        assert shown.script("return document.scripts.length") == 0
        assert f"{EVIL} what is thing number" in shown.script("return document.body.innerText"), name


def test_each_type_shows_what_only_it_has(pages: Mapping[str, Path], shown: Browser) -> None:
    titles = {}
    for name, page in pages.items():
        shown.open(page, WIDTHS[0], dark=False)
        titles[name] = set(shown.texts("h3"))
    assert "Active dimensions" in titles["sparse"]
    assert "Score by size" in titles["dense"]
    assert not {"Active dimensions", "Score by size"} & titles["cross"]
    assert "Scores, sample by sample" in titles["evaluation"]


def test_a_browser_would_notice(tmp_path: Path, shown: Browser) -> None:
    """The same questions about a page that does everything wrong."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<body style='background:#fff'><img src='http://127.0.0.1:9/x.png'><p style='width:2000px;color:#eee'>far</p>"
        "<script>console.error('no')</script></body>",
        encoding="utf-8",
    )
    shown.open(page, WIDTHS[1], dark=True)
    assert shown.beyond_the_edge
    assert shown.faint()
    assert any("no" in message for message in shown.complaints)
    assert any(address.startswith("http:") for address in shown.requests)
