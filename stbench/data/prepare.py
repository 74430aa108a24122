"""From the plan to splits that can be trained on: load, map, clean, hold out, convert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stbench.cache import Store
from stbench.data.convert import convert
from stbench.data.mining import mine
from stbench.data.searched import with_collections
from stbench.data.sources import load
from stbench.data.splits import Splits, split
from stbench.models.miner import Miner
from stbench.models.teacher import Teacher
from stbench.plan.plan import DataPlan


def prepare(data: DataPlan, store: Store, miner: Miner | None, teacher: Teacher | None = None) -> Splits:
    """Clean splits, the training rows in the shape that the loss takes.

    Raises `Refused` when rows cannot be read as the plan says, or when nothing is left of them.
    """
    loaded = {name: load(data.source.files(name)) for name in data.source.splits}
    splits = split(loaded, data.mapped, data.sizes)
    if data.searched is not None:
        splits = with_collections(splits, data.searched)
    train, shortfall = splits.train, 0
    for step in data.steps:
        if step.mines and miner is not None and data.mining is not None:
            mined = mine(train, step.target, data.mining, miner, store)
            train, shortfall = mined.rows, mined.shortfall
        elif step.asks_teacher and teacher is not None:
            train = teacher.answer(train, step, store)
        else:
            train = convert(train, step, data.mapped["train"].classes, data.seed)
    counts = dict(splits.counts)
    if shortfall:
        counts["queries without enough admissible negatives, left out"] = shortfall
    return replace(splits, train=train, counts=counts)


def describe(splits: Splits, steps: Sequence[object]) -> str:
    """One line on what there is."""
    sizes = f"{len(splits.train):,} training, {len(splits.validation):,} selection, {len(splits.test):,} test rows"
    return sizes + (" after conversion" if steps else "")
