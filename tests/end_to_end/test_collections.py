"""Retrieval over a collection: its own, and one that judges other data, from the command line to the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

import pytest
from end_to_end.places import Done, Place, check_verdict
from small_collection import write_collection

pytestmark = pytest.mark.slow
BEIR = ("dataset=beir", "dataset.path=things")
OWN = ("corpus=things/corpus.jsonl", "queries=things/queries.jsonl", "qrels=things/qrels/test.tsv")
SENTENCES = {
    "retrieval": BEIR,
    "reranking": (*BEIR, "model=cross_encoder", "loss=contrastive", "evaluator.depth=5", "evaluator.metric=ndcg@3"),
    "own": tuple(f"evaluator.{word}" for word in OWN),
}
SHORT = ("training.max_steps=2", "training.batch_size=4", "tracker=none")


@pytest.fixture(scope="module")
def runs(
    new_place: Callable[[str], Place], background: Callable[..., Future[Any]], tiny_words: Callable[..., list[str]]
) -> Mapping[str, Future[tuple[Place, Done]]]:
    def run(name: str) -> tuple[Place, Done]:
        place = new_place(f"collection-{name}")
        write_collection(place.folder / "things", train=range(6), test=range(6, 10))
        return place, place.run(*tiny_words("plain"), *SENTENCES[name], *SHORT)

    return {name: background(run, name) for name in SENTENCES}


@pytest.mark.parametrize(
    ("name", "references"),
    [
        ("retrieval", {"BM25", "fused with BM25"}),
        ("reranking", {"BM25, not reranked"}),
        ("own", {"BM25", "fused with BM25"}),
    ],
)
def test_the_test_queries_give_the_verdict_with_references_beside_it(
    runs: Mapping[str, Future[tuple[Place, Done]]], name: str, references: set[str]
) -> None:
    from pyarrow.parquet import read_table

    asked = [f"q{number}" for number in range(6, 10)]
    place, done = runs[name].result()
    assert f"n={len(asked)} " in check_verdict(done)[0]
    found = place.read("metrics.json")["references"]
    assert found.keys() == references
    report = (place.experiment / "report.html").read_text(encoding="utf-8")
    assert all(reference in done.out and reference in report for reference in references)
    assert read_table(place.experiment / "samples.parquet")["id"].to_pylist() == asked
    assert 0 < found[min(references)] <= 1


def test_a_finished_run_tells_that_its_collection_has_changed(
    runs: Mapping[str, Future[tuple[Place, Done]]], tiny_words: Callable[..., list[str]]
) -> None:
    place, _ = runs["retrieval"].result()
    with (place.folder / "things" / "corpus.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"_id": "new", "title": "", "text": "one more"}\n')
    again = place.run(*tiny_words("plain"), *SENTENCES["retrieval"], *SHORT)
    assert again.code == 0
    assert "corpus.jsonl" in again.out
