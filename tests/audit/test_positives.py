from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset
from planted import questions, sentences

from stbench.audit.positives import Alike, mistaken_negatives

RIGHT = "open the settings and choose a new password for your account"
NEAR = "open the settings and choose a good password for your account"
OTHERS = [
    {"anchor": f"q{i}", "positive": a, "negative": b}
    for i, (a, b) in enumerate(zip(sentences(200, 1), sentences(200, 2), strict=True))
]


def rows(*given: dict[str, Any]) -> Dataset:
    return Dataset.from_list([*given, *OTHERS])


@pytest.mark.parametrize(
    ("negative", "found"),
    [(RIGHT, True), (f" {RIGHT.upper()}", True), (NEAR, True), ("call us", False), (RIGHT * 9, False)],
)
def test_negatives_that_are_positives(negative: str, found: bool) -> None:
    mistaken = mistaken_negatives(rows({"anchor": "q", "positive": RIGHT, "negative": negative}))
    assert [(one.row, one.query, one.negative, one.positive) for one in mistaken] == [(0, "q", negative, RIGHT)] * found


def test_the_positives_of_all_rows_of_a_query_count() -> None:
    given = (
        {"anchor": "q", "positive": "call us", "negative": NEAR},
        {"anchor": "q", "positive": RIGHT, "negative": "x"},
    )
    assert [one.row for one in mistaken_negatives(rows(*given))] == [0]
    other = {**given[1], "anchor": "r"}
    assert not mistaken_negatives(rows(given[0], other))


@pytest.mark.parametrize(
    "given",
    [
        [{"anchor": "q", "positive": RIGHT, "label": 1}, {"anchor": "q", "positive": NEAR, "label": 0}],
        [{"anchor": "r", "documents": ["z"], "relevance": [1]}, {"anchor": "q", "documents": ["x", RIGHT, NEAR], "relevance": [0, 2, 0]}],
        [{"anchor": "r", "positive": "x", "negative_1": "y", "negative_2": "z"}, {"anchor": "q", "positive": RIGHT, "negative_1": "x", "negative_2": NEAR}],
    ],
)  # fmt: skip
def test_rows_of_every_shape_with_negatives_are_looked_at(given: list[dict[str, Any]]) -> None:
    assert [(one.row, one.query, one.negative) for one in mistaken_negatives(Dataset.from_list(given))] == [
        (1, "q", NEAR)
    ]


def test_answers_about_other_things_are_not_alike() -> None:
    texts = questions(500)
    alike = Alike(texts)
    assert not alike.are(texts[0], texts[1])
    assert alike.are(texts[0], f"Say: {texts[0]}")
