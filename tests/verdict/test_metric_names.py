from __future__ import annotations

import pytest

from stbench.verdict.metric_names import plain_names, without_similarity


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("cosine_ndcg@10", "ndcg@10"),
        ("dot_ndcg@10", "ndcg@10"),
        ("maxsim_recall@10", "recall@10"),
        ("spearman_cosine", "spearman"),
        ("cosine_accuracy_threshold", "accuracy_threshold"),
        ("ndcg@10", "ndcg@10"),
        ("NanoBEIR_mean_dot_ndcg@10", "NanoBEIR_mean_dot_ndcg@10"),
        ("query_active_dims", "query_active_dims"),
    ],
)
def test_the_similarity_is_no_part_of_a_metric(key: str, plain: str) -> None:
    assert without_similarity(key) == plain


def test_metrics_that_would_share_a_name_keep_their_own() -> None:
    keys = ["spearman_cosine", "spearman_dot", "cosine_ap"]
    assert plain_names(keys) == {
        "spearman_cosine": "spearman_cosine",
        "spearman_dot": "spearman_dot",
        "cosine_ap": "ap",
    }
