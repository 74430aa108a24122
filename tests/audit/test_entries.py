from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

from stbench.audit.entries import Entry, digest_of, entries_of, samples_of, unit_of

PAIR = {"anchor": "q", "positive": "d"}
LISTS = [{"anchor": "q", "documents": ["d", "e"], "relevance": [0, 2]}]


@pytest.mark.parametrize(
    ("columns", "kind", "unit"),
    [
        (("anchor", "positive"), "retrieval", "query"),
        (("anchor", "documents", "relevance"), "reranking", "query"),
        (("anchor", "positive", "label"), "reranking", "query"),
        (("anchor", "positive", "label"), "binary", "pair"),
        (("anchor", "positive", "score"), "similarity", "pair"),
        (("anchor", "positive", "negative"), "triplet", "pair"),
        (("text", "label"), "retrieval", "text"),
        (("text", "translation"), "translation", "pair"),
    ],
)
def test_what_is_judged_decides_what_can_leak(columns: tuple[str, ...], kind: str, unit: str) -> None:
    assert unit_of(columns, kind) == unit


@pytest.mark.parametrize(
    ("rows", "unit", "entries"),
    [
        ([PAIR], "query", [Entry(0, ("q",), answers=("d",), mentions=("d",))]),
        ([{**PAIR, "negative": "n"}], "query", [Entry(0, ("q",), answers=("d",), mentions=("d",))]),
        ([{**PAIR, "label": 0}], "query", [Entry(0, ("q",), mentions=("d",))]),
        (LISTS, "query", [Entry(0, ("q",), answers=("e",))]),
        ([{"text": "t"}], "query", [Entry(0, (), mentions=("t",))]),
        ([{**PAIR, "score": 0.5}], "pair", [Entry(0, ("q", "d"), 0.5, ordered=True)]),
        (LISTS, "pair", [Entry(0, ("q", "d"), 0.0, ordered=True), Entry(0, ("q", "e"), 1.0, ordered=True)]),
        ([{"text": "t"}], "pair", []),
        ([{"text": "t", "translation": "u"}], "pair", [Entry(0, ("t", "u"))]),
        ([{"text": "t", "label": 3}], "text", [Entry(0, ("t",), 3)]),
        ([PAIR], "text", [Entry(0, (), mentions=("q", "d"))]),
    ],
)
def test_rows_of_every_shape_are_compared(rows: list[dict[str, Any]], unit: Any, entries: list[Entry]) -> None:
    assert entries_of(Dataset.from_list(rows), unit, ordered=True) == entries


def test_a_query_is_one_sample_with_all_that_answers_it() -> None:
    rows = Dataset.from_list([PAIR, {"anchor": "r", "positive": "d"}, {"anchor": " Q", "positive": "e"}])
    assert [(one.row, one.texts, one.answers) for one in samples_of(rows, "query")] == [
        (0, ("q",), ("d", "e")), (1, ("r",), ("d",)),
    ]  # fmt: skip
    assert len(samples_of(rows, "pair")) == 3


def test_the_digest_is_of_all_that_is_compared() -> None:
    first = Entry(0, ("a", "b"), 0.5, ("c",), ("d",))
    others = [
        first._replace(texts=("b", "a")), first._replace(label=0.25), first._replace(answers=()), first._replace(row=1),
        first._replace(mentions=()), first._replace(ordered=True),
    ]  # fmt: skip
    assert len({digest_of([one]) for one in (first, *others)}) == 1 + len(others)
    assert digest_of([first]) == digest_of([Entry(*first)])
