"""The plan says how much of a model's work a conversion is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from small_collection import write_collection

from stbench.plan.plan import Plan
from stbench.plan.sizes import rows_after

Planner = Callable[..., Plan]


@pytest.fixture
def planned(
    plan_of: Planner, encoder: Path, data: Mapping[str, Path], tmp_path: Path, write_model: Callable[..., Path]
) -> Planner:
    """The plan of a sentence about the file of a shape; {reranker}, {wide} and {text} in its words are files."""
    small = {"model_type": "bert", "hidden_size": 8}
    reranker = write_model(tmp_path / "reranker", small, {"classifier.weight": (1, 8)})
    wide = write_model(tmp_path / "wide", {**small, "hidden_size": 96}, {"embeddings.weight": (9, 96)})
    places = {"reranker": str(reranker), "wide": str(wide), "encoder": str(encoder), "text": str(data["text"])}

    def made(*words: str, shape: str = "pair") -> Plan:
        rows = [] if "dataset=beir" in words else ["dataset=files", f"dataset.train={data[shape]}"]
        return plan_of(*rows, f"base_model={encoder}", *(word.format(**places) for word in words))

    return made


def lines(plan: Plan, what: str) -> list[str]:
    return [f"{line.value} | {line.why}" for line in plan.decisions if line.what == what]


def test_mining_is_announced_with_its_window_and_its_size(planned: Planner) -> None:
    (said,) = lines(planned("loss=triplet", "negatives.num=2"), "negatives")
    assert said.startswith("2 a query, of ranks 0 to 100, scored 5% below the positive's score, hardest first")
    assert "about 32 queries and 32 documents through wordllama" in said
    (said,) = lines(planned("loss=triplet", "negatives.sampling=random", "negatives.relative_margin=null"), "negatives")
    assert said.startswith("1 a query, of ranks 0 to 100, drawn at random")


def test_rescoring_and_a_corpus_are_announced(planned: Planner) -> None:
    words = ["negatives=mined", "negatives.rescore={reranker}", "negatives.range_max=20", "negatives.corpus=[{text}]"]
    plan = planned(*words)
    (said,) = lines(plan, "rescoring")
    assert said.startswith("about 640 pairs through reranker")
    assert "and 40 of text.csv" in lines(plan, "negatives")[0]


def test_a_collection_is_mined_as_a_whole(planned: Planner, tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "some", train=range(4), test=range(4, 8))
    words = ["dataset=beir", f"dataset.path={folder}", "negatives=mined"]
    (said,) = lines(planned(*words), "negatives")
    assert "and 20 of corpus.jsonl" in said
    alone = planned(*words, "negatives.corpus=[]")
    assert alone.data.corpus is None
    assert "corpus.jsonl" not in lines(alone, "negatives")[0]


@pytest.mark.parametrize(
    ("words", "shape", "said"),
    [
        (["teacher=cross_encoder", "teacher.model={reranker}"], "triplet", "reranker: about 64 pairs | raw scores"),
        (["teacher=cross_encoder", "teacher.model={reranker}"], "pair", "reranker: about 128 pairs | raw scores"),
        (["teacher=bi_encoder", "teacher.model={wide}"], "pair", "wide: about 64 texts | 96 dimensions, projected"),
        (["teacher=bi_encoder", "teacher.model={wide}", "teacher.projection=none"], "pair", "wide: about 64 texts | 96 d"),
        (["teacher=sparse_encoder", "teacher.model={encoder}", "model=sparse_encoder"], "pair", "tiny: about 64 texts | 1,000 weights"),
    ],
)  # fmt: skip
def test_a_teacher_is_announced_with_what_it_will_be_asked(
    words: list[str], shape: str, said: str, planned: Planner
) -> None:
    (line,) = lines(planned("loss=distillation", *words, shape=shape), "teacher")
    assert line.startswith(said)
    assert line.endswith("kept by content")


def test_rows_grow_with_the_conversions(planned: Planner) -> None:
    data = planned("loss=pointwise").data
    assert [rows_after(data, steps) for steps in (0, 1)] == [32, 128]
    assert rows_after(planned("loss=triplet", "negatives.num=4").data) == 128
