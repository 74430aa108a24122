"""What is scored beside the model, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stbench.errors import Refused
from stbench.plan.plan import Plan


@pytest.fixture
def planned(plan_of: Callable[..., Plan], encoder: Path, data: Mapping[str, Path]) -> Callable[..., Plan]:
    def made(*words: str, shape: str = "pair") -> Plan:
        return plan_of("dataset=files", f"dataset.train={data[shape]}", f"base_model={encoder}", *words)

    return made


def told(plan: Plan) -> Any:
    return next((line for line in plan.decisions if line.what == "reference"), None)


def test_bm25_stands_beside_every_retrieval(planned: Callable[..., Plan]) -> None:
    plan = planned()
    assert (plan.evaluator.bm25, plan.evaluator.fusion) == ("en", True)
    assert "fused" in told(plan).value
    assert "stemmer and stop words for 'de'" in told(planned("evaluator.language=de")).why
    alone = planned("evaluator.fusion=off")
    assert (alone.evaluator.bm25, alone.evaluator.fusion, told(alone).value) == ("en", False, "BM25")
    none = planned("evaluator.bm25=false")
    assert (none.evaluator.bm25, none.evaluator.fusion, told(none)) == (None, False, None)


def test_where_nothing_is_retrieved_there_is_no_bm25(planned: Callable[..., Plan]) -> None:
    plan = planned("loss=regression", shape="scored_pair")
    assert (plan.evaluator.bm25, plan.evaluator.fusion, told(plan)) == (None, False, None)


@pytest.mark.parametrize(
    ("words", "shape", "mend"),
    [
        (["evaluator.fusion=on", "evaluator.bm25=false"], "pair", "evaluator.bm25=true"),
        (["evaluator.fusion=on", "loss=regression"], "scored_pair", "evaluator.fusion=auto, or evaluator=retrieval"),
    ],
)
def test_a_fusion_needs_two_rankings(words: list[str], shape: str, mend: str, planned: Callable[..., Plan]) -> None:
    with pytest.raises(Refused) as caught:
        planned(*words, shape=shape)
    assert [problem.mend for problem in caught.value.problems] == [mend]
