"""A verdict among many is held to be what it is only if it survives that there were many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_runs import CONFIG, TRUTH, outcomes, scores, set_level, write_evaluation, write_run

from stbench.records.finished import FinishedRun, read_run
from stbench.records.sweep_verdicts import corrected, p_of


def run(path: Path) -> FinishedRun:
    found = read_run(path)
    assert isinstance(found, FinishedRun), found
    return found


def told(root: Path, name: str, p: float | None, **files: str) -> FinishedRun:
    """A run whose verdict says `p`."""
    path = write_run(root, name, scores(outcomes(0.2)), scores(outcomes(0.05, 9)), **files)
    verdict = json.loads((path / "verdict.json").read_text())
    (path / "verdict.json").write_text(json.dumps({**verdict, "p": p}))
    return run(path)


def judged(root: Path, name: str, quality: float, resamples: int | None = 200) -> FinishedRun:
    """A run whose verdict rests on 200 resamples, and says so unless `resamples` is None."""
    config = CONFIG if resamples is None else {**CONFIG, "verdict": {"resamples": resamples}}
    more = {"config.yaml": json.dumps(config)}
    return run(write_run(root, name, scores(outcomes(quality, 3)), scores(outcomes(0.05, 9)), **more))


def test_each_p_is_corrected_for_all_of_them(tmp_path: Path) -> None:
    runs = [told(tmp_path, name, p) for name, p in (("one", 0.03), ("two", 0.01), ("three", 0.02), ("none", None))]
    assert list(corrected(runs).values()) == pytest.approx([0.04, 0.03, 0.04])
    assert [p_of(one) for one in runs] == [0.03, 0.01, 0.02, None]


def test_one_alone_was_chosen_among_nothing(tmp_path: Path) -> None:
    assert corrected([told(tmp_path, "one", 0.04)]) == {}
    assert corrected([]) == {}


def test_a_model_that_was_only_scored_has_no_verdict(tmp_path: Path) -> None:
    assert p_of(run(write_evaluation(tmp_path, "evaluate-one", scores(outcomes(0.3))))) is None


def test_where_the_resamples_cannot_tell_how_small_p_is_their_spread_does(tmp_path: Path) -> None:
    clear, silent = judged(tmp_path, "clear", 0.4), judged(tmp_path, "silent", 0.4, resamples=None)
    found = corrected([clear, silent])
    # 200 resamples cannot say less than 0.01, which ten runs would make 0.1.
    assert p_of(clear) == p_of(silent) > 0.005
    assert found[clear.path] < 1e-6
    assert found[silent.path] == p_of(silent)


def test_where_some_resamples_lay_beyond_zero_p_is_theirs(tmp_path: Path) -> None:
    known = {"config.yaml": json.dumps({**CONFIG, "verdict": {"resamples": 200}})}
    # The spread of these resamples would make p far smaller than it says.
    some, other = told(tmp_path, "some", 0.04, **known), judged(tmp_path, "other", 0.4)
    assert corrected([some, other])[some.path] == 0.04


def test_metrics_over_the_whole_set_have_predictions_instead_of_values(tmp_path: Path) -> None:
    config = {"config.yaml": json.dumps({**CONFIG, "verdict": {"resamples": 200}})}
    base = set_level(TRUTH[::-1].copy())
    runs = [run(write_run(tmp_path, name, set_level(TRUTH + 0.1), base, **config)) for name in ("one", "two")]
    assert all(p < 1e-6 for p in corrected(runs).values())
