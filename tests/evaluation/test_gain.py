"""What an order is worth: as scikit-learn says where nothing is missed, and less where something is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from stbench.evaluation.gain import best, mean_of_orders, measured


def test_where_nothing_is_missed_the_figures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, ndcg_score

    draw = random.Random(3)
    for _ in range(50):
        gains = [draw.choice([0, 0, 1, 2, 3]) for _ in range(15)] + [1]
        scores = [draw.choice([0.1, 0.2, 0.3, 0.5]) for _ in gains]
        found = measured(gains, scores, [gain for gain in gains if gain], 10)
        assert found["ndcg@10"] == pytest.approx(ndcg_score([gains], [scores], k=10), abs=1e-12)
        assert found["map"] == pytest.approx(average_precision_score([gain > 0 for gain in gains], scores), abs=1e-12)


def test_missed_documents_stay_in_the_ideal() -> None:
    found = measured([1, 0], [2.0, 1.0], [1, 1], 10)
    assert found == pytest.approx({"ndcg@10": 1 / (1 + 1 / np.log2(3)), "mrr@10": 1.0, "map": 0.5})


def test_grades_are_gains() -> None:
    """Both are relevant: the order of the two matters to nDCG alone."""
    right, wrong = measured([3, 1], [2, 1], [3, 1], 10), measured([1, 3], [2, 1], [3, 1], 10)
    assert right == {"ndcg@10": 1.0, "mrr@10": 1.0, "map": 1.0}
    assert wrong["ndcg@10"] == pytest.approx((1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))
    assert (wrong["mrr@10"], wrong["map"]) == (1.0, 1.0)


@pytest.mark.parametrize("gains", [[], [0, 0]])
def test_a_list_without_anything_relevant_is_worth_nothing(gains: list[float]) -> None:
    assert set(measured(gains, [1.0] * len(gains), [1], 10).values()) == {0.0}


def test_a_list_of_one_can_be_measured() -> None:
    assert measured([1], [0.3], [1], 10) == {"ndcg@10": 1.0, "mrr@10": 1.0, "map": 1.0}


def test_what_comes_after_the_cut_off_counts_nothing() -> None:
    found = measured([0, 0, 1], [3, 2, 1], [1], 2)
    assert (found["ndcg@2"], found["mrr@2"], found["map"]) == (0, 0, pytest.approx(1 / 3))
    assert best([1, 1, 1], 2) == pytest.approx(1 + 1 / np.log2(3))


def test_orders_are_measured_by_the_grades_of_their_samples() -> None:
    samples = [{"gains": {"a": 1.0, "b": 0.0}}, {"gains": {"c": 2.0}}]
    assert mean_of_orders(samples, [["b", "a"], ["c"]], "mrr@10", 10) == 0.75
    assert mean_of_orders(samples, [["b", "x"], ["c"]], "ndcg@10", 10) == 0.5
