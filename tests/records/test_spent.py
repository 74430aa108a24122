from __future__ import annotations

import pytest

from stbench.records.spent import scoring_share, too_dear

SECONDS = {"libraries": 5.0, "baseline": 30.0, "training": 100.0, "selection": 50.0, "final score": 15.0}


def test_scoring_is_baseline_selection_and_final_score() -> None:
    assert scoring_share(SECONDS) == pytest.approx(95 / 200)
    assert scoring_share({**SECONDS, "in all": 200.0}) == pytest.approx(95 / 200), "the sum is no stage of its own"
    assert scoring_share({}) == 0


@pytest.mark.parametrize(("every", "rarer"), [(0.1, "0.2"), (0.2, "0.4"), (0.4, "0.5"), (25.0, "50")])
def test_dear_scoring_is_told_with_what_makes_it_cheaper(every: float, rarer: str) -> None:
    assert too_dear(SECONDS, every) == f"scoring took 48% of the time; training.eval_steps={rarer} scores less often"


def test_cheap_and_short_scoring_is_not_worth_a_word() -> None:
    assert not too_dear({**SECONDS, "training": 500.0}, 0.1)
    assert not too_dear({name: value / 10 for name, value in SECONDS.items()}, 0.1)
