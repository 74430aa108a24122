from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from planted import COMMON, changed, sentences

from stbench.audit.cleaning import Cleaning, Held, faultless, held_of, tidied
from stbench.audit.entries import samples_of
from stbench.cache import Store
from stbench.data.splits import Splits
from stbench.errors import Refused


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


def pairs(queries: Sequence[str], answers: Sequence[str]) -> Dataset:
    return Dataset.from_dict({"anchor": list(queries), "positive": list(answers)})


QUERIES, ANSWERS = sentences(300, 1, (9, 12)), sentences(300, 2, (20, 30))
VALIDATION, TEST = slice(260, 280), slice(280, 300)
COPIED = (261, 281, 291)
"""Held-out rows with copies in the training rows: one of the selection, two of the test split."""


def splits() -> Splits:
    copies = [changed(QUERIES[place], place, COMMON) for place in COPIED]
    train = pairs([*QUERIES[:260], *copies], [*ANSWERS[:260], *(ANSWERS[place] for place in COPIED)])
    held = [pairs(QUERIES[some], ANSWERS[some]) for some in (VALIDATION, TEST)]
    return Splits(train, *held, "pair", {"repeated rows (train)": 4})


DROP = Cleaning(leaks="drop", judged_by="retrieval")


def test_rows_like_held_out_ones_are_left_out(store: Store) -> None:
    found = tidied(splits(), "pair", DROP, store)
    assert found.train["anchor"][:] == QUERIES[:260]
    assert found.counts == {"repeated rows (train)": 4, "training rows like held-out ones, left out": 3}
    assert len(found.test) == len(found.validation) == 20


def test_rows_are_left_out_only_where_that_is_said(store: Store) -> None:
    given = splits()
    found = tidied(given, "pair", Cleaning(judged_by="retrieval"), store)
    assert (len(found.train), found.counts) == (263, given.counts)
    assert not store.made


def test_samples_of_other_data_sets_are_not_trained_on_either(store: Store) -> None:
    others = [Held("query", samples_of(pairs(QUERIES[:5], ANSWERS[:5]), "query"), ["test"] * 5)]
    found = tidied(splits(), "pair", DROP, store, others)
    assert found.train["anchor"][:] == QUERIES[5:260]


def test_nobody_looks_for_samples_that_do_not_judge() -> None:
    assert held_of(splits(), "nano_beir") == []
    (held,) = held_of(splits(), "retrieval")
    assert (held.unit, held.splits) == ("query", ["test"] * 20 + ["validation"] * 20)
    assert held.samples[0].texts == (QUERIES[280],)


def test_nothing_left_is_refused(store: Store) -> None:
    given = splits()
    only = Splits(given.test, given.validation, given.test, "pair")
    with pytest.raises(Refused) as refusal:
        tidied(only, "pair", DROP, store)
    assert "dataset.leaks=report" in refusal.value.problems[0].mend


@pytest.mark.parametrize(
    ("changes", "shape", "rows", "kept"),
    [
        ({"duplicates": "drop"}, "pair", {"anchor": ["a", "b", "A"], "positive": ["x", "y", "z"]}, [0, 1]),
        ({"contradictions": "drop"}, "labeled_text", {"text": ["a", "b", "A", "c"], "label": [0, 0, 1, 1]}, [1, 3]),
        ({"near_positives": "drop"}, "triplet", {"anchor": ["a", "b"], "positive": ["x", "y"], "negative": ["X", "z"]}, [1]),
        (
            {"duplicates": "drop", "contradictions": "drop"},
            "labeled_text",
            {"text": ["a", "a", "b", "b"], "label": [0, 1, 1, 1]},
            [2],
        ),
        ({}, "labeled_text", {"text": ["a", "a"], "label": [0, 1]}, [0, 1]),
    ],
)  # fmt: skip
def test_faulty_rows_are_left_out_and_counted(
    changes: Mapping[str, Any], shape: Any, rows: dict[str, list[Any]], kept: list[int]
) -> None:
    given = Dataset.from_dict(rows)
    found, counts = faultless(given, shape, Cleaning(**changes))
    assert found.to_list() == given.select(kept).to_list()
    assert sum(counts.values()) == len(given) - len(kept)
