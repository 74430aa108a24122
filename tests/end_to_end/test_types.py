"""From a tiny base model to a verdict: the types of model that the other files do not train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from end_to_end.places import Done, Place, check_verdict

pytestmark = pytest.mark.slow
SENTENCES = {
    "cross_encoder": ("plain", "model=cross_encoder", "loss=listwise", "negatives.num=2"),
    "splade": ("masked", "model=sparse_encoder"),
    "csr": ("plain", "model=sparse_encoder"),
    "multi_vector_encoder": ("half", "model=multi_vector_encoder", "model.embedding_dim=16"),
}
"""Base model and words of each run."""
SHORT = ("training.max_steps=4", "training.batch_size=16", "tracker=none", "training.learning_rate=1e-3")


@pytest.fixture(scope="module")
def runs(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], tiny_words: Callable[..., list[str]]
) -> Mapping[str, Future[tuple[Place, Done]]]:
    def run(name: str) -> tuple[Place, Done]:
        kind, *words = SENTENCES[name]
        place = new_place(name)
        return place, place.run(*tiny_words(kind), *words, *SHORT)

    return {name: background(run, name) for name in SENTENCES}


@pytest.mark.parametrize("name", SENTENCES)
def test_it_ends_in_a_verdict(runs: Mapping[str, Future[tuple[Place, Done]]], name: str) -> None:
    place, done = runs[name].result()
    dims = check_verdict(done)["dims"]
    assert bool(dims) == (name in ("splade", "csr"))
    assert len(place.ledger) == 1
    assert (place.experiment / "model" / "README.md").is_file()
    assert place.read("metrics.json")["last_step"] == 4


@pytest.mark.parametrize(("name", "modules"), [("splade", "SpladePooling"), ("csr", "SparseAutoEncoder")])
def test_sparse_encoders_take_the_architecture_that_the_base_can_have(
    runs: Mapping[str, Future[tuple[Place, Done]]], name: str, modules: str
) -> None:
    place, _ = runs[name].result()
    assert modules in (place.experiment / "model" / "modules.json").read_text()


def test_an_auto_encoder_keeps_as_many_dimensions_as_it_was_built_for(
    runs: Mapping[str, Future[tuple[Place, Done]]],
) -> None:
    _, done = runs["csr"].result()
    assert "query_active_dims=8.0 | corpus_active_dims=8.0" in done.last


def test_a_reranker_says_how_good_the_first_stage_was(runs: Mapping[str, Future[tuple[Place, Done]]]) -> None:
    place, done = runs["cross_encoder"].result()
    assert place.read("metrics.json")["references"].keys() == {"wordllama, not reranked", "BM25"}
    assert "wordllama, not reranked" in done.out
    assert "metric=ndcg@10" in done.last
