"""The digest of what was judged: the same for models of all types and rows in any order, another for any other question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stbench.data.collection import Collection
from stbench.evaluation.inputs import Inputs
from stbench.evaluation.judged import judged_digest

FOUND = Collection(
    {"d1": "two", "d2": "three"}, {"q1": "how many?", "q2": "how few?"}, {"q1": {"d1": 1.0}, "q2": {"d2": 1.0}}
)
LIST = {"query": "how many?", "positive": ["two"], "documents": ["two", "x", "y"], "gains": {"two": 1.0}}
PAIRS = {"sentences1": ["a", "b"], "sentences2": ["A", "B"], "labels": [1, 0]}


def of_collection(found: Collection = FOUND) -> str:
    return judged_digest(Inputs({}, list(found.queries), 0, found), False)


def of_lists(*lists: dict[str, Any], add_missed: bool = False) -> str:
    return judged_digest(Inputs({"samples": list(lists)}, ["q"] * len(lists), 0), add_missed)


def of_pairs(**arguments: Any) -> str:
    return judged_digest(Inputs(arguments, ["1", "2"], 0), False)


def backwards(texts: Any) -> dict[str, Any]:
    return dict(reversed(texts.items()))


def test_the_order_of_documents_and_queries_is_no_question() -> None:
    turned = Collection(backwards(FOUND.corpus), backwards(FOUND.queries), backwards(FOUND.grades))
    assert of_collection(turned) == of_collection()


@pytest.mark.parametrize(
    "change",
    [
        lambda: replace(FOUND, corpus={**FOUND.corpus, "d3": "four"}),
        lambda: replace(FOUND, corpus={**FOUND.corpus, "d1": "Two"}),
        lambda: replace(FOUND, queries={**FOUND.queries, "q1": "how much?"}),
        lambda: replace(FOUND, grades={**FOUND.grades, "q1": {"d1": 2.0}}),
    ],
)
def test_another_document_query_or_grade_is(change: Callable[[], Collection]) -> None:
    assert of_collection(change()) != of_collection()


def test_lists_are_what_is_put_in_order() -> None:
    other = {**LIST, "query": "how few?"}
    assert of_lists(LIST, other) == of_lists(other, LIST)
    assert of_lists({**LIST, "documents": ["y", "two", "x"]}) == of_lists(LIST)
    missed = {**LIST, "documents": ["x", "y"]}
    assert len({of_lists(LIST), of_lists(missed), of_lists(missed, add_missed=True)}) == 2
    assert of_lists({**LIST, "gains": {"two": 3.0}}) != of_lists(LIST)


def test_pairs_and_columns_say_the_same() -> None:
    crossed = {"sentence_pairs": [["b", "B"], ["a", "A"]], "labels": [0.0, 1.0]}
    assert judged_digest(Inputs(crossed, ["2", "1"], 0), False) == of_pairs(**PAIRS)


def test_another_target_is_another_question() -> None:
    assert of_pairs(**{**PAIRS, "labels": [1, 1]}) != of_pairs(**PAIRS)
    assert of_pairs(**{**PAIRS, "sentences2": ["A", "b"]}) != of_pairs(**PAIRS)
