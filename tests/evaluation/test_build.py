"""Evaluators out of rows of each shape: what is asked, what counts as found, and under which id."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stbench.cache import Store
from stbench.data.shapes import CONVERSIONS
from stbench.data.splits import content_hash
from stbench.errors import Refused
from stbench.evaluation.build import build_evaluator
from stbench.models.miner import unwatched
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

A, B, C = "how many tools?", "how many plants?", "how many boxes?"


def built(
    kind: str, cls: str, columns: dict[str, list[Any]], type_: ModelType = "sentence_transformer", **more: Any
) -> Any:
    from datasets import Dataset

    first_stage = more.get("miner") is not None
    plan = EvaluatorPlan(
        kind, kind, cls, "ndcg@10", "mean", depth=more.pop("depth", 10), batch_size=7, first_stage=first_stage,
        retriever=more.pop("retriever", None),
    )  # fmt: skip
    given = {"miner": None, "store": Store(Path("unused"), "off"), **more}
    return build_evaluator(
        plan, type_, Dataset.from_dict(columns), "validation", "fp32", given["miner"], given["store"]
    )


def retrieval(columns: dict[str, list[Any]]) -> Any:
    return built("retrieval", "InformationRetrievalEvaluator", columns)


def texts(evaluator: Any, query: str) -> set[str]:
    by_id = dict(zip(evaluator.corpus_ids, evaluator.corpus, strict=True))
    return {by_id[key] for key in evaluator.relevant_docs[content_hash(query)]}


def test_every_positive_of_a_query_is_relevant_and_every_document_is_searched() -> None:
    found = retrieval({"anchor": [A, B, A], "positive": ["two", "three", "a pair"]})
    assert found.queries == [A, B]
    assert set(found.corpus) == {"two", "three", "a pair"}
    assert (texts(found, A), texts(found, B)) == ({"two", "a pair"}, {"three"})


def test_negatives_are_searched_but_never_relevant() -> None:
    found = retrieval(
        {"anchor": [A, B], "positive": ["two", "three"], "negative_1": ["x", "y"], "negative_2": ["y", "z"]}
    )
    assert set(found.corpus) == {"two", "three", "x", "y", "z"}
    assert (texts(found, A), texts(found, B)) == ({"two"}, {"three"})


def test_lists_say_what_is_relevant_and_a_query_without_any_is_not_asked() -> None:
    lists = {"anchor": [A, B], "documents": [["two", "x"], ["y", "z"]], "relevance": [[2, 0], [0, 0]]}
    found = retrieval(lists)
    assert found.queries == [A]
    assert set(found.corpus) == {"two", "x", "y", "z"}
    assert texts(found, A) == {"two"}


def test_own_lists_of_a_reranker_need_both_kinds_of_documents() -> None:
    lists = {
        "anchor": [A, B, C, "how often?"],
        "documents": [["two", "x"], ["y", "z"], ["four", "five"], ["once", "twice"]],
        "relevance": [[1, 0], [0, 0], [1, 1], [1, 3]],
    }
    found = built("reranking", "CrossEncoderRerankingEvaluator", lists, "cross_encoder")
    assert [(sample["query"], sample["positive"], sample["negative"], sample["gains"]) for sample in found.samples] == [
        (A, ["two"], ["x"], {"two": 1, "x": 0}),
        ("how often?", ["once", "twice"], [], {"once": 1, "twice": 3}),
    ]
    assert found.sample_ids == [content_hash(A), content_hash("how often?")]


def test_pairs_are_reranked_from_what_the_first_stage_finds() -> None:
    columns = {"anchor": [A, B, A], "positive": ["a", "c", "d"]}
    given = {"miner": Alphabet(), "retriever": SimpleNamespace(name="alphabet"), "depth": 2}
    found = built("reranking", "CrossEncoderRerankingEvaluator", columns, "cross_encoder", **given)
    assert [(sample["query"], sample["positive"], sample["documents"]) for sample in found.samples] == [
        (A, ["a", "d"], ["a", "c"]),
        (B, ["c"], ["a", "c"]),
    ]
    assert found.sample_ids == [content_hash(A), content_hash(B)]
    assert found.work == 4
    best = 1 / (1 + 1 / np.log2(3))
    assert found.references == {"alphabet, not reranked": pytest.approx((best + 1 / np.log2(3)) / 2)}


class Alphabet:
    """A miner that puts documents in alphabetical order."""

    digest, batch_size, watch = "alphabet", 32, staticmethod(unwatched)

    def load(self) -> Alphabet:
        return self

    def encode_query(self, texts: list[str], **_: Any) -> Any:
        import torch

        return torch.ones(len(texts), 1)

    def encode_document(self, texts: list[str], **_: Any) -> Any:
        import torch

        return torch.tensor([[-float(ord(text[0]))] for text in texts])


@pytest.mark.parametrize(
    ("kind", "target", "cls", "crossed"),
    [
        ("similarity", "score", "EmbeddingSimilarityEvaluator", "CrossEncoderCorrelationEvaluator"),
        ("binary", "label", "BinaryClassificationEvaluator", "CrossEncoderClassificationEvaluator"),
    ],
)
def test_pairs_go_to_bi_encoders_as_columns_and_to_cross_encoders_as_pairs(
    kind: str, target: str, cls: str, crossed: str
) -> None:
    columns = {"anchor": [A, B], "positive": ["two", "three"], target: [1, 0]}
    apart = built(kind, cls, columns)
    assert (apart.sentences1, apart.sentences2) == ([A, B], ["two", "three"])
    kind = "correlation" if target == "score" else kind
    together = built(kind, crossed, columns, "cross_encoder")
    assert together.sentence_pairs == [[A, "two"], [B, "three"]]
    for found in (apart, together):
        assert list(getattr(found, f"{target}s")) == [1, 0]
        assert found.sample_ids == [content_hash(f"{A}\ntwo"), content_hash(f"{B}\nthree")]


def test_name_batch_size_and_precision_reach_the_evaluator() -> None:
    found = retrieval({"anchor": [A], "positive": ["two"]})
    assert (found.name, found.batch_size, found.autocast_mode) == ("validation", 7, "fp32")
    assert (found.show_progress_bar, found.write_csv) == (False, False)


@pytest.mark.parametrize(
    ("columns", "kind", "cls", "type_", "work"),
    [
        ({"anchor": [A, B], "positive": ["two", "two"]}, "retrieval", "InformationRetrievalEvaluator", "sentence_transformer", 3),
        (
            {"anchor": [A], "documents": [["two", "x", "y"]], "relevance": [[1, 0, 0]]},
            "reranking", "CrossEncoderRerankingEvaluator", "cross_encoder", 3,
        ),
        (
            {"anchor": [A, B], "positive": ["two", "three"], "label": [1, 0]},
            "binary", "CrossEncoderClassificationEvaluator", "cross_encoder", 2,
        ),
        (
            {"anchor": [A, B], "positive": ["two", "three"], "score": [1.0, 0.5]},
            "similarity", "EmbeddingSimilarityEvaluator", "sentence_transformer", 4,
        ),
    ],
)  # fmt: skip
def test_work_is_the_number_of_texts(columns: Any, kind: str, cls: str, type_: ModelType, work: int) -> None:
    assert built(kind, cls, columns, type_).work == work


def test_labelled_pairs_of_one_anchor_are_one_list() -> None:
    columns = {"anchor": [A, A, B, B], "positive": ["two", "x", "y", "z"], "label": [1, 0, 0, 0]}
    found = built("reranking", "CrossEncoderRerankingEvaluator", columns, "cross_encoder")
    assert found.samples == [{"query": A, "positive": ["two"], "negative": ["x"], "gains": {"two": 1.0, "x": 0.0}}]


@pytest.mark.parametrize(
    ("kind", "cls", "columns"),
    [
        ("reranking", "RerankingEvaluator", {"anchor": [A, B], "positive": ["two", "three"], "label": [1, 0]}),
        ("retrieval", "InformationRetrievalEvaluator", {"anchor": [A], "positive": ["two"], "label": [0]}),
        ("paraphrase_mining", "ParaphraseMiningEvaluator", {"anchor": [A], "positive": ["two"], "label": [0]}),
    ],
)
def test_rows_with_nothing_to_judge_are_refused(kind: str, cls: str, columns: dict[str, list[Any]]) -> None:
    with pytest.raises(Refused, match="can be judged") as caught:
        built(kind, cls, columns)
    assert caught.value.problems[0].mend


def test_what_a_teacher_answers_is_part_of_what_is_judged() -> None:
    """A projected teacher gives the same rows other embeddings once it was trained on others."""
    from datasets import Dataset

    class Answering:
        def __init__(self, answer: float) -> None:
            self.answer_ = answer

        def answer(self, rows: Any, step: Any, store: Any) -> Any:
            return rows.add_column("embedding", [[self.answer_, 1.0]] * len(rows))

    embed = next(step for step in CONVERSIONS if step.name == "embed")
    plan = EvaluatorPlan(
        "mse", "mse", "MSEEvaluator", "negative_mse", "mean", 10, 7, steps={"validation": (embed,), "test": (embed,)}
    )
    found = [
        build_evaluator(
            plan, "sentence_transformer", Dataset.from_dict({"text": [A, B]}), "test", "fp32", None,
            Store(Path("unused"), "off"), teacher=Answering(answer),  # type: ignore[arg-type]
        )
        for answer in (0.5, 0.5, 0.25)
    ]  # fmt: skip
    assert found[0].content == found[1].content != found[2].content
    assert retrieval({"anchor": [A], "positive": ["two"]}).content is None
