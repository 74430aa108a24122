from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset

from stbench.models.length import SAMPLED, lengths_of

SHORT, LONG = "one two", "one two three four five"
MODEL: Any = SimpleNamespace(tokenizer=lambda text, **_: {"input_ids": text.split()})


@pytest.mark.parametrize(
    ("rows", "lengths"),
    [
        ([{"anchor": LONG, "positive": SHORT}, {"anchor": SHORT, "positive": LONG}], [2, 5]),
        ([{"anchor": SHORT, "documents": [LONG, SHORT], "relevance": [1, 0]}], [5, 2]),
        ([{"text": LONG, "label": 1}], [5]),
    ],
)
def test_documents_and_texts_that_stand_alone_are_counted(rows: list[dict[str, Any]], lengths: list[int]) -> None:
    assert [number for _, number in lengths_of(MODEL, Dataset.from_list(rows))] == lengths


def test_of_many_rows_the_first_are_counted() -> None:
    rows = Dataset.from_dict({"text": [SHORT] * (SAMPLED + 5)})
    assert len(lengths_of(MODEL, rows)) == SAMPLED


def test_a_model_without_a_tokenizer_counts_nothing() -> None:
    assert lengths_of(SimpleNamespace(), Dataset.from_dict({"text": [SHORT]})) == []
