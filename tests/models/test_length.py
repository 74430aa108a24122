from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset

from stbench.models.length import truncated_share

SHORT, LONG = "one two", "one two three four five"


def model() -> Any:
    return SimpleNamespace(tokenizer=lambda text, **_: {"input_ids": text.split()})


@pytest.mark.parametrize(
    ("rows", "share"),
    [
        ([{"anchor": SHORT, "positive": SHORT}, {"anchor": SHORT, "positive": LONG}], 0.5),
        ([{"anchor": SHORT, "documents": [LONG, SHORT, SHORT, SHORT], "relevance": [1, 0, 0, 0]}], 0.25),
        ([{"text": LONG, "label": 1}], 1.0),
        ([{"text": SHORT}], 0.0),
    ],
)
def test_the_share_counts_documents_or_texts_that_stand_alone(rows: list[dict[str, Any]], share: float) -> None:
    assert truncated_share(model(), Dataset.from_list(rows), 3) == share


def test_models_that_read_everything_cut_nothing() -> None:
    assert truncated_share(model(), Dataset.from_list([{"text": LONG}]), None) == 0.0
