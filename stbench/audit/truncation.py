"""Texts whose end the model never sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stbench.audit.finding import TOLD, Finding, example
from stbench.models.length import SAMPLED, lengths_of

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.plan.plan import Plan

ENOUGH = 0.95
"""Share of the texts that the offered length holds."""


def truncation(model: Any, rows: Dataset, plan: Plan) -> list[Finding]:
    """Of the first of `rows`, since long texts take long to count."""
    limit = plan.blueprint.max_seq_length
    if limit is None:
        return []
    found = lengths_of(model, rows)
    cut = sorted(((number, text) for text, number in found if number > limit), reverse=True)
    if not cut:
        return []
    wanted = enough(limit, [number for _, number in found], plan.blueprint.base.positions)
    return [
        Finding(
            "truncated", len(cut), len(found), f"texts of the first {min(SAMPLED, len(rows)):,} test rows",
            f"are longer than the {limit:,} tokens that the model reads",
            tuple(example((f"{number:,} tokens", text)) for number, text in cut[:TOLD]),
            f"training.max_seq_length={wanted}" if wanted > limit else "",
        )
    ]  # fmt: skip


def enough(limit: int, lengths: list[int], most: int | None) -> int:
    """`limit` doubled until it holds nearly all of the `lengths`, or until the model can read no more."""
    needed = sorted(lengths)[int(ENOUGH * (len(lengths) - 1))]
    found = limit
    while found < needed or found == limit:
        found *= 2
    return min(found, most) if most else found
