from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from stbench.config.sentence import Roles
from stbench.data.roles import Mapped, map_roles
from stbench.errors import Problem, Refused

TEXTS = {"question": "where?", "answer": "there"}


def mapped(*rows: Mapping[str, Any], said: Roles | None = None, classes: Sequence[str] | None = None) -> Mapped:
    return map_roles(rows, list(rows[0]), said or Roles(), classes, "pairs.csv")


def labelled(*labels: Any, column: str = "label", classes: Sequence[str] | None = None) -> Mapped:
    return mapped(*({**TEXTS, column: label} for label in labels), classes=classes)


def problem(*rows: Mapping[str, Any], **more: Any) -> Problem:
    with pytest.raises(Refused) as caught:
        mapped(*rows, **more)
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize("order", list(itertools.permutations(["question", "answer", "negative", "id"])))
def test_the_order_of_the_columns_does_not_matter(order: tuple[str, ...]) -> None:
    found = mapped(dict.fromkeys(order, "x"))
    assert found.columns == {"anchor": "question", "positive": "answer", "negative": "negative"}
    assert list(found.columns) == ["anchor", "positive", "negative"]
    assert found.ignored == ("id",)


@pytest.mark.parametrize(
    ("anchor", "positive"),
    [
        ("query", "document"), ("Question", "Answer"), ("sentence1", "sentence2"), ("Sentence 1", "Sentence 2"),
        ("premise", "hypothesis"), ("question1", "question2"), ("title", "body"), ("anchor", "positive"),
        ("question", "context"), ("english", "target"), ("query", "passage"), ("text-1", "text-2"),
    ],
)  # fmt: skip
def test_the_usual_names_are_recognised(anchor: str, positive: str) -> None:
    found = mapped({positive: "b", anchor: "a"})
    assert found.columns == {"anchor": anchor, "positive": positive}
    assert found.recognised == {"anchor", "positive"}
    assert found.shape == "pair"


def test_what_is_said_wins_over_what_is_recognised() -> None:
    found = mapped({**TEXTS, "headline": "x"}, said=Roles(anchor="headline", positive="question"))
    assert found.columns == {"anchor": "headline", "positive": "question"}
    assert found.recognised == frozenset()
    assert found.ignored == ("answer",)


def test_one_role_said_leaves_the_other_to_be_recognised() -> None:
    found = mapped({**TEXTS, "headline": "x"}, said=Roles(anchor="headline"))
    assert found.columns == {"anchor": "headline", "positive": "answer"}
    assert found.recognised == {"positive"}


def test_roles_can_be_said_the_other_way_round() -> None:
    assert mapped(TEXTS, said=Roles(anchor="answer", positive="question")).columns["anchor"] == "answer"


def test_a_wrong_column_gets_the_closest_name_for_each() -> None:
    with pytest.raises(Refused) as caught:
        mapped(TEXTS, said=Roles(anchor="qestion", positive="anwser"))
    assert [item.mend for item in caught.value.problems] == [
        "did you mean dataset.roles.anchor=question?",
        "did you mean dataset.roles.positive=answer?",
    ]


def test_a_column_that_is_like_none_gets_the_list() -> None:
    assert problem(TEXTS, said=Roles(anchor="zzz")).mend == "columns: question, answer"


def test_a_column_cannot_play_two_roles() -> None:
    assert "two roles" in problem(TEXTS, said=Roles(anchor="question", positive="question")).what


def test_columns_that_say_nothing_have_to_be_named() -> None:
    found = problem({"a": "x", "b": "y"})
    assert "columns: a, b" in found.what
    assert found.mend == "name it: dataset.roles.anchor=a"


def test_documents_without_relevance_have_to_be_named_too() -> None:
    assert "relevance" in problem({"query": "x", "documents": ["y"], "marks": [1]}).what


@pytest.mark.parametrize(
    ("columns", "shape", "roles"),
    [
        (["negative"], "triplet", ["negative"]),
        (["neg"], "triplet", ["negative"]),
        (["negative_1", "negative_2"], "n_tuple", ["negative_1", "negative_2"]),
        (["negative_10", "negative_9"], "n_tuple", ["negative_1", "negative_2"]),
    ],
)
def test_negatives_make_triplets_and_tuples(columns: list[str], shape: str, roles: list[str]) -> None:
    found = mapped({**TEXTS, **dict.fromkeys(columns, "no")})
    assert found.shape == shape
    assert list(found.columns)[2:] == roles


def test_negatives_are_counted_by_their_own_numbers_in_any_order() -> None:
    row = {"negative_10": "j", "negative_2": "b", **TEXTS, "negative_1": "a"}
    assert [mapped(row).columns[f"negative_{i}"] for i in (1, 2, 3)] == ["negative_1", "negative_2", "negative_10"]


def test_negatives_make_a_recognised_label_or_score_superfluous() -> None:
    found = mapped({**TEXTS, "negative": "no", "label": 1, "score": 0.5})
    assert found.shape == "triplet"
    assert found.ignored == ("label", "score")


def test_a_label_that_was_said_makes_negatives_superfluous() -> None:
    found = mapped({**TEXTS, "negative": "no", "label": "1"}, said=Roles(label="label"))
    assert (found.shape, list(found.columns)) == ("labeled_pair", ["anchor", "positive", "label"])


def test_negatives_and_a_label_cannot_both_be_said() -> None:
    row = {**TEXTS, "negative": "no", "label": "1"}
    assert problem(row, said=Roles(negatives=["negative"], label="label")).mend == "name one of them"


@pytest.mark.parametrize(
    "labels", [("0", "1"), (0, 1), (True, False), ("0.0", "1.0"), ("1", "-", ""), (1, 0, -1), (1, None)]
)
def test_zero_and_one_are_relevance(labels: tuple[Any, ...]) -> None:
    assert labelled(*labels).shape == "labeled_pair"


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("neutral", "entailment", "-", "contradiction"), ("contradiction", "entailment", "neutral")),
        (("0", "1", "2"), ("0", "1", "2")),
        ((2, 0, 1, -1), ("0", "1", "2")),
        (("10", "9", "1"), ("1", "9", "10")),
        ((-1, 1), ("-1", "1")),
        (("class 10", "class 9"), ("class 9", "class 10")),
    ],
)
def test_words_and_more_than_two_ids_are_classes(labels: tuple[Any, ...], classes: tuple[str, ...]) -> None:
    found = labelled(*labels, column="gold_label")
    assert (found.shape, found.classes) == ("class_pair", classes)


def test_classes_that_were_said_keep_their_order() -> None:
    assert labelled("a", "b", classes=["b", "a", "c"]).classes == ("b", "a", "c")


def test_classes_without_a_label_are_refused() -> None:
    assert problem(TEXTS, classes=["a", "b"]).mend == "dataset.roles.label=COLUMN"


@pytest.mark.parametrize(
    ("labels", "low", "high"), [((0.25, 0.5), 0.25, 0.5), (("1", "0.5", "0"), 0, 1), (("3.2", "5.0", ""), 3.2, 5)]
)
def test_labels_with_fractions_are_scores(labels: tuple[Any, ...], low: float, high: float) -> None:
    found = labelled(*labels)
    assert found.shape == "scored_pair"
    assert found.columns["score"] == "label"
    assert found.score_range == (low, high)


def test_a_score_column_has_a_range() -> None:
    rows = [{**TEXTS, "similarity": value} for value in ("4.5", "0", "")]
    assert mapped(*rows).score_range == (0, 4.5)


@pytest.mark.parametrize("wrong", ["good", "nan", "inf"])
def test_a_wrong_score_is_named_with_its_row(wrong: str) -> None:
    found = problem({**TEXTS, "score": "0.5"}, {**TEXTS, "score": wrong})
    assert repr(wrong) in found.what
    assert found.where == "pairs.csv, row 2"


def test_lists_with_relevance_are_ranked_lists() -> None:
    found = mapped({"relevance": [1, 0], "documents": ["a", "b"], "query": "q", "id": "7"})
    assert found.shape == "ranked_list"
    assert found.columns == {"anchor": "query", "documents": "documents", "relevance": "relevance"}


@pytest.mark.parametrize(
    ("documents", "relevance", "what"),
    [("a, b", [1], "must be lists"), (["a", "b"], "1, 0", "must be lists"), (["a", "b"], [1], "2 documents and 1")],
)
def test_lists_that_are_none_or_do_not_match_are_refused(documents: Any, relevance: Any, what: str) -> None:
    found = problem({"query": "q", "documents": documents, "relevance": relevance})
    assert what in found.what
    assert found.where == "pairs.csv, row 1"
