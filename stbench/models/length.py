"""How many texts are longer than the model reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stbench.data.convert import listed

if TYPE_CHECKING:
    from datasets import Dataset

SAMPLED = 200
"""Rows that the share is estimated from."""


def truncated_share(model: Any, rows: Dataset, max_seq_length: int | None) -> float:
    """Share of documents of the first rows with more tokens than `max_seq_length`; 0 for models that read everything."""
    if max_seq_length is None:
        return 0.0
    lengths = [number for _, number in lengths_of(model, rows)]
    return sum(number > max_seq_length for number in lengths) / max(1, len(lengths))


def lengths_of(model: Any, rows: Dataset) -> list[tuple[str, int]]:
    """The documents (or texts that stand alone) of the first rows, and their tokens; none of a model without a tokenizer."""
    if not hasattr(model, "tokenizer"):
        return []
    some = rows.select(range(min(SAMPLED, len(rows))))
    texts = [text for row in some for text in ([row["text"]] if "text" in row else listed(row)[0])]
    return [(text, len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"])) for text in texts]
