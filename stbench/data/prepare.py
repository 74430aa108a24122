"""From the plan to splits that can be trained on: load, map, clean, hold out, convert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stbench.audit.cleaning import tidied
from stbench.cache import Store
from stbench.data.convert import convert
from stbench.data.mining import Pool, mine
from stbench.data.positives import Positives, known_positives
from stbench.data.searched import with_collections
from stbench.data.sources import load
from stbench.data.splits import Splits, split
from stbench.models.miner import Miner, Rescorer
from stbench.models.teacher import Teacher
from stbench.plan.plan import DataPlan


def prepare(
    data: DataPlan, store: Store, miner: Miner | None, teacher: Teacher | None = None, rescorer: Rescorer | None = None
) -> Splits:
    """Clean splits, the training rows in the shape that the loss takes.

    Raises `Refused` when rows cannot be read as the plan says, or when nothing is left of them.
    """
    splits = tidied(divided(data), data.mapped["train"].shape, data.cleaning, store)
    return converted(splits, data, store, miner, teacher, rescorer)


def divided(data: DataPlan) -> Splits:
    """Clean splits, the training rows in the shape that they came in."""
    loaded = {name: load(data.source.files(name)) for name in data.source.splits}
    splits = split(loaded, data.mapped, data.sizes)
    return splits if data.searched is None else with_collections(splits, data.searched)


def converted(
    splits: Splits,
    data: DataPlan,
    store: Store,
    miner: Miner | None,
    teacher: Teacher | None = None,
    rescorer: Rescorer | None = None,
    known: Positives | None = None,
) -> Splits:
    """`splits` with the training rows in the shape that the loss takes.

    `known` is what must not be mined as a negative; without it what the rows themselves say.
    """
    train, counts = splits.train, dict(splits.counts)
    for step in data.steps:
        if step.mines and miner is not None and data.mining is not None:
            pool = Pool(known or known_positives(splits.whole, data.mapped), data.corpus)
            mined = mine(train, step.target, data.mining, miner, store, pool, rescorer)
            train, counts = mined.rows, {**counts, **mined.counts}
        elif step.asks_teacher and teacher is not None:
            train = teacher.answer(train, step, store)
        else:
            train = convert(train, step, data.mapped["train"].classes, data.seed)
    return replace(splits, train=train, counts=counts, given=splits.train)


def describe(splits: Splits, steps: Sequence[object]) -> str:
    """One line on what there is."""
    number = f"{splits.training_rows:,} training"
    if splits.parts:
        number += " (" + ", ".join(f"{len(part.train):,} {name}" for name, part in splits.parts.items()) + ")"
    sizes = f"{number}, {len(splits.validation):,} selection, {len(splits.test):,} test rows"
    return sizes + (" after conversion" if steps else "")
