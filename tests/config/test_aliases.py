from __future__ import annotations

import pytest

from stbench.config.aliases import by_class
from stbench.config.preflight import check


@pytest.mark.parametrize(
    ("group", "said", "stands_for"),
    [
        ("loss", "SparseCoSENTLoss", "CoSENTLoss"),
        ("loss", "MultiVectorMultipleNegativesRankingLoss", "MultipleNegativesRankingLoss"),
        ("loss", "CachedMultiVectorMultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"),
        ("loss", "CoSENTLoss,contrastive,SparseAnglELoss", "CoSENTLoss,contrastive,AnglELoss"),
        ("loss", "choice(SparseCoSENTLoss, contrastive)", "choice(CoSENTLoss, contrastive)"),
        ("loss", "contrastive", "contrastive"),
        ("loss", "nonsense", "nonsense"),
        ("evaluator", "InformationRetrievalEvaluator", "retrieval"),
        ("evaluator", "CrossEncoderRerankingEvaluator", "reranking"),
    ],
)
def test_a_class_stands_for_its_choice(group: str, said: str, stands_for: str) -> None:
    assert by_class(group, said) == stands_for


def test_the_command_line_takes_class_names() -> None:
    assert check(["loss=SparseCoSENTLoss", "model=sparse_encoder"]) == ["loss=CoSENTLoss", "model=sparse_encoder"]
