"""Retrieval over a collection: grades as trec_eval weighs them, queries that are documents, a corpus in chunks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_collection import documents, judgements, queries

from stbench.cache import Store
from stbench.data.collection import Collection, joined
from stbench.evaluation import inputs
from stbench.evaluation.bm25 import rankings_of
from stbench.evaluation.build import build_evaluator
from stbench.plan.plan import EvaluatorPlan

CORPUS = {row["_id"]: f"{row['title']} {row['text']}" for row in documents()}
QUERIES = {row["_id"]: row["text"] for row in queries()}


class Words:
    """A bi-encoder that counts words: the cosine of two texts is that of their counts."""

    similarity_fn_name = "cosine"

    def __init__(self) -> None:
        from types import SimpleNamespace

        import torch

        self.device = torch.device("cpu")
        self.model_card_data = SimpleNamespace(set_evaluation_metrics=lambda *args, **more: None)
        self._places: dict[str, int] = {}

    def encode_query(self, texts: list[str], **_: Any) -> Any:
        import torch

        vectors = torch.zeros(len(texts), 200)
        for row, text in enumerate(texts):
            for word in text.lower().replace("?", "").replace(".", "").split():
                vectors[row, self._places.setdefault(word, len(self._places))] += 1
        return vectors

    encode_document = encode_query

    def similarity(self, one: Any, other: Any) -> Any:
        from sentence_transformers.util import cos_sim

        return cos_sim(one, other)


def graded() -> Collection:
    judged = {query: {"d1": 0.0, "x1": 1.0} for query in ("q2", "q3")}
    for query, document, grade in judgements(range(10)):
        judged.setdefault(query, {})[document] = float(str(grade))
    return joined(CORPUS, QUERIES, [judged], "")


def binary() -> Collection:
    whole = graded()
    return Collection(
        whole.corpus, whole.queries, {query: dict.fromkeys(found, 1.0) for query, found in whole.relevant.items()}
    )


def evaluator(collection: Collection, tmp_path: Path, **arguments: Any) -> Any:
    plan = EvaluatorPlan(
        "retrieval", "retrieval", "InformationRetrievalEvaluator", "ndcg@10", "mean", 10, 4, arguments=arguments
    )
    return build_evaluator(
        plan, "sentence_transformer", None, "test", "fp32", None, Store(tmp_path, "off"), collection  # type: ignore[arg-type]
    )  # fmt: skip


def plain(collection: Collection, **arguments: Any) -> Any:
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    return InformationRetrievalEvaluator(
        dict(collection.queries),
        dict(collection.corpus),
        collection.relevant,
        name="test",
        write_csv=False,
        **arguments,
    )


def same(found: Mapping[str, float], expected: Mapping[str, float]) -> None:
    assert found.keys() == expected.keys()
    assert all(found[key] == pytest.approx(value, abs=1e-12) for key, value in expected.items())


@pytest.mark.parametrize("chunk", [1, 7, 20, 10_000])
def test_figures_are_those_of_the_library_whatever_the_chunks(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "chunk_size", lambda *_: chunk)
    found = evaluator(binary(), tmp_path)
    assert found.corpus_chunk_size == chunk
    same(found(Words()), plain(binary())(Words()))
    assert list(found.outcomes["id"]) == list(binary().queries)


def test_only_ndcg_weighs_the_grades(tmp_path: Path) -> None:
    found, expected = evaluator(graded(), tmp_path)(Words()), plain(graded())(Words())
    differing = {key for key in found if found[key] != pytest.approx(expected[key], abs=1e-12)}
    assert differing == {"test_cosine_ndcg@10"}


def test_ndcg_is_that_of_the_definition(tmp_path: Path) -> None:
    """Gain is the grade, discounted by log2 of the rank + 1, over that of the best order."""
    collection, model = graded(), Words()
    recorder = evaluator(collection, tmp_path)
    recorder(model)
    scores = model.similarity(model.encode_query(list(QUERIES.values())), model.encode_document(list(CORPUS.values())))
    expected = []
    asked = dict(zip(QUERIES, scores.tolist(), strict=True))
    for query in collection.queries:
        row = asked[query]
        order = sorted(zip(row, CORPUS, strict=True), key=lambda hit: (-hit[0], hit[1]))
        gains = [collection.grades[query].get(key, 0) for _, key in order[:10]]
        ideal = sorted(collection.grades[query].values(), reverse=True)[:10]
        discounts = 1 / np.log2(np.arange(10) + 2)
        expected.append((gains @ discounts) / (ideal @ discounts[: len(ideal)]))
    assert recorder.outcomes["ndcg@10"] == pytest.approx(expected, abs=1e-12)
    assert 0 < min(expected) < max(expected)


def test_a_query_that_is_a_document_does_not_find_itself(tmp_path: Path) -> None:
    corpus = {"q1": QUERIES["q1"], "a": "what is another thing?", "b": "nothing"}
    collection = joined(corpus, {"q1": QUERIES["q1"]}, [{"q1": {"a": 1.0}}], "")
    assert evaluator(collection, tmp_path)(Words())["test_cosine_accuracy@1"] == 1
    assert plain(collection)(Words())["test_cosine_accuracy@1"] == 0


def test_another_cut_off_is_weighed_too(tmp_path: Path) -> None:
    recorder = evaluator(graded(), tmp_path, ndcg_at_k=[3, 10])
    recorder(Words())
    assert recorder.outcomes["ndcg@3"].mean() != pytest.approx(
        plain(graded(), ndcg_at_k=[3])(Words())["test_cosine_ndcg@3"], abs=1e-9
    )


@pytest.mark.parametrize(
    ("type_", "queries", "size"),
    [("sentence_transformer", 100, 10_000), ("sentence_transformer", 10_000, 5_000), ("sparse_encoder", 100, 1_000),
     ("multi_vector_encoder", 1, 1_000), ("sentence_transformer", 10**9, 1)],
)  # fmt: skip
def test_a_chunk_and_its_scores_stay_small(type_: Any, queries: int, size: int) -> None:
    assert inputs.chunk_size(type_, queries) == size


def references(tmp_path: Path, fusion: bool = True) -> dict[str, float]:
    plan = EvaluatorPlan(
        "retrieval", "retrieval", "InformationRetrievalEvaluator", "ndcg@10", "mean", 10, 4, bm25=True, fusion=fusion
    )
    found = build_evaluator(
        plan, "sentence_transformer", None, "test", "fp32", None, Store(tmp_path, "off"), binary()  # type: ignore[arg-type]
    )  # fmt: skip
    found(Words())
    return dict(found.references)


def test_bm25_and_the_fusion_with_it_are_judged_as_the_model_is(tmp_path: Path) -> None:
    """The same queries, documents and metric, checked against the library's evaluator of fused rankings."""
    from sentence_transformers.sparse_encoder.evaluation import ReciprocalRankFusionEvaluator

    collection, model = binary(), Words()
    lexical = rankings_of(collection, 100, "en", Store(tmp_path, "off"))
    scores = model.similarity(
        model.encode_query(list(collection.queries.values())), model.encode_document(list(CORPUS.values()))
    ).tolist()
    own = {
        query: [key for _, key in sorted(zip([-score for score in row], CORPUS, strict=True))]
        for query, row in zip(collection.queries, scores, strict=True)
    }
    samples = [
        [
            {"query_id": query, "query": query, "positive": list(collection.relevant[query]), "documents": ranks[query]}
            for query in collection.queries
        ]
        for ranks in (own, lexical)
    ]
    found = references(tmp_path)
    expected = ReciprocalRankFusionEvaluator(*samples, write_csv=False)()
    assert found["fused with BM25"] == pytest.approx(expected["ndcg@10"], abs=1e-9)
    for sample in samples[1]:
        # The library puts what a list lacks at its end, which is among the first ten of a short one.
        sample["documents"] = [*sample["documents"], *(f"none {rank}" for rank in range(10))]
    expected = ReciprocalRankFusionEvaluator(*samples, write_csv=False)()
    assert found["BM25"] == pytest.approx(expected["sparse_ndcg@10"], abs=1e-9)
    assert references(tmp_path, fusion=False).keys() == {"BM25"}
