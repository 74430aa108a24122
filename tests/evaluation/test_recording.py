"""What the recorders keep must be what the library's evaluators average: sample by sample, in order, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import small_evaluators
from small_evaluators import ANSWERS, QUESTIONS, N, choice, evaluator, model, rows, same

import stbench
from stbench.cache import Store
from stbench.data.splits import content_hash
from stbench.models.miner import unwatched
from stbench.plan.evaluators import cutoffs, statistic_of
from stbench.verdict.statistics import STATISTICS

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, store: Store) -> Callable[..., Any]:
    return lambda kind, type_, **more: small_evaluators.library(kind, type_, store, monkeypatch, **more)


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
def test_embeddings_rerank_by_the_similarity_of_their_model(
    type_: ModelType, store: Store, library: Callable[..., Any]
) -> None:
    recorder, plain = evaluator("reranking", type_, store), library("reranking", type_)
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
    more = {"rows": pairs, "miner": found, "first_stage": True, "add_missed": True}
    recorder, plain = (
        evaluator("reranking", "cross_encoder", store, **more),
        library("reranking", "cross_encoder", **more),
    )
    assert all(len(sample["documents"]) == 4 for sample in recorder.samples)
    missed = [sample for sample in recorder.samples if sample["positive"][0] not in sample["documents"]]
    assert 0 < len(missed) < N
    metrics, expected = (one(model("cross_encoder", "reranking")) for one in (recorder, plain))
    own = {key for key in expected if "base" not in key}
    same({key: metrics[key] for key in own}, {key: expected[key] for key in own})
    assert metrics["test_base_ndcg@10"] != metrics["test_ndcg@10"]
    check_lists(recorder, expected)


def check_lists(recorder: Any, expected: dict[str, float]) -> None:
    assert list(recorder.outcomes["id"]) == [content_hash(question) for question in QUESTIONS]
    for name in ("ndcg@10", "mrr@10", "map"):
        assert recorder.outcomes[name].mean() == pytest.approx(expected[f"test_{name}"], abs=1e-12)
    assert recorder.outcomes["value"].mean() == pytest.approx(expected[recorder.primary_metric], abs=1e-12)


class FirstStage:
    """A miner whose model is one of the tiny ones."""

    digest, batch_size, watch = "tiny", 32, staticmethod(unwatched)

    def load(self) -> Any:
        return model("sentence_transformer", "retrieval")


KINDS = (
    "retrieval", "reranking", "similarity", "binary", "correlation", "classes", "triplet", "translation", "mse",
    "paraphrase_mining", "distillation",
)  # fmt: skip
EVERY = [
    (kind, type_, metric.replace("@k", "@5"))
    for kind in KINDS
    for type_ in choice(kind).classes
    for metric in choice(kind).metrics
]


@pytest.mark.parametrize(("kind", "type_", "metric"), EVERY)
def test_whatever_decides_is_the_librarys_figure_and_comes_out_of_the_samples(
    kind: str, type_: ModelType, metric: str, store: Store, library: Callable[..., Any]
) -> None:
    more = {"metric": metric, "arguments": cutoffs(kind, metric)}
    recorder, plain = evaluator(kind, type_, store, **more), library(kind, type_, **more)
    encoder = model(type_, kind)
    if kind == "reranking" and type_ in ("sentence_transformer", "sparse_encoder"):
        plain.similarity_fct = encoder.similarity
    metrics, expected = recorder(encoder), plain(encoder)
    # Batches may be put together differently, which moves the last digits of a vector but no rank.
    same(metrics, expected, within=1e-5)
    assert recorder.primary_metric in metrics
    if metric == choice(kind).metric:
        assert recorder.primary_metric == plain.primary_metric
    (again,) = STATISTICS[statistic_of(metric, choice(kind).metrics)](
        recorder.outcomes, np.ones((1, len(recorder.sample_ids)))
    )
    assert again == pytest.approx(metrics[recorder.primary_metric], rel=1e-6, abs=1e-6)
    assert {len(column) for column in recorder.outcomes.values()} == {len(recorder.sample_ids)}


def test_targets_and_ids_are_those_of_the_rows(store: Store) -> None:
    for kind, column in (("similarity", "score"), ("binary", "label")):
        recorder, data = evaluator(kind, "sentence_transformer", store), rows(kind)
        recorder(model("sentence_transformer", kind))
        assert list(recorder.outcomes["target"]) == list(data[column])
        pairs = zip(data["anchor"], data["positive"], strict=True)
        assert list(recorder.outcomes["id"]) == [content_hash(f"{one}\n{other}") for one, other in pairs]


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
def test_the_model_computes_in_the_precision_of_the_run(kind: str, type_: ModelType, store: Store) -> None:
    import torch

    inside: list[bool] = []
    encoder = model(type_, kind)
    hook = next(iter(encoder.children())).register_forward_hook(
        lambda *_: inside.append(torch.is_autocast_enabled("cpu"))
    )
    try:
        evaluator(kind, type_, store, precision="bf16")(encoder)
    finally:
        hook.remove()
    assert inside
    assert all(inside)
    assert not torch.is_autocast_enabled("cpu")
    assert encoder.forward.__func__ is type(encoder).forward


def test_similarities_are_computed_in_full_precision(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bf16 many of them would be equal, and there is no product of sparse matrices."""
    import torch

    seen: list[tuple[bool, Any]] = []
    for type_ in ("sentence_transformer", "sparse_encoder"):
        encoder = model(type_, "retrieval")
        plain = encoder.similarity

        def watched(one: Any, other: Any, plain: Any = plain) -> Any:
            seen.append((torch.is_autocast_enabled("cpu"), one[0].dtype))
            return plain(one, other)

        monkeypatch.setattr(type(encoder), "similarity", property(lambda _, watched=watched: watched))
        evaluator("retrieval", type_, store, precision="bf16")(encoder)
        monkeypatch.undo()
    assert len(seen) >= 2
    assert set(seen) == {(False, torch.float32)}


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
import small_evaluators as tests
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
