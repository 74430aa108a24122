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
    if max_seq_length is None or not hasattr(model, "tokenizer"):
        return 0.0
    some = rows.select(range(min(SAMPLED, len(rows))))
    texts = [text for row in some for text in ([row["text"]] if "text" in row else listed(row)[0])]
    lengths = [len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts]
    return sum(length > max_seq_length for length in lengths) / max(1, len(lengths))
