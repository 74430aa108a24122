from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from datasets import Dataset

from stbench.config.sentence import Roles
from stbench.data.roles import Mapped, map_roles
from stbench.data.splits import LARGEST_SHARE, Sizes, Splits, content_hash, held_out, split
from stbench.errors import Refused

TENTH = Sizes(validation=0.1, test=0.1)


def pairs(number: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"question": f"question {i}", "answer": f"answer {i}", "id": i} for i in range(start, start + number)]


def cut(sizes: Sizes = TENTH, classes: Sequence[str] | None = None, **rows: list[dict[str, Any]]) -> Splits:
    """Splits of the rows by name, each mapped as the plan does it."""
    train = map_roles(rows["train"], list(rows["train"][0]), Roles(), classes, "train")
    mapped: dict[str, Mapped] = dict.fromkeys(rows, train)
    return split({name: Dataset.from_list(some) for name, some in rows.items()}, mapped, sizes)


def anchors(rows: Dataset) -> set[str]:
    return set(rows["anchor"])


def labelled(*labels: Any, column: str = "label") -> list[dict[str, Any]]:
    return [{"question": f"q{i}", "answer": f"a{i}", column: label} for i, label in enumerate(labels)]


def test_nothing_is_in_two_splits_and_nothing_is_lost() -> None:
    found = cut(train=pairs(200))
    parts = [anchors(found.train), anchors(found.validation), anchors(found.test)]
    assert [len(part) for part in parts] == [160, 20, 20]
    assert len(set.union(*parts)) == 200


def test_columns_are_named_by_role_and_the_rest_is_gone() -> None:
    found = cut(train=pairs(30))
    for rows in (found.train, found.validation, found.test):
        assert rows.column_names == ["anchor", "positive"]
        assert all(row["anchor"].split()[1] == row["positive"].split()[1] for row in rows)


def test_roles_may_be_the_names_of_each_others_columns() -> None:
    mapped = Mapped("pair", {"anchor": "positive", "positive": "anchor"}, frozenset())
    rows = Dataset.from_list([{"anchor": f"a{i}", "positive": f"q{i}"} for i in range(20)])
    found = split({"train": rows}, {"train": mapped}, TENTH)
    assert {row["anchor"][0] + row["positive"][0] for row in found.train} == {"qa"}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_the_file_does_not_matter(seed: int) -> None:
    rows = pairs(300)
    shuffled = random.Random(seed).sample(rows, len(rows))
    sizes = Sizes(validation=0.1, test=30, limit=100)
    one, two = cut(sizes, train=rows), cut(sizes, train=shuffled)
    for name in ("train", "validation", "test"):
        assert anchors(getattr(one, name)) == anchors(getattr(two, name))


def test_a_limit_chooses_by_content_among_rows_of_one_anchor_too() -> None:
    rows = [{"question": "the same", "answer": f"answer {i}"} for i in range(50)] + pairs(20)
    rows = [{"question": row["question"], "answer": row["answer"]} for row in rows]
    sizes = Sizes(validation=5, test=5, limit=10)
    one, two = cut(sizes, train=rows), cut(sizes, train=rows[::-1])
    assert set(one.train["positive"]) == set(two.train["positive"])


def test_a_limit_leaves_several_texts_of_each_label() -> None:
    rows = [{"text": f"text {i}", "label": f"label {i % 40}"} for i in range(400)]
    sizes = Sizes(validation=100, test=100, limit=16, evaluation_rows=12)
    one, two = cut(sizes, train=rows), cut(sizes, train=rows[::-1])
    assert set(one.train["text"]) == set(two.train["text"])
    for part, number in ((one.train, 16), (one.validation, 12), (one.test, 12)):
        assert len(part) == number
        assert len(set(part["label"])) < number / 2


def test_more_rows_leave_those_that_were_held_out_where_they_were() -> None:
    sizes = Sizes(validation=20, test=20)
    before, after = cut(sizes, train=pairs(200)), cut(sizes, train=pairs(220))
    assert len(anchors(before.test) & anchors(after.test)) >= 15


def test_rows_with_one_anchor_stay_together() -> None:
    rows = [
        {"question": f"  Question {i % 40} " if i < 200 else f"question {i % 40}", "answer": f"a{i}"}
        for i in range(400)
    ]
    found = cut(train=rows)
    parts = [
        {content_hash(text) for text in part} for part in map(anchors, (found.train, found.validation, found.test))
    ]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert len(found.train) + len(found.validation) + len(found.test) == 400


@pytest.mark.parametrize(
    ("size", "rows", "number"), [(0.1, 200, 20), (0.1, 5, 1), (0.5, 10_000, LARGEST_SHARE), (300, 200, 300), (1, 50, 1)]
)
def test_sizes_are_rows_or_shares(size: float, rows: int, number: int) -> None:
    assert held_out(size, rows) == number


def test_limits_cut_after_holding_out() -> None:
    found = cut(Sizes(validation=30, test=40, limit=50, train_rows=20, evaluation_rows=10), train=pairs(200))
    assert (len(found.train), len(found.validation), len(found.test)) == (20, 10, 10)


def test_a_validation_file_alone_is_halved() -> None:
    found = cut(train=pairs(50), validation=pairs(21, 100))
    assert len(found.train) == 50
    assert (len(found.validation), len(found.test)) == (10, 11)
    assert not anchors(found.validation) & anchors(found.test)


def test_a_test_file_stays_whole_and_selection_comes_from_training() -> None:
    found = cut(train=pairs(50), test=pairs(21, 100))
    assert len(found.test) == 21
    assert (len(found.train), len(found.validation)) == (45, 5)


def test_with_all_files_nothing_is_held_out() -> None:
    found = cut(train=pairs(50), validation=pairs(7, 100), test=pairs(9, 200))
    assert (len(found.train), len(found.validation), len(found.test)) == (50, 7, 9)


def test_training_rows_that_are_also_held_out_are_left_out_and_counted() -> None:
    again = [{**row, "question": row["question"].upper() + "  "} for row in pairs(5)]
    found = cut(train=pairs(50), validation=pairs(7, 100), test=[*again, *pairs(5, 200)])
    assert len(found.train) == 45
    assert found.counts == {"training rows that are also held out, left out": 5}


def test_rows_without_text_and_repeated_rows_are_counted() -> None:
    bad = [{"question": text, "answer": "a", "id": 0} for text in ("", "  ", None)]
    found = cut(train=[*pairs(40), *bad, *pairs(3)])
    assert len(found.train) + len(found.validation) + len(found.test) == 40
    assert found.counts == {"rows without text (train)": 3, "repeated rows (train)": 3}


def test_text_that_looks_like_nothing_is_text() -> None:
    rows = [{"question": text, "answer": f"is {text}"} for text in ("NA", "None", "null", "nan", "-", "0")]
    found = cut(Sizes(1, 1), train=rows)
    assert not found.counts


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        (("0", "1", "1", "0"), [0, 1, 1, 0]),
        ((True, False, True, False), [1, 0, 1, 0]),
        (("1.0", "0.0", "", "1.0", "-1"), [1, 0, 1]),
        (("neutral", "entailment", "-", " contradiction"), [2, 1, 0]),
        ((0, 2, -1, 1), [0, 2, 1]),
        ((-1, 1, -1), [0, 1, 0]),
    ],
)
def test_labels_become_ids_and_rows_without_one_are_left_out(labels: tuple[Any, ...], ids: list[int]) -> None:
    rows = labelled(*labels)
    found = cut(train=rows, validation=labelled(*labels[:2]), test=labelled(*labels[:2]), sizes=TENTH)
    kept = _all_labels(rows)
    assert kept == ids
    assert found.shape in ("labeled_pair", "class_pair")


def _all_labels(rows: list[dict[str, Any]]) -> list[int]:
    """Ids of the rows that stay, in their order, by way of a test file, which stays whole."""
    others = [{**row, "question": f"other {i}"} for i, row in enumerate(rows)]
    found = cut(train=rows, validation=others[:2], test=[{**row, "answer": "x"} for row in rows])
    return list(found.test["label"])


def test_classes_that_were_said_give_their_ids_to_names_and_to_numbers() -> None:
    rows = [*labelled("b", "a", "c"), *[{**row, "question": f"n{i}"} for i, row in enumerate(labelled("0", "1", "2"))]]
    held = labelled("a", "b")
    found = cut(train=rows, validation=held, test=held, classes=["a", "b", "c"])
    assert dict(zip(found.train["anchor"], found.train["label"], strict=True)) == {"q2": 2, "n0": 0, "n1": 1, "n2": 2}


@pytest.mark.parametrize(
    ("labels", "later", "what", "mend"),
    [
        (("0", "1"), "2", "neither 0 nor 1", "dataset.classes=[A,B,C]"),
        (("a", "b"), "c", "the class 'c' is not among", "dataset.classes=[a,b,c]"),
    ],
)
def test_labels_of_another_kind_beyond_the_head_are_refused(
    labels: Sequence[str], later: str, what: str, mend: str
) -> None:
    rows = labelled(*labels, *labels)
    mapped = map_roles(rows, list(rows[0]), Roles(), None, "train")
    more = Dataset.from_list([*rows, {"question": "new", "answer": "new", "label": later}])
    with pytest.raises(Refused) as caught:
        split({"train": more}, {"train": mapped}, TENTH)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert mend in problem.mend
    assert problem.where == "train, row 5"


def test_scores_are_brought_to_zero_to_one() -> None:
    rows = labelled("5", "0", "2.5", "", column="score")
    found = cut(train=rows, validation=labelled("5", "1", column="score"), test=labelled("0", column="score"))
    assert list(found.validation["score"]) == [1.0, 0.2]
    assert found.counts["rows without score (train)"] == 1


def test_scores_that_are_between_zero_and_one_stay_as_they_are() -> None:
    rows = labelled("0.2", "0.9", column="score")
    found = cut(train=[*rows, *[{**row, "question": "z"} for row in rows]], validation=rows, test=rows)
    assert list(found.test["score"]) == [0.2, 0.9]


@pytest.mark.parametrize("wrong", ["good", "nan"])
def test_a_wrong_score_beyond_the_head_is_named_with_its_row_in_the_file(wrong: str) -> None:
    rows = [{"question": "", "answer": "", "score": "1"}, *labelled("0.1", "0.2", column="score")]
    mapped = map_roles(rows, list(rows[0]), Roles(), None, "train")
    more = Dataset.from_list([*rows, {"question": "x", "answer": "y", "score": wrong}])
    with pytest.raises(Refused) as caught:
        split({"train": more}, {"train": mapped}, TENTH)
    assert [item.where for item in caught.value.problems] == ["train, row 4"]


@pytest.mark.parametrize(
    "row", [{"documents": ["a", "b"], "relevance": [1]}, {"documents": ["a"], "relevance": [None]}]
)
def test_documents_without_their_relevance_are_refused(row: Mapping[str, Any]) -> None:
    rows = [{"query": f"q{i}", "documents": ["a", "b"], "relevance": [1, 0]} for i in range(4)]
    mapped = map_roles(rows, list(rows[0]), Roles(), None, "train")
    with pytest.raises(Refused, match="give each document one number"):
        split({"train": Dataset.from_list([*rows, {"query": "x", **row}])}, {"train": mapped}, TENTH)


def test_documents_without_text_are_counted() -> None:
    rows = [{"query": f"q{i}", "documents": ["a", "b"], "relevance": [1, 0]} for i in range(9)]
    empty = [
        {"query": "x", "documents": documents, "relevance": [1, 0][: len(documents)]} for documents in ([], ["a", ""])
    ]
    assert cut(train=[*rows, *empty]).counts == {"rows without text (train)": 2}


def test_pairs_can_be_judged_by_lists() -> None:
    rows = {"train": pairs(20), "test": [{"query": "question 3", "documents": ["answer 3"], "relevance": [1]}]}
    mapped = {name: map_roles(some, list(some[0]), Roles(), None, name) for name, some in rows.items()}
    found = split({name: Dataset.from_list(some) for name, some in rows.items()}, mapped, TENTH)
    assert "question 3" not in anchors(found.train)
    assert len(found.test) == 1


@pytest.mark.parametrize(
    ("sizes", "what"),
    [(Sizes(validation=10, test=300), "training"), (Sizes(validation=30, test=20), "training")],
)
def test_holding_everything_out_is_refused(sizes: Sizes, what: str) -> None:
    with pytest.raises(Refused, match=f"no {what} rows are left") as caught:
        cut(sizes, train=pairs(50))
    assert "dataset.test_size" in caught.value.problems[0].mend


def test_a_test_file_without_labels_is_refused() -> None:
    with pytest.raises(Refused, match="no test rows are left"):
        cut(train=labelled("0", "1", "0", "1"), test=labelled("-1", "-1"))


def test_the_hash_is_of_content_alone() -> None:
    assert content_hash(" Two\nWords ") == content_hash("two words") != content_hash("twowords")
