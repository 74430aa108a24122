"""Lists put in order, with what the first stage has missed: counted as missed, or added to the candidates."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_evaluators import model

from stbench.cache import Store
from stbench.data.collection import Collection, joined
from stbench.evaluation.build import build_evaluator
from stbench.evaluation.first_stage import documents_of, rankings
from stbench.evaluation.gain import measured
from stbench.models.miner import unwatched
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

THINGS = ("hammer", "cactus", "kettle", "ladder", "violin", "anchor", "candle", "mirror")
CORPUS = {f"d{i}": f"a {name} is a thing of {i} parts" for i, name in enumerate(THINGS)}
CORPUS |= {f"x{i}": f"the {name} and {'what ' * i} the {THINGS[i - 1]}" for i, name in enumerate(THINGS)}
CLASSES: dict[ModelType, str] = {
    "sentence_transformer": "RerankingEvaluator",
    "sparse_encoder": "SparseRerankingEvaluator",
    "multi_vector_encoder": "MultiVectorRerankingEvaluator",
    "cross_encoder": "CrossEncoderRerankingEvaluator",
}


def collection() -> Collection:
    """The last query finds nothing, the one before finds one of the two that are relevant."""
    queries = {f"q{i}": f"what is a {name}?" for i, name in enumerate(THINGS)} | {"none": "zebra?"}
    judged = {f"q{i}": {f"d{i}": 2.0, f"x{i}": 1.0, "d0": 0.0} for i in range(1, len(THINGS))}
    judged["q7"] = {"d7": 1.0, "d0": 3.0}
    judged["none"] = {"d1": 1.0}
    return joined(CORPUS, queries, [judged], "")


def plan(type_: ModelType, **more: Any) -> EvaluatorPlan:
    given = {"depth": 4, "batch_size": 5, "first_stage": True, **more}
    return EvaluatorPlan("reranking", "reranking", CLASSES[type_], "ndcg@10", "mean", **given)


def built(type_: ModelType, store: Store, retriever: Any = None, **more: Any) -> Any:
    return build_evaluator(
        plan(type_, **more), type_, None, "test", "fp32", retriever, store, collection()  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


def scores(type_: ModelType, query: str, documents: list[str]) -> list[float]:
    judge = model(type_, "reranking")
    if type_ == "cross_encoder":
        return [float(score) for score in judge.predict([[query, text] for text in documents], show_progress_bar=False)]
    similarity = judge.similarity(judge.encode_query([query]), judge.encode_document(documents))
    return [float(score) for score in similarity[0]]


@pytest.mark.parametrize("type_", CLASSES)
@pytest.mark.parametrize("add_missed", [False, True])
def test_each_list_is_worth_what_the_scores_of_the_model_make_of_it(
    type_: ModelType, add_missed: bool, store: Store
) -> None:
    whole = collection()
    recorder = built(type_, store, add_missed=add_missed)
    metrics = recorder(model(type_, "reranking"))
    found = rankings(whole, plan(type_), None, store)
    for place, (query, text) in enumerate(whole.queries.items()):
        keys = list(found[query])
        if add_missed:
            keys += [key for key in whole.relevant[query] if key not in keys]
        gains = [whole.grades[query].get(key, 0.0) for key in keys]
        ideal = [grade for grade in whole.grades[query].values() if grade > 0]
        values = scores(type_, text, [CORPUS[key] for key in keys]) if keys else []
        for name, value in measured(gains, values, ideal, 10).items():
            assert recorder.outcomes[name][place] == pytest.approx(value, abs=1e-4), (name, query)
    for name in ("ndcg@10", "mrr@10", "map"):
        assert metrics[f"test_{name}"] == pytest.approx(recorder.outcomes[name].mean(), abs=1e-12)
    assert list(recorder.outcomes["id"]) == list(whole.queries)


@pytest.mark.parametrize("type_", CLASSES)
def test_what_is_missed_costs(type_: ModelType, store: Store) -> None:
    counted, added = (built(type_, store, add_missed=add_missed) for add_missed in (False, True))
    for recorder in (counted, added):
        recorder(model(type_, "reranking"))
    ids = list(counted.outcomes["id"])
    assert counted.outcomes["ndcg@10"][ids.index("none")] == 0
    assert added.outcomes["ndcg@10"][ids.index("none")] == 1
    assert counted.outcomes["map"][ids.index("q7")] <= 0.5


def test_the_order_of_the_first_stage_and_bm25_are_references(store: Store) -> None:
    whole = collection()
    lexical = built("sentence_transformer", store, bm25=True)
    found = rankings(whole, plan("sentence_transformer"), None, store)
    worth = []
    for query in whole.queries:
        gains = [whole.grades[query].get(key, 0.0) for key in found[query]]
        ideal = [grade for grade in whole.grades[query].values() if grade > 0]
        worth.append(measured(gains, list(range(len(gains), 0, -1)), ideal, 10)["ndcg@10"])
    assert lexical.references == {"BM25, not reranked": pytest.approx(np.mean(worth))}
    named = plan("sentence_transformer", bm25=True, retriever=SimpleNamespace(name="dense"))
    dense: Any = build_evaluator(
        named, "sentence_transformer", None, "test", "fp32", Dense(), store, whole  # type: ignore[arg-type]
    )  # fmt: skip
    assert dense.references.keys() == {"dense, not reranked", "BM25"}
    assert dense.references["BM25"] == pytest.approx(np.mean(worth))


class Dense:
    """A retriever whose model is one of the tiny ones."""

    digest, batch_size, watch = "tiny", 32, staticmethod(unwatched)

    def load(self) -> Any:
        return model("sentence_transformer", "reranking")


def test_a_bi_encoder_finds_the_candidates_too(store: Store) -> None:
    whole = collection()
    found = rankings(whole, plan("sentence_transformer"), Dense(), store)  # type: ignore[arg-type]
    for query, text in whole.queries.items():
        values = dict(zip(CORPUS, scores("sentence_transformer", text, list(CORPUS.values())), strict=True))
        assert found[query] == sorted(values, key=lambda key: -values[key])[:4]


def test_lists_of_their_own_are_put_in_order_whole() -> None:
    own = {"query": "q", "positive": ["a"], "negative": ["b", "c"]}
    assert documents_of(own, False) == documents_of(own, True) == ["a", "b", "c"]
    found = {"query": "q", "positive": ["a", "b"], "documents": ["c", "b"]}
    assert documents_of(found, False) == ["c", "b"]
    assert documents_of(found, True) == ["a", "b", "c"]
