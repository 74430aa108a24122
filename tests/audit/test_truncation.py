from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset

from stbench.audit.truncation import enough, truncation


def plan(limit: int | None, positions: int | None = None) -> Any:
    return SimpleNamespace(blueprint=SimpleNamespace(max_seq_length=limit, base=SimpleNamespace(positions=positions)))


MODEL = SimpleNamespace(tokenizer=lambda text, **_: {"input_ids": text.split()})
ROWS = Dataset.from_list([{"anchor": "q", "positive": "word " * length} for length in (2, 4, 9, 7)])


def test_cut_texts_are_told_the_longest_first() -> None:
    (one,) = truncation(MODEL, ROWS, plan(4))
    assert (one.count, one.of, one.override) == (2, 4, "training.max_seq_length=8")
    assert [example[0][0] for example in one.examples] == ["9 tokens", "7 tokens"]
    assert (
        one.says == "2 of 4 texts of the first 4 test rows (50.0 %) are longer than the 4 tokens that the model reads"
    )


def test_what_cannot_be_longer_is_offered_nothing() -> None:
    (one,) = truncation(MODEL, ROWS, plan(4, positions=4))
    assert one.override == ""


@pytest.mark.parametrize("limit", [9, None])
def test_models_that_read_everything_cut_nothing(limit: int | None) -> None:
    assert truncation(MODEL, ROWS, plan(limit)) == []
    assert truncation(SimpleNamespace(), ROWS, plan(1)) == []


@pytest.mark.parametrize(
    ("lengths", "most", "number"),
    [([100], None, 128), ([10] * 9 + [64], None, 64), ([10] * 40 + [900], None, 64), ([900], 512, 512)],
)
def test_the_offered_length_holds_nearly_all(lengths: list[int], most: int | None, number: int) -> None:
    assert enough(32, lengths, most) == number
