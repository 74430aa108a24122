"""What the recorders keep must be what the library's evaluators average: sample by sample, in order, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny_models

import stbench
from stbench.cache import Store
from stbench.data.splits import content_hash
from stbench.evaluation import build as module
from stbench.evaluation import recording
from stbench.evaluation.build import build_evaluator
from stbench.models.base import locate
from stbench.models.build import Blueprint, build
from stbench.plan.plan import EvaluatorPlan
from stbench.verdict.statistics import STATISTICS

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.config.sentence import ModelType

N = 24
QUESTIONS = [f"what is thing number {i}?" for i in range(N)]
ANSWERS = [
    f"thing number {i} is a {('tool', 'plant', 'box')[i % 3]} of {('red', 'blue')[i % 2]} colour" for i in range(N)
]
OTHERS = [f"nothing known about the {('room', 'garden')[i % 2]} {i}" for i in range(N)]
CLASSES = {
    ("retrieval", "sentence_transformer"): "InformationRetrievalEvaluator",
    ("retrieval", "sparse_encoder"): "SparseInformationRetrievalEvaluator",
    ("retrieval", "multi_vector_encoder"): "MultiVectorInformationRetrievalEvaluator",
    ("reranking", "cross_encoder"): "CrossEncoderRerankingEvaluator",
    ("reranking", "sentence_transformer"): "RerankingEvaluator",
    ("reranking", "sparse_encoder"): "SparseRerankingEvaluator",
    ("reranking", "multi_vector_encoder"): "MultiVectorRerankingEvaluator",
    ("similarity", "sentence_transformer"): "EmbeddingSimilarityEvaluator",
    ("similarity", "sparse_encoder"): "SparseEmbeddingSimilarityEvaluator",
    ("binary", "sentence_transformer"): "BinaryClassificationEvaluator",
    ("binary", "sparse_encoder"): "SparseBinaryClassificationEvaluator",
    ("binary", "cross_encoder"): "CrossEncoderClassificationEvaluator",
    ("correlation", "cross_encoder"): "CrossEncoderCorrelationEvaluator",
    ("classes", "cross_encoder"): "CrossEncoderClassificationEvaluator",
}
STATISTIC = {
    "retrieval": "mean", "reranking": "mean", "similarity": "spearman", "correlation": "spearman",
    "binary": "average_precision", "classes": "macro_f1",
}  # fmt: skip
METRIC = {
    "retrieval": "ndcg@10", "reranking": "ndcg@10", "similarity": "spearman", "correlation": "spearman",
    "binary": "ap", "classes": "f1_macro",
}  # fmt: skip


def rows(kind: str) -> Dataset:
    from datasets import Dataset

    columns: dict[str, list[Any]] = {"anchor": QUESTIONS, "positive": ANSWERS}
    if kind == "reranking":
        columns["negative"] = OTHERS
    elif kind in ("similarity", "correlation"):
        columns["score"] = [(i * 7 % N) / N for i in range(N)]
    elif kind == "binary":
        # Texts come back, so that one vector serves several pairs.
        columns["positive"] = [ANSWERS[i - i % 2] for i in range(N)]
        columns["label"] = [i % 2 for i in range(N)]
    elif kind == "classes":
        columns["label"] = [i * 5 % 3 for i in range(N)]
    return Dataset.from_dict(columns)


@cache
def model(type_: ModelType, kind: str) -> Any:
    tiny = tiny_models.build()
    base = locate("masked", None, str(tiny.masked), None, None)
    return build(Blueprint(type_, base, "cpu", num_labels=3 if kind == "classes" else 1, embedding_dim=16), seed=4)


def evaluator(kind: str, type_: ModelType, store: Store, **more: Any) -> Any:
    plan = EvaluatorPlan(kind, kind, CLASSES[kind, type_], METRIC[kind], STATISTIC[kind], depth=4, batch_size=5)
    given = {"rows": rows(kind), "precision": "fp32", "miner": None, **more}
    return build_evaluator(plan, type_, given["rows"], "test", given["precision"], given["miner"], store)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, store: Store) -> Callable[..., Any]:
    """The evaluator of the library itself, with the same inputs."""

    def plain(kind: str, type_: ModelType, **more: Any) -> Any:
        with monkeypatch.context() as patch:
            for recorders in (module.RECORDERS, module.CROSSED):
                patch.setitem(recorders, kind, lambda cls: cls)
            return evaluator(kind, type_, store, **more)

    return plain


def same(found: dict[str, float], expected: dict[str, float], within: float = 1e-12) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=within), key


@pytest.mark.parametrize("type_", ["sentence_transformer", "sparse_encoder", "multi_vector_encoder"])
def test_retrieval_keeps_every_metric_of_every_query(
    type_: ModelType, store: Store, library: Callable[..., Any]
) -> None:
    recorder, plain = evaluator("retrieval", type_, store), library("retrieval", type_)
    metrics, expected = recorder(model(type_, "retrieval")), plain(model(type_, "retrieval"))
    same(metrics, expected)
    assert recorder.primary_metric == plain.primary_metric
    assert list(recorder.outcomes["id"]) == [content_hash(question) for question in QUESTIONS]
    for name in ("ndcg@10", "mrr@10", "map@100", "accuracy@1", "recall@3", "precision@5"):
        (key,) = [key for key in expected if key.endswith(f"_{name}")]
        assert recorder.outcomes[name].mean() == pytest.approx(expected[key], abs=1e-12)
        assert len(set(recorder.outcomes["ndcg@10"])) > 2
    assert recorder.outcomes["value"].mean() == pytest.approx(expected[plain.primary_metric], abs=1e-12)


def test_each_query_has_the_value_it_would_have_alone(store: Store) -> None:
    """Checked against the definition: one relevant document at rank r gives nDCG 1 / log2(r + 1)."""
    encoder = model("sentence_transformer", "retrieval")
    recorder = evaluator("retrieval", "sentence_transformer", store)
    recorder(encoder)
    similarity = encoder.similarity(encoder.encode(QUESTIONS), encoder.encode(ANSWERS)).numpy()
    ranks = (similarity > np.diag(similarity)[:, None]).sum(axis=1) + 1
    expected = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0)
    assert np.allclose(recorder.outcomes["ndcg@10"], expected, atol=1e-6)


def test_sparse_retrieval_says_how_many_dimensions_are_active(store: Store) -> None:
    metrics = evaluator("retrieval", "sparse_encoder", store)(model("sparse_encoder", "retrieval"))
    assert metrics["test_query_active_dims"] > 0
    assert metrics["test_corpus_active_dims"] > 0


def test_reranking_of_own_negatives(store: Store, library: Callable[..., Any]) -> None:
    recorder, plain = evaluator("reranking", "cross_encoder", store), library("reranking", "cross_encoder")
    metrics, expected = (one(model("cross_encoder", "reranking")) for one in (recorder, plain))
    same(metrics, expected)
    check_lists(recorder, expected)
    assert not any("base_" in key for key in metrics)


@pytest.mark.parametrize("type_", ["sentence_transformer", "sparse_encoder", "multi_vector_encoder"])
@pytest.mark.parametrize("found", ["rows", "first stage"])
def test_embeddings_rerank_by_the_similarity_of_their_model(
    type_: ModelType, found: str, store: Store, library: Callable[..., Any]
) -> None:
    given = {"rows": rows("retrieval"), "miner": FirstStage()} if found == "first stage" else {}
    recorder, plain = evaluator("reranking", type_, store, **given), library("reranking", type_, **given)
    encoder = model(type_, "reranking")
    if type_ != "multi_vector_encoder":
        plain.similarity_fct = encoder.similarity
    metrics, expected = (one(encoder) for one in (recorder, plain))
    same(metrics, expected, within=1e-6)
    check_lists(recorder, metrics)
    assert len(set(recorder.outcomes["ndcg@10"])) > 1
    if type_ == "sparse_encoder":
        assert metrics["test_corpus_active_dims"] > 0


def test_reranking_of_first_stage_documents(store: Store, library: Callable[..., Any]) -> None:
    """The library also scores the first stage's order; those values must not be taken for the model's."""
    found = FirstStage()
    pairs = rows("retrieval")
    recorder = evaluator("reranking", "cross_encoder", store, rows=pairs, miner=found)
    plain = library("reranking", "cross_encoder", rows=pairs, miner=found)
    assert all(len(sample["documents"]) == 4 for sample in recorder.samples)
    missed = [sample for sample in recorder.samples if sample["positive"][0] not in sample["documents"]]
    assert 0 < len(missed) < N
    metrics, expected = (one(model("cross_encoder", "reranking")) for one in (recorder, plain))
    same(metrics, expected)
    assert metrics["test_base_ndcg@10"] != metrics["test_ndcg@10"]
    check_lists(recorder, expected)


def check_lists(recorder: Any, expected: dict[str, float]) -> None:
    assert list(recorder.outcomes["id"]) == [content_hash(question) for question in QUESTIONS]
    for name in ("ndcg@10", "mrr@10", "map"):
        assert recorder.outcomes[name].mean() == pytest.approx(expected[f"test_{name}"], abs=1e-12)
    assert recorder.outcomes["value"].mean() == pytest.approx(expected[recorder.primary_metric], abs=1e-12)


class FirstStage:
    """A miner whose model is one of the tiny ones."""

    digest = "tiny"

    def load(self) -> Any:
        return model("sentence_transformer", "retrieval")


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("similarity", "sentence_transformer"),
        ("similarity", "sparse_encoder"),
        ("binary", "sentence_transformer"),
        ("binary", "sparse_encoder"),
        ("binary", "cross_encoder"),
        ("correlation", "cross_encoder"),
        ("classes", "cross_encoder"),
    ],
)
def test_set_level_metrics_can_be_computed_again_from_the_samples(
    kind: str, type_: ModelType, store: Store, library: Callable[..., Any]
) -> None:
    recorder, plain = evaluator(kind, type_, store), library(kind, type_)
    metrics, expected = recorder(model(type_, kind)), plain(model(type_, kind))
    # Batches may be put together differently, which moves the last digits of a vector but no rank.
    same(metrics, expected, within=1e-5)
    assert recorder.primary_metric == plain.primary_metric
    (again,) = STATISTICS[STATISTIC[kind]](recorder.outcomes, np.ones((1, N)))
    assert again == pytest.approx(metrics[recorder.primary_metric], abs=1e-12)
    data = rows(kind)
    assert list(recorder.outcomes["target"]) == list(data["score" if "score" in data.column_names else "label"])
    pairs = zip(data["anchor"], data["positive"], strict=True)
    assert list(recorder.outcomes["id"]) == [content_hash(f"{one}\n{other}") for one, other in pairs]
    assert recorder.greater_is_better


@pytest.mark.parametrize("type_", ["sentence_transformer", "sparse_encoder"])
def test_the_similarity_of_each_pair_is_that_of_its_own_texts(type_: ModelType, store: Store) -> None:
    encoder = model(type_, "similarity")
    recorder = evaluator("similarity", type_, store)
    recorder(encoder)
    expected = encoder.similarity_pairwise(encoder.encode(QUESTIONS), encoder.encode(ANSWERS))
    assert np.allclose(recorder.outcomes["prediction"], expected.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("retrieval", "sentence_transformer"),
        ("reranking", "cross_encoder"),
        ("similarity", "sentence_transformer"),
        ("binary", "cross_encoder"),
    ],
)
def test_evaluation_runs_inside_the_autocast_of_the_run(
    kind: str, type_: ModelType, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    entered: list[tuple[str, str]] = []
    inside: list[bool] = []

    @contextmanager
    def watched(precision: Any, device: str) -> Iterator[None]:
        entered.append((precision, device))
        with torch.autocast(device, dtype=torch.bfloat16):
            yield

    monkeypatch.setattr(recording, "autocast", watched)
    encoder = model(type_, kind)
    hook = next(iter(encoder.children())).register_forward_hook(
        lambda *_: inside.append(torch.is_autocast_enabled("cpu"))
    )
    try:
        evaluator(kind, type_, store, precision="bf16")(encoder)
    finally:
        hook.remove()
    assert entered == [("bf16", "cpu")]
    assert inside
    assert all(inside)
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", None), ("bf16", "bfloat16"), ("fp16", "float16")])
def test_the_type_of_autocast_is_that_of_the_precision(precision: Any, dtype: str | None) -> None:
    import torch

    with recording.autocast(precision, "cpu"):
        assert torch.is_autocast_enabled("cpu") == (dtype is not None)
        if dtype:
            assert torch.get_autocast_dtype("cpu") == getattr(torch, dtype)


def test_bf16_is_felt_and_keeps_similarities_as_plain_numbers(store: Store) -> None:
    full, half = (evaluator("similarity", "sentence_transformer", store, precision=mode) for mode in ("fp32", "bf16"))
    for one in (full, half):
        one(model("sentence_transformer", "similarity"))
    difference = np.abs(full.outcomes["prediction"] - half.outcomes["prediction"])
    assert 0 < difference.max() < 0.1
    assert half.outcomes["prediction"].dtype == np.float64


def test_a_second_call_forgets_the_first(store: Store) -> None:
    recorder = evaluator("reranking", "cross_encoder", store)
    first = dict(recorder(model("cross_encoder", "reranking")) and recorder.outcomes)
    second = dict(recorder(model("cross_encoder", "reranking")) and recorder.outcomes)
    assert first.keys() == second.keys()
    assert all((first[name] == second[name]).all() for name in first)


HASH_SEEDS = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from stbench.cache import Store
import test_recording as tests
for kind, type_ in (("binary", "sentence_transformer"), ("similarity", "sparse_encoder"), ("retrieval", "sentence_transformer")):
    recorder = tests.evaluator(kind, type_, Store(Path(sys.argv[1]), "off"))
    metrics = recorder(tests.model(type_, kind))
    print(kind, sorted(metrics.items()), [(name, column.tobytes().hex()) for name, column in sorted(recorder.outcomes.items())])
"""


@pytest.mark.slow
def test_outcomes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """To the last bit: a text's vector depends in its last digits on the batch it is in, and so on the order of a set."""
    places = [Path(__file__).parent, Path(__file__).parents[1], Path(stbench.__file__).parents[1]]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", HASH_SEEDS, str(tmp_path), *map(str, places)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]  # fmt: skip
    first, second = (process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert "retrieval" in first
    assert first == second
