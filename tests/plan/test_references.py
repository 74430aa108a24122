"""What is scored beside the model, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_collection import write_collection

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
    assert (plan.evaluator.bm25, plan.evaluator.fusion, plan.evaluator.language) == (True, True, "en")
    assert "fused" in told(plan).value
    assert "stemmer and stop words for 'de'" in told(planned("evaluator.language=de")).why
    alone = planned("evaluator.fusion=off")
    assert (alone.evaluator.bm25, alone.evaluator.fusion, told(alone).value) == (True, False, "BM25")
    none = planned("evaluator.bm25=false")
    assert (none.evaluator.bm25, none.evaluator.fusion, told(none)) == (False, False, None)


def test_where_nothing_is_retrieved_there_is_no_bm25(planned: Callable[..., Plan]) -> None:
    plan = planned("loss=regression", shape="scored_pair")
    assert (plan.evaluator.bm25, plan.evaluator.fusion, told(plan)) == (False, False, None)


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


def candidates(plan: Plan) -> Any:
    return next((line for line in plan.decisions if line.what == "candidates"), None)


def test_candidates_of_pairs_come_from_the_miner_unless_said(planned: Callable[..., Plan], encoder: Path) -> None:
    words = ["model=cross_encoder", "loss=contrastive"]
    plan = planned(*words)
    assert plan.evaluator.first_stage_name == "wordllama"
    assert (plan.evaluator.depth, plan.evaluator.bm25, plan.evaluator.fusion) == (10, True, False)
    assert "missed" in candidates(plan).why
    assert candidates(planned(*words, "evaluator.first_stage=bm25")).value == "first 10 of BM25"
    other = planned(*words, f"evaluator.first_stage={encoder}", "evaluator.add_missed=true", "evaluator.depth=20")
    assert candidates(other).value == f"first 20 of {encoder.name}"
    assert "added" in candidates(other).why
    assert planned(*words, "negatives.miner=minilm").evaluator.first_stage_name == "minilm"


def test_a_collection_is_searched_by_bm25_to_a_depth_of_100(
    plan_of: Callable[..., Plan], encoder: Path, tmp_path: Path
) -> None:
    folder = write_collection(tmp_path / "c", train=range(6), test=range(6, 9))
    words = [
        "model=cross_encoder",
        "loss=contrastive",
        f"base_model={encoder}",
        "dataset=beir",
        f"dataset.path={folder}",
    ]
    assert candidates(plan_of(*words)).value == "first 100 of BM25: up to 300 pairs to score in the test split"
    shallow = plan_of(*words, "evaluator.depth=5", "evaluator.first_stage=wordllama")
    assert candidates(shallow).value.startswith("first 5 of wordllama: up to 15 pairs")


@pytest.mark.parametrize(
    ("words", "shape", "where"),
    [
        (["evaluator.first_stage=bm25"], "pair", "evaluator.first_stage=bm25"),
        (["evaluator.add_missed=true"], "pair", "evaluator.add_missed=true"),
        (
            ["model=cross_encoder", "loss=contrastive", "evaluator.first_stage=bm25"],
            "triplet",
            "evaluator.first_stage=bm25",
        ),
    ],
)
def test_where_no_candidates_are_searched_there_is_no_first_stage(
    words: list[str], shape: str, where: str, planned: Callable[..., Plan]
) -> None:
    with pytest.raises(Refused) as caught:
        planned(*words, shape=shape)
    assert where in [problem.where for problem in caught.value.problems]


def test_a_first_stage_that_there_is_not_is_refused(planned: Callable[..., Plan]) -> None:
    with pytest.raises(Refused) as caught:
        planned("model=cross_encoder", "loss=contrastive", "evaluator.first_stage=wordlama")
    assert caught.value.problems[0].mend == "did you mean evaluator.first_stage=wordllama?"


def test_bm25_as_the_first_stage_is_a_reference_already(planned: Callable[..., Plan]) -> None:
    words = ["model=cross_encoder", "loss=contrastive"]
    assert told(planned(*words)).value == "BM25"
    assert told(planned(*words, "evaluator.first_stage=bm25")) is None
    assert told(planned(*words, "evaluator.bm25=false")) is None
