from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

from stbench.config.sentence import Shape
from stbench.data.convert import convert, listed
from stbench.data.shapes import COLUMNS, CONVERSIONS, path

ROWS: dict[Shape, list[dict[str, Any]]] = {
    "triplet": [{"anchor": "a", "positive": "p", "negative": "n"}, {"anchor": "b", "positive": "q", "negative": "m"}],
    "n_tuple": [{"anchor": "a", "positive": "p", "negative_1": "n", "negative_2": "o"}],
    "labeled_pair": [
        {"anchor": "a", "positive": "p", "label": 1},
        {"anchor": "a", "positive": "n", "label": 0},
    ],
    "ranked_list": [
        {"anchor": "a", "documents": ["p", "n", "o"], "relevance": [2.0, 0.0, 1.0]},
        {"anchor": "b", "documents": ["q"], "relevance": [1.0]},
    ],
}


def converted(source: Shape, target: Shape) -> list[dict[str, Any]]:
    rows = Dataset.from_list(ROWS[source])
    for step in path(source, [target]) or []:
        rows = convert(rows, step)
    return list(rows)


@pytest.mark.parametrize(
    ("source", "target", "rows"),
    [
        ("triplet", "pair", [{"anchor": "a", "positive": "p"}, {"anchor": "b", "positive": "q"}]),
        ("n_tuple", "triplet", [{"anchor": "a", "positive": "p", "negative": "n"}]),
        ("n_tuple", "ranked_list", [{"anchor": "a", "documents": ["p", "n", "o"], "relevance": [1.0, 0.0, 0.0]}]),
        ("labeled_pair", "pair", [{"anchor": "a", "positive": "p"}]),
        (
            "n_tuple",
            "labeled_pair",
            [
                {"anchor": "a", "positive": "p", "label": 1},
                {"anchor": "a", "positive": "n", "label": 0},
                {"anchor": "a", "positive": "o", "label": 0},
            ],
        ),
        (
            "ranked_list",
            "labeled_pair",
            [
                {"anchor": "a", "positive": "p", "label": 1},
                {"anchor": "a", "positive": "n", "label": 0},
                {"anchor": "a", "positive": "o", "label": 1},
                {"anchor": "b", "positive": "q", "label": 1},
            ],
        ),
        (
            "ranked_list",
            "pair",
            [{"anchor": "a", "positive": "p"}, {"anchor": "a", "positive": "o"}, {"anchor": "b", "positive": "q"}],
        ),
    ],
)
def test_rows_become(source: Shape, target: Shape, rows: list[dict[str, Any]]) -> None:
    assert converted(source, target) == rows


@pytest.mark.parametrize(
    "step", [step for step in CONVERSIONS if not step.mines], ids=lambda step: f"{step.source}-{step.target}"
)
def test_every_conversion_gives_the_columns_of_its_shape(step: Any) -> None:
    found = convert(Dataset.from_list(ROWS[step.source]), step)
    assert tuple(found.column_names) == COLUMNS[step.target]


def test_a_row_is_listed_positive_first() -> None:
    assert listed(ROWS["n_tuple"][0]) == (["p", "n", "o"], [1.0, 0.0, 0.0])
    assert listed(ROWS["ranked_list"][0]) == (["p", "n", "o"], [2.0, 0.0, 1.0])
