"""The page of a sweep in a real Chromium: at the width of a desk and of a phone, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser as chromium
import pytest
from browser import Browser, browser
from small_sweeps import ended, lost, mixed, ran

from stbench.records.sweep_report import write_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing()),
]
WIDTHS = (1200, 390)
EVIL = "<script>alert('x')</script>"
LONG = "a_value/of-no-break_that.goes/on-and_on/" * 4


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One with every state, and one with many options and values as long as they come."""
    place = tmp_path_factory.mktemp("sweeps")
    options = {f"training__option_number_{number}": f"{number}e-3" for number in range(6)}
    rows = [ran(place / "wide", number, 0.1 * number, data=f"{LONG}{number}", loss=EVIL, **options) for number in (1, 2, 3)]  # fmt: skip
    wide = ended(place / "wide", *rows, lost(4, "failed", LONG, data=LONG, loss=EVIL, **options))
    for name, result in {"every": mixed(place / "every"), "wide": wide}.items():
        write_sweep(result, place / name / "experiments" / "sweep-x" / "report.html")
    return {name: place / name / "experiments" / "sweep-x" / "report.html" for name in ("every", "wide")}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["every", "wide"])
def test_it_can_be_read_anywhere(name: str, width: int, dark: bool, pages: dict[str, Path], shown: Browser) -> None:
    shown.open(pages[name], width, dark)
    assert shown.script("return window.innerWidth") == width
    assert shown.beyond_the_edge == []
    assert shown.faint() == []
    assert shown.complaints == []
    assert {urlsplit(address).scheme for address in shown.requests} == {"file"}
    light = shown.script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] > 128")
    assert light is not dark


def test_a_board_needs_no_scrolling_on_a_phone(pages: dict[str, Path], shown: Browser) -> None:
    for name in pages:
        shown.open(pages[name], WIDTHS[1], dark=False)
        hidden = "return [...document.querySelectorAll('.board')].map(one => one.parentElement.scrollWidth - one.parentElement.clientWidth)"
        assert set(shown.script(hidden)) == {0}, name


def test_names_of_levels_are_not_broken_on_a_desk(pages: dict[str, Path], shown: Browser) -> None:
    shown.open(pages["every"], WIDTHS[0], dark=False)
    lines = "return [...document.querySelectorAll('td.value')].map(one => { const r = document.createRange(); r.selectNodeContents(one); return r.getClientRects().length; })"
    assert set(shown.script(lines)) == {1}


def test_it_is_whole_and_its_links_lead_to_the_runs(pages: dict[str, Path], shown: Browser) -> None:
    shown.open(pages["every"], WIDTHS[0], dark=False)
    assert {"Without a rank", "What each option did", "How to read this", "Do it again"} <= set(shown.texts("h2"))
    reports = [unquote(urlsplit(link).path) for link in shown.links if "#" not in link]
    assert [Path(report).parent.name for report in reports] == [f"run-{number}" for number in (6, 4, 3, 2, 1)]
    assert all(Path(report).is_file() for report in reports)
    drawings = shown.script("return [...document.querySelectorAll('figure svg')].map(one => one.clientHeight)")
    assert len(drawings) == 2
    assert min(drawings) > 100


def test_values_stay_texts(pages: dict[str, Path], shown: Browser) -> None:
    shown.open(pages["wide"], WIDTHS[0], dark=False)
    assert shown.script("return document.scripts.length") == 0
    assert EVIL in shown.script("return document.body.innerText")
