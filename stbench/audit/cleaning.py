"""Leaves out of the training rows what an audit would find in them, where the sentence says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from stbench.audit.entries import Entry, Unit, entries_of, samples_of, unit_of
from stbench.audit.leaks import leaks_of
from stbench.audit.positives import mistaken_negatives
from stbench.audit.repeats import contradictions, repeated
from stbench.cache import Store
from stbench.config.sentence import Shape
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.data.splits import Splits

ROUNDS = 5
"""Without some rows other words are rare ones, so that a few more rows can come to be like held-out ones."""
NOT_OWN = ("nano_beir",)
"""Kinds of evaluators that judge by samples of their own."""


@dataclass(frozen=True)
class Cleaning:
    """What becomes of faulty training rows."""

    leaks: Literal["report", "drop"] = "report"
    duplicates: Literal["keep", "drop"] = "keep"
    contradictions: Literal["keep", "drop"] = "keep"
    near_positives: Literal["keep", "drop"] = "keep"
    judged_by: str = ""
    """Kind of the evaluator of the held-out rows: it decides what a leak is."""


@dataclass(frozen=True)
class Held:
    """Samples of held-out rows that are compared in the same way."""

    unit: Unit
    samples: list[Entry]
    splits: list[str]
    """Of each sample."""


def held_of(splits: Splits, kind: str) -> list[Held]:
    """The samples of both held-out splits, those of one unit together; none where others judge."""
    by_unit: dict[Unit, Held] = {}
    for name in () if kind in NOT_OWN else ("test", "validation"):
        rows: Dataset = getattr(splits, name)
        unit = unit_of(rows.column_names, kind)
        held = by_unit.setdefault(unit, Held(unit, [], []))
        found = samples_of(rows, unit)
        held.samples.extend(found)
        held.splits.extend([name] * len(found))
    return list(by_unit.values())


def tidied(splits: Splits, shape: Shape, cleaning: Cleaning, store: Store, others: Iterable[Held] = ()) -> Splits:
    """`splits` without the training rows that `cleaning` leaves out; their rows have the shape `shape`.

    `others` are held-out samples of other data sets that must not be trained on either.

    Raises `Refused` when nothing is left.
    """
    train, counts = faultless(splits.train, shape, cleaning)
    if cleaning.leaks == "drop":
        held = [*held_of(splits, cleaning.judged_by), *others]
        train, number = _without_leaks(train, shape, held, store)
        counts |= {"training rows like held-out ones, left out": number}
    if not len(train):
        what, mend = (
            "all training rows are left out",
            "dataset.leaks=report dataset.duplicates=keep dataset.contradictions=keep",
        )
        raise Refused(Problem(what, "dataset", mend))
    return replace(
        splits, train=train, counts={**splits.counts, **{what: some for what, some in counts.items() if some}}
    )


def faultless(train: Dataset, shape: Shape, cleaning: Cleaning) -> tuple[Dataset, dict[str, int]]:
    """(`train` without what `cleaning` leaves out of it; how many rows these were, by reason)."""
    counts: dict[str, int] = {}
    if cleaning.contradictions == "drop":
        rows = {said.row for some in contradictions(train, shape) for said in some}
        train = _without(train, rows)
        counts["training rows that contradict each other, left out"] = len(rows)
    if cleaning.duplicates == "drop":
        again = repeated(train, shape)
        train = _without(train, again)
        counts["training rows with the texts of another, left out"] = len(again)
    if cleaning.near_positives == "drop" and shape in ("triplet", "n_tuple"):
        wrong = {one.row for one in mistaken_negatives(train)}
        train = _without(train, wrong)
        counts["training rows with a positive among the negatives, left out"] = len(wrong)
    return train, {what: number for what, number in counts.items() if number}


def _without_leaks(train: Dataset, shape: Shape, held: Sequence[Held], store: Store) -> tuple[Dataset, int]:
    before = len(train)
    for _ in range(ROUNDS):
        leaking: set[int] = set()
        for one in held:
            entries = entries_of(train, one.unit, ordered=shape == "class_pair")
            leaking |= {entries[leak.entry].row for leak in leaks_of(entries, one.samples, store)}
        if not leaking:
            break
        train = _without(train, leaking)
    return train, before - len(train)


def _without(rows: Dataset, left_out: Collection[int]) -> Dataset:
    out = set(left_out)
    return rows.select([row for row in range(len(rows)) if row not in out]) if out else rows
