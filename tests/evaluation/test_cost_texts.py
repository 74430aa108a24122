"""Which texts a cost is measured on: the same for every model, and never more than a few."""

from __future__ import annotations

from typing import Any

from stbench.data.collection import Collection
from stbench.evaluation.cost_texts import MOST, ROWS, cost_texts


def rows(**columns: Any) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(columns)


def test_pairs_give_queries_and_documents() -> None:
    found = cost_texts(rows(anchor=["a", "b", "a"], positive=["x", "y", "z"], negative=["n", "x", "m"]), None)
    assert sorted(found.queries) == ["a", "b"]
    assert sorted(found.documents) == ["m", "n", "x", "y", "z"]
    assert found == cost_texts(rows(anchor=["a", "b", "a"], positive=["x", "y", "z"], negative=["n", "x", "m"]), None)


def test_lists_give_their_documents_and_single_texts_are_both() -> None:
    found = cost_texts(rows(anchor=["a"], documents=[["x", "y"]], relevance=[[1, 0]]), None)
    assert (found.queries, sorted(found.documents)) == (("a",), ["x", "y"])
    alone = cost_texts(rows(text=["x", "y"]), None)
    assert alone.queries == alone.documents


def test_a_collection_is_searched_as_a_whole() -> None:
    collection = Collection({f"d{i}": f"document {i}" for i in range(1000)}, {"q": "query"}, {"q": {"d1": 1.0}})
    found = cost_texts(rows(anchor=["query"], positive=["document 1"]), collection)
    assert found.queries == ("query",)
    assert len(set(found.documents)) == MOST
    assert found.documents[:3] != ("document 0", "document 1", "document 2")


def test_every_document_is_paired_with_a_query() -> None:
    found = cost_texts(rows(anchor=["a", "b"], documents=[["x", "y"], ["z"]], relevance=[[1, 0], [1]]), None)
    assert [document for _, document in found.pairs] == list(found.documents)
    assert {query for query, _ in found.pairs} == {"a", "b"}


def test_large_data_is_not_read_to_its_end() -> None:
    many = rows(anchor=[f"a{i}" for i in range(2 * ROWS)], positive=[f"p{i}" for i in range(2 * ROWS)])
    found = cost_texts(many, None)
    assert len(found.queries) == len(found.documents) == MOST
    assert {int(text[1:]) < ROWS for text in found.documents} == {True}
