"""Small parts of real rows, large enough for a real batch, small enough for a minute."""

from __future__ import annotations

from dataclasses import replace

from stbench.data.collection import Collection
from stbench.data.splits import Splits, anchors_of, content_hash
from stbench.plan.plan import DataPlan, TrainingPlan

LEAST = 256
"""Training rows of a slice."""
COSTLY = 1024
"""The most that go through a miner or a teacher."""
HELD = 96
"""Held-out rows of a slice."""
DOCUMENTS = 500
"""Documents of a collection that they search."""


def training_slice(splits: Splits, data: DataPlan, training: TrainingPlan, steps: int) -> Splits:
    """`splits` with as many training rows as `steps` and one more step read, fewer where each costs a model's pass."""
    batch = training.batch_size * training.gradient_accumulation
    costly = any(step.mines or step.asks_teacher for step in data.steps)
    wanted = max(LEAST, min(batch, COSTLY) if costly else batch * (steps + 1))
    return replace(splits, train=splits.train.select(range(min(wanted, len(splits.train)))))


def held_out_slice(splits: Splits, split: str) -> tuple[Splits, float]:
    """(`splits` with a part of the rows of `split`, how many times as much the whole is)."""
    rows = getattr(splits, split)
    some = rows.select(range(min(HELD, len(rows))))
    collections, factor = dict(splits.collections), len(rows) / len(some)
    if whole := collections.get(split):
        part = _asked(whole, {content_hash(anchor) for anchor in anchors_of(some)})
        collections[split], factor = part, _texts(whole) / _texts(part)
    return replace(splits, **{split: some}, collections=collections), factor


def _asked(whole: Collection, anchors: set[str]) -> Collection:
    kept = whole.restricted(key for key, text in whole.queries.items() if content_hash(text) in anchors)
    return kept.bounded(DOCUMENTS)


def _texts(found: Collection) -> int:
    return len(found.corpus) + len(found.queries)
