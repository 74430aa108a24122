"""What is relevant to what is known across splits, shapes and spellings."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

from stbench.config.sentence import Shape
from stbench.data.positives import Positives, known_positives
from stbench.data.roles import Mapped
from stbench.data.splits import content_hash


def answers(known: Positives, query: str, text: str) -> bool:
    return content_hash(text) in known.of(query)


def known(shape: Shape, rows: list[dict[str, Any]], classes: tuple[str, ...] = ()) -> Positives:
    return known_positives(
        {"train": Dataset.from_list(rows[:1]), "test": Dataset.from_list(rows)},
        {name: Mapped(shape, {}, frozenset(), classes=classes) for name in ("train", "test")},
    )


def test_case_and_white_space_do_not_count_and_pairs_hold_in_both_directions() -> None:
    found = Positives([("What is it?", "An  Answer")])
    assert answers(found, "what IS it?", "an answer")
    assert answers(found, "an answer", "what is it?")
    assert answers(found, "anything", "Anything")
    assert not answers(found, "what is that?", "an answer")


def test_several_anchors_may_share_a_positive() -> None:
    found = Positives([("a", "p"), ("b", "p"), ("a", "q")])
    assert answers(found, "b", "p")
    assert answers(found, "a", "p")
    assert not answers(found, "b", "q")


@pytest.mark.parametrize(
    ("shape", "rows", "classes"),
    [
        ("pair", [{"anchor": "x", "positive": "y"}, {"anchor": "a", "positive": "p"}], ()),
        ("triplet", [{"anchor": "x", "positive": "y", "negative": "z"}, {"anchor": "a", "positive": "p", "negative": "n"}], ()),
        ("labeled_pair", [{"anchor": "a", "positive": "n", "label": 0}, {"anchor": "a", "positive": "p", "label": 1}], ()),
        (
            "class_pair",
            [{"anchor": "a", "positive": "n", "label": 1}, {"anchor": "a", "positive": "p", "label": 0}],
            ("entailment", "neutral"),
        ),
        ("ranked_list", [{"anchor": "a", "documents": ["n"], "relevance": [0.0]}, {"anchor": "a", "documents": ["n", "p"], "relevance": [0.0, 2.0]}], ()),
        ("labeled_text", [{"text": "a", "label": 0}, {"text": "p", "label": 0}, {"text": "n", "label": 1}], ("x", "y")),
        ("parallel_text", [{"text": "x", "translation": "y"}, {"text": "a", "translation": "p"}], ()),
    ],
)  # fmt: skip
def test_rows_of_every_shape_say_what_they_know(shape: Shape, rows: list[dict[str, Any]], classes: Any) -> None:
    found = known(shape, rows, classes)
    assert answers(found, "a", "p")
    assert not answers(found, "a", "n")


def test_single_texts_know_nothing() -> None:
    assert not answers(known("text", [{"text": "a"}, {"text": "p"}]), "a", "p")


def test_the_digest_is_that_of_the_content() -> None:
    one, other = Positives([("a", "p"), ("b", "q")]), Positives([("B", "q"), ("a", "P")])
    assert one.digest == other.digest
    assert Positives([("a", "p")]).digest != one.digest
    assert Positives(groups=[["a", "p"]]).digest != Positives(groups=[["a"]]).digest


def test_a_text_with_two_labels_belongs_to_both() -> None:
    found = Positives(groups=[["a", "b"], ["a", "c"]])
    assert answers(found, "a", "b")
    assert answers(found, "a", "c")
    assert not answers(found, "b", "c")
