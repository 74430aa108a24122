from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

from stbench.config.sentence import Shape
from stbench.data.convert import convert, listed
from stbench.data.shapes import COLUMNS, CONVERSIONS, path
from stbench.errors import Refused

ROWS: dict[Shape, list[dict[str, Any]]] = {
    "triplet": [{"anchor": "a", "positive": "p", "negative": "n"}, {"anchor": "b", "positive": "q", "negative": "m"}],
    "n_tuple": [{"anchor": "a", "positive": "p", "negative_1": "n", "negative_2": "o"}],
    "labeled_pair": [
        {"anchor": "a", "positive": "p", "label": 1},
        {"anchor": "a", "positive": "n", "label": 0},
    ],
    "pair": [{"anchor": "a", "positive": "p"}, {"anchor": "b", "positive": "a"}],
    "scored_pair": [{"anchor": "a", "positive": "p", "score": 0.5}],
    "class_pair": [
        {"anchor": "a", "positive": "p", "label": 1},
        {"anchor": "a", "positive": "n", "label": 0},
        {"anchor": "a", "positive": "q", "label": 1},
        {"anchor": "a", "positive": "o", "label": 2},
        {"anchor": "b", "positive": "m", "label": 0},
    ],
    "text": [{"text": f"the words of text {number}"} for number in range(20)],
    "labeled_text": [{"text": text, "label": label} for text, label in zip("abcdef", [0, 1, 0, 0, 1, 2], strict=True)],
    "parallel_text": [{"text": "house", "translation": "Haus"}],
    "margin_triplet": [{"anchor": "a", "positive": "p", "negative": "n", "margin": 1.5}],
    "scored_n_tuple": [
        {"anchor": "a", "positive": "p", "negative_1": "n", "negative_2": "o", "scores": [3.0, 1.0, -1.0]}
    ],
    "ranked_list": [
        {"anchor": "a", "documents": ["p", "n", "o"], "relevance": [2.0, 0.0, 1.0]},
        {"anchor": "b", "documents": ["q"], "relevance": [1.0]},
    ],
}


CLASSES = ("contradiction", "entailment", "neutral")


def converted(source: Shape, target: Shape) -> list[dict[str, Any]]:
    rows = Dataset.from_list(ROWS[source])
    for step in path(source, [target]) or []:
        rows = convert(rows, step, CLASSES)
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
        ("labeled_pair", "ranked_list", [{"anchor": "a", "documents": ["p", "n"], "relevance": [1.0, 0.0]}]),
        (
            "ranked_list",
            "triplet",
            [{"anchor": "a", "positive": "p", "negative": "n"}, {"anchor": "a", "positive": "o", "negative": "n"}],
        ),
        (
            "labeled_pair",
            "scored_pair",
            [{"anchor": "a", "positive": "p", "score": 1.0}, {"anchor": "a", "positive": "n", "score": 0.0}],
        ),
        (
            "class_pair",
            "triplet",
            [{"anchor": "a", "positive": "p", "negative": "n"}, {"anchor": "a", "positive": "q", "negative": "n"}],
        ),
        (
            "labeled_text",
            "pair",
            [
                {"anchor": "a", "positive": "c"},
                {"anchor": "c", "positive": "d"},
                {"anchor": "d", "positive": "a"},
                {"anchor": "b", "positive": "e"},
                {"anchor": "e", "positive": "b"},
            ],
        ),
        ("parallel_text", "pair", [{"anchor": "house", "positive": "Haus"}]),
        ("scored_n_tuple", "n_tuple", [{"anchor": "a", "positive": "p", "negative_1": "n", "negative_2": "o"}]),
        (
            "scored_n_tuple",
            "margin_triplet",
            [
                {"anchor": "a", "positive": "p", "negative": "n", "margin": 2.0},
                {"anchor": "a", "positive": "p", "negative": "o", "margin": 4.0},
            ],
        ),
        (
            "scored_n_tuple",
            "scored_pair",
            [
                {"anchor": "a", "positive": "p", "score": 1.0},
                {"anchor": "a", "positive": "n", "score": 0.5},
                {"anchor": "a", "positive": "o", "score": 0.0},
            ],
        ),
        ("margin_triplet", "triplet", [{"anchor": "a", "positive": "p", "negative": "n"}]),
        ("ranked_list", "text", [{"text": text} for text in "apnobq"]),
        ("pair", "text", [{"text": text} for text in "apb"]),
    ],
)
def test_rows_become(source: Shape, target: Shape, rows: list[dict[str, Any]]) -> None:
    assert converted(source, target) == rows


@pytest.mark.parametrize(
    "step", [step for step in CONVERSIONS if not step.needs], ids=lambda step: f"{step.source}-{step.target}"
)
def test_every_conversion_gives_the_columns_of_its_shape(step: Any) -> None:
    found = convert(Dataset.from_list(ROWS[step.source]), step, CLASSES)
    negatives = [name for name in found.column_names if name.startswith("negative_")]
    columns = [name for name in COLUMNS[step.target] if not name.startswith("negative_") and name != "…"]
    columns[2:2] = negatives
    assert found.column_names == columns


def test_damaged_texts_lose_more_than_half_of_their_words_and_never_all() -> None:
    rows = converted("text", "damaged_text")
    assert all(set(row["damaged"].split()) <= set(row["text"].split()) for row in rows)
    share = sum(len(row["damaged"].split()) for row in rows) / sum(len(row["text"].split()) for row in rows)
    assert 0.25 < share < 0.6
    assert all(row["damaged"] for row in rows)


def test_one_tension_pair_in_eight_holds_the_same_text_twice() -> None:
    rows = converted("text", "tension_pair")
    assert [place for place in range(0, 20, 8) if rows[place]["text"] != rows[place]["other"]] == []
    assert sum(row["text"] == row["other"] for row in rows) < 8


def test_a_twin_is_the_text_itself() -> None:
    assert all(row["text"] == row["twin"] for row in converted("text", "twin_text"))


@pytest.mark.parametrize(
    ("rows", "name", "mend"),
    [
        ([{"anchor": "a", "positive": "p", "label": 1}], "group", "negatives=mined"),
        ([{"anchor": "a", "positive": "p", "label": 2}], "infer", "dataset.classes"),
        ([{"text": "a", "label": 0}], "same_label", "two texts"),
        ([{"anchor": "a", "positive": "p", "label": 0}], "keep_positives", "dataset.roles.label"),
    ],
)
def test_a_conversion_that_leaves_nothing_is_refused(rows: list[dict[str, Any]], name: str, mend: str) -> None:
    step = next(step for step in CONVERSIONS if step.name == name)
    with pytest.raises(Refused) as caught:
        convert(Dataset.from_list(rows), step, CLASSES)
    assert mend in caught.value.problems[0].mend


def test_a_row_is_listed_positive_first() -> None:
    assert listed(ROWS["n_tuple"][0]) == (["p", "n", "o"], [1.0, 0.0, 0.0])
    assert listed(ROWS["ranked_list"][0]) == (["p", "n", "o"], [2.0, 0.0, 1.0])
