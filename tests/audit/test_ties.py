from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stbench.audit.ties import tied, ties
from stbench.evaluation.scores import Scores


def scores(*predictions: float, statistic: str = "spearman") -> Scores:
    return Scores(
        "m", {"m": 0.5}, statistic, {"prediction": np.array(predictions), "target": np.arange(len(predictions))}
    )


DISTINCT = scores(*np.linspace(0, 1, 40))


@pytest.mark.parametrize(
    ("given", "number"),
    [(DISTINCT, (0, 40)), (scores(1, 1, 2, 3, 3, 3), (5, 6)), (scores(1, 1, statistic="macro_f1"), (0, 0))],
)
def test_samples_with_the_score_of_another_are_counted(given: Scores, number: tuple[int, int]) -> None:
    assert tied(given) == number


def test_rankings_are_not_put_in_one_order() -> None:
    assert tied(Scores("m", {"m": 0.5}, "mean", {"value": np.ones(4)})) == (0, 0)


@pytest.mark.parametrize(("precision", "override"), [("bf16", "precision=fp32"), ("fp32", "")])
def test_a_model_that_says_the_same_of_all_is_told(precision: str, override: str) -> None:
    constant: Any = scores(*[0.5] * 40)
    (one,) = ties(DISTINCT, constant, precision)
    assert (one.name, one.count, one.of, one.override) == ("ties", 40, 40, override)
    assert "the trained model" in one.says
    assert [one.name for one in ties(constant, constant, precision)] == ["baseline_ties", "ties"]


def test_two_equal_samples_among_many_are_not_told() -> None:
    assert not ties(DISTINCT, scores(*np.linspace(0, 1, 38), 0.3, 0.3), "fp32")
