"""The drawings of a sweep: every run a dot, quantities along a line, names below each other."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest
from small_sweeps import ended, mixed, ran

from stbench.records.drawing import STYLE, Chart
from stbench.records.sweep_charts import charts, effect_chart
from stbench.records.sweep_effects import Point, effects


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with matplotlib.rc_context(STYLE):
        yield


def chart(scores: Mapping[str, float], factor: str = "rate", **more: bool) -> Chart:
    """Of one option, a run a level."""
    points = [Point({factor: level}, score) for level, score in scores.items()]
    (effect,) = effects(points, {factor: list(scores)}, **more)
    return effect_chart(effect, "title", "prefix")


def places(svg: str, labels: Mapping[str, float] | list[str], axis: str = "x") -> list[float]:
    """Where each label stands."""
    found = [re.search(rf'<text[^>]* {axis}="([\d.]+)"[^>]*>{re.escape(label)}</text>', svg) for label in labels]
    assert all(found), labels
    return [float(one[1]) for one in found if one]


def gaps(values: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(values)]


def dots(svg: str) -> int:
    return len(re.findall(r"<use [^>]*fill-opacity: 0.55", svg))


def test_more_than_a_factor_of_ten_stands_on_a_logarithmic_axis() -> None:
    wide = {"1e-3": 0.1, "1e-2": 0.2, "1e-1": 0.3}
    first, second = gaps(places(chart(wide).svg, wide))
    assert first == pytest.approx(second, rel=0.01)
    narrow = {"1": 0.1, "4": 0.2, "10": 0.3}
    first, second = gaps(places(chart(narrow).svg, narrow))
    assert second == pytest.approx(2 * first, rel=0.01)


def test_zero_and_less_have_no_logarithm() -> None:
    first, second = gaps(places(chart({"0": 0.1, "50": 0.2, "100": 0.3}).svg, ["0", "50", "100"]))
    assert first == pytest.approx(second, rel=0.01)


def test_labels_that_would_touch_are_left_to_the_axis() -> None:
    svg = chart({"1": 0.1, "1.01": 0.2, "5": 0.3}).svg
    assert ">1.01</text>" not in svg


def test_names_stand_below_each_other_in_the_order_that_was_said() -> None:
    names = {"triplet": 0.1, "contrastive": 0.3, "angle": 0.2}
    assert sorted(heights := places(chart(names).svg, names, "y")) == heights
    assert len(set(places(chart(names).svg, names))) == 1


def test_every_run_is_a_dot_and_the_best_is_ringed(tmp_path: Path) -> None:
    loss, rate = sorted(charts(mixed(tmp_path)), key=lambda one: one.title)
    assert (loss.title, rate.title) == ("ndcg@10 by loss", "ndcg@10 by training.learning_rate")
    assert (dots(loss.svg), dots(rate.svg)) == (5, 5)
    assert all("var(--good)" in one.svg and "var(--main)" in one.svg for one in (loss, rate))
    assert loss.caption.startswith("Each run a dot, the best ringed: 0.")
    assert "The bars: means over the 2 combinations of the other options that finished at every level." in loss.caption
    assert "The line: means over the one combination of the other options" in rate.caption


def test_where_lower_is_better_the_lowest_is_ringed() -> None:
    assert "0.1000 at a" in chart({"a": 0.1, "b": 0.2}, greater_is_better=False).caption
    assert "0.2000 at b" in chart({"a": 0.1, "b": 0.2}).caption


def test_means_of_runs_that_differ_in_more_are_told(tmp_path: Path) -> None:
    rows = [ran(tmp_path, 1, 0.1, loss="a", rate="1"), ran(tmp_path, 2, 0.2, loss="b", rate="2"), ran(tmp_path, 3, 0.2, loss="b", rate="3")]  # fmt: skip
    (text,) = [one.caption for one in charts(ended(tmp_path, *rows)) if one.title.endswith("loss")]
    assert "means over all runs, other options mixed in" in text


def test_no_name_is_a_formula_and_none_is_missing_a_letter(tmp_path: Path) -> None:
    names = ("$x$", "50 % $", "数据", "a" * 60 + "/end.csv")
    rows = [ran(tmp_path, place, 0.1 * place, data=name) for place, name in enumerate(names, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (one,) = charts(ended(tmp_path, *rows))
    for text in (">$x$<", ">50 % $<", ">数据<", ">aaaaaaaaaaaa…aaaaa/end.csv<"):
        assert text in one.svg


def test_many_names_make_a_higher_drawing() -> None:
    def height(levels: int) -> float:
        found = re.search(
            r'viewBox="0 0 [\d.]+ ([\d.]+)"', chart({f"l{place}": place / 100 for place in range(levels)}).svg
        )
        assert found
        return float(found[1])

    assert height(3) == height(6) < height(20)


def test_nothing_varied_nothing_drawn(tmp_path: Path) -> None:
    assert charts(ended(tmp_path, ran(tmp_path, 1, 0.1, loss="a"))) == []
