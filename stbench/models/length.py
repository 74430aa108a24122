"""How many tokens texts have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stbench.data.convert import listed

if TYPE_CHECKING:
    from datasets import Dataset

SAMPLED = 200
"""Rows that are counted."""


def lengths_of(model: Any, rows: Dataset) -> list[tuple[str, int]]:
    """The documents (or texts that stand alone) of the first rows, and their tokens; none of a model without a tokenizer."""
    if not hasattr(model, "tokenizer"):
        return []
    some = rows.select(range(min(SAMPLED, len(rows))))
    texts = [text for row in some for text in ([row["text"]] if "text" in row else listed(row)[0])]
    return [(text, len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"])) for text in texts]
