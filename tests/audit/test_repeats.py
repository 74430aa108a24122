from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

from stbench.audit.repeats import contradictions, repeated


def pairs(*rows: tuple[Any, ...], names: str = "anchor positive") -> Dataset:
    return Dataset.from_list([dict(zip(names.split(), row, strict=True)) for row in rows])


SCORED, LABELLED = "anchor positive score", "anchor positive label"


@pytest.mark.parametrize(
    ("rows", "shape", "again"),
    [
        (pairs(("a", "x"), ("b", "x"), (" A", "y"), ("a", "z")), "pair", [2, 3]),
        (pairs(("a", "x", "n"), ("a", "y", "m"), names="anchor positive negative"), "triplet", [1]),
        (pairs(("a", "x", 0.1), ("a", "y", 0.1), ("x", "a", 0.5), names=SCORED), "scored_pair", [2]),
        (pairs(("a", "x", 0), ("x", "a", 0), ("A", "x", 1), names=LABELLED), "class_pair", [2]),
        (pairs(("a", 0), ("b", 0), ("a", 1), names="text label"), "labeled_text", [2]),
        (pairs(("a",), ("b",), names="text"), "text", []),
    ],
)
def test_rows_with_the_texts_of_an_earlier_one(rows: Dataset, shape: Any, again: list[int]) -> None:
    assert repeated(rows, shape) == again


@pytest.mark.parametrize(
    ("rows", "shape", "found"),
    [
        (pairs(("a", "x", 0.1), ("X", "a", 0.35), ("b", "x", 0.9), names=SCORED), "scored_pair", [[0, 1]]),
        (pairs(("a", "x", 0.7), ("a", "x", 0.9), names=SCORED), "scored_pair", []),
        (pairs(("a", "x", 1), ("x", "a", 0), ("a", "y", 0), names=LABELLED), "labeled_pair", [[0, 1]]),
        (pairs(("a", "x", 1), ("x", "a", 0), ("a", "x", 2), names=LABELLED), "class_pair", [[0, 2]]),
        (pairs(("a", 0), ("b", 0), ("A ", 1), ("b", 0), names="text label"), "labeled_text", [[0, 2]]),
        (pairs(("a", "x"), ("a", "y")), "pair", []),
    ],
)
def test_rows_that_say_other_things_of_the_same_texts(rows: Dataset, shape: Any, found: list[list[int]]) -> None:
    assert [[said.row for said in some] for some in contradictions(rows, shape)] == found


def test_lists_contradict_each_other_where_a_document_is_relevant_and_is_not() -> None:
    rows = Dataset.from_list([
        {"anchor": "a", "documents": ["x", "y"], "relevance": [2, 0]},
        {"anchor": "a", "documents": ["x", "y"], "relevance": [1, 1]},
        {"anchor": "b", "documents": ["x", "x"], "relevance": [1, 0]},
    ])  # fmt: skip
    found = contradictions(rows, "ranked_list")
    assert [(some[0].texts, [said.row for said in some]) for some in found] == [
        (("a", "y"), [0, 1]),
        (("b", "x"), [2, 2]),
    ]
