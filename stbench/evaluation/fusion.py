"""Reciprocal rank fusion: two rankings made one by the ranks alone (Cormack, Clarke & Büttcher 2009)."""

from __future__ import annotations

from collections.abc import Sequence

FUSED = "fused with BM25"
CONSTANT = 60
"""The constant of the paper."""


def fused(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Ids of both rankings, each worth 1 / (60 + rank) in either; among equals those of `first` come first."""
    worth: dict[str, float] = {}
    for ranking in (first, second):
        for rank, key in enumerate(ranking, 1):
            worth[key] = worth.get(key, 0.0) + 1 / (CONSTANT + rank)
    return sorted(worth, key=lambda key: -worth[key])
