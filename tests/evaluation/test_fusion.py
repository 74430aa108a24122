"""Two rankings made one, as the library does it."""

from __future__ import annotations

import random

import pytest

from stbench.evaluation.fusion import fused


def test_a_document_in_both_rankings_comes_before_those_in_one() -> None:
    assert fused(["a", "b", "c"], ["d", "c", "e"]) == ["c", "a", "d", "b", "e"]
    assert fused([], ["a"]) == ["a"]
    assert fused(["a"], []) == ["a"]


def test_the_order_is_that_of_the_library() -> None:
    """Its evaluator keeps no ranking, but the metrics of random rankings would tell."""
    from sentence_transformers.sparse_encoder.evaluation import ReciprocalRankFusionEvaluator
    from sklearn.metrics import ndcg_score

    draw = random.Random(7)
    ids = [str(number) for number in range(40)]
    for _ in range(20):
        first, second, positive = draw.sample(ids, 20), draw.sample(ids, 20), draw.sample(ids, 3)
        lists = [
            [{"query_id": "q", "query": "q", "positive": positive, "documents": documents}]
            for documents in (first, second)
        ]
        expected = ReciprocalRankFusionEvaluator(*lists, write_csv=False)()["ndcg@10"]
        ranking = fused(first, second)
        relevant = [int(key in positive) for key in ranking] + [1] * len(set(positive) - set(ranking))
        found = ndcg_score([relevant], [list(range(len(relevant), 0, -1))], k=10) if any(map(int, relevant)) else 0
        assert found == pytest.approx(expected, abs=1e-12)
