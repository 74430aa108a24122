"""Everything that is wrong with the data of a run, each kind with its number, examples and the override that removes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from stbench.audit.cleaning import Held, held_of
from stbench.audit.entries import Entry, Unit, entries_of
from stbench.audit.finding import LEAK, TOLD, Audit, Example, Finding, example
from stbench.audit.leaks import Leak, leaks_of
from stbench.audit.positives import WITH_NEGATIVES, mistaken_negatives
from stbench.audit.repeats import LABELLED, contradictions, repeated
from stbench.cache import Store
from stbench.config.mixture import at_part
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.data.splits import Splits
    from stbench.plan.plan import DataPlan, Plan

UNITS: Mapping[Unit, str] = {"query": "queries", "pair": "pairs", "text": "texts"}
NAMES = {"test": (LEAK, "test"), "validation": ("selection_leak", "selection")}
"""Of a finding by held-out split, and what people call the split."""


def examine(plan: Plan, splits: Splits, store: Store) -> Audit:
    """What is wrong with `splits`; of a mixture with each part, whose samples may stand in any of them."""
    findings: list[Finding] = []
    for one in plan.alone:
        rows = splits.parts.get(one.part, splits)
        findings += _leaks(one, rows, plan, splits, store)
        findings += _repeats(one.data, _given(rows), one.part)
        findings += _negatives(one.data, rows, one.part)
    return Audit(tuple(findings), splits.counts, plan.part if plan.parts else "")


def _given(splits: Splits) -> Dataset:
    return splits.train if splits.given is None else splits.given


def _leaks(judged: Plan, rows: Splits, plan: Plan, splits: Splits, store: Store) -> Iterator[Finding]:
    """Held-out samples of one part in the training rows of all."""
    for held in held_of(rows, judged.evaluator.kind):
        found: list[tuple[str, Entry, Leak]] = []
        for one in plan.alone:
            ordered = one.data.mapped["train"].shape == "class_pair"
            entries = entries_of(_given(splits.parts.get(one.part, splits)), held.unit, ordered=ordered)
            found += [(one.part, entries[leak.entry], leak) for leak in leaks_of(entries, held.samples, store)]
        for split in dict.fromkeys(held.splits):
            own = [leak for leak in found if held.splits[leak[2].sample] == split]
            if own:
                yield _leak(own, held, split, judged.part if plan.parts else "")


def _leak(found: Sequence[tuple[str, Entry, Leak]], held: Held, split: str, part: str) -> Finding:
    exact = len({leak.sample for _, _, leak in found if leak.exact})
    number = len({leak.sample for _, _, leak in found})
    name, called = NAMES[split]
    parts = dict.fromkeys(origin for origin, _, _ in found)
    override = " ".join(at_part("dataset.leaks=drop", origin) if part else "dataset.leaks=drop" for origin in parts)
    return Finding(
        name, number, held.splits.count(split), f"{called} {UNITS[held.unit]}", _how(exact, number),
        tuple(_beside(entry, held.samples[leak.sample], called) for entry, leak in _telling(found)), override, part,
    )  # fmt: skip


def _how(exact: int, number: int) -> str:
    words = {"word for word": exact, "with about a word changed": number - exact}
    told = [how if some == number else f"{some:,} {how}" for how, some in words.items() if some]
    return f"stand in the training data{',' * (len(told) > 1)} {', '.join(told)}"


def _telling(found: Sequence[tuple[str, Entry, Leak]]) -> list[tuple[Entry, Leak]]:
    """A few leaks of different samples, of both kinds where there are both."""
    exact = {leak.sample: (entry, leak) for _, entry, leak in found if leak.exact}
    near = {leak.sample: (entry, leak) for _, entry, leak in found if leak.sample not in exact}
    turns = zip_longest(exact.values(), near.values())
    return [one for pair in turns for one in pair if one is not None][:TOLD]


def _beside(entry: Entry, sample: Entry, called: str) -> Example:
    same = [text for text in entry.mentions if content_hash(text) == content_hash(sample.texts[0])]
    trained = entry.texts if entry.texts and not (same and len(sample.texts) == 1) else same
    return example((called, " | ".join(sample.texts)), ("training", " | ".join(trained)))


def _repeats(data: DataPlan, rows: Dataset, part: str) -> Iterator[Finding]:
    shape = data.mapped["train"].shape
    column = "text" if "text" in rows.column_names else "anchor"
    # A collection says of each document that answers a query that it does.
    if data.searched is None and (again := repeated(rows, shape)):
        texts = [" | ".join(_texts(rows, row, shape)) for row in again[:TOLD]]
        what = "repeat the texts of another" if shape in LABELLED else f"repeat the {column} of another"
        yield Finding(
            "repeated", len(again), len(rows), "training rows", what,
            tuple(example(("training", text)) for text in texts),
            at_part("dataset.duplicates=drop", part) if part else "dataset.duplicates=drop", part,
        )  # fmt: skip
    if found := contradictions(rows, shape):
        number = len({said.row for some in found for said in some})
        names = data.mapped["train"].classes
        yield Finding(
            "contradictions", number, len(rows), "training rows", "say of the same texts what another denies",
            tuple(
                example((" and ".join(sorted({_value(said.value, names) for said in some})), " | ".join(some[0].texts)))
                for some in found[:TOLD]
            ),
            at_part("dataset.contradictions=drop", part) if part else "dataset.contradictions=drop", part,
        )  # fmt: skip


def _texts(rows: Dataset, row: int, shape: str) -> list[str]:
    found = rows[row]
    names = ("anchor", "positive") if shape in LABELLED else ("text",) if "text" in found else ("anchor",)
    return [found[name] for name in names]


def _value(value: float, classes: Sequence[str]) -> str:
    return classes[int(value)] if 0 <= value < len(classes) else f"{value:g}"


def _negatives(data: DataPlan, splits: Splits, part: str) -> Iterator[Finding]:
    """Mined ones, and those that came as negatives; given labels are somebody's judgement of each pair."""
    given = data.mapped["train"].shape in ("triplet", "n_tuple")
    if data.shape not in WITH_NEGATIVES or not (given or data.mining):
        return
    rows = _given(splits) if given else splits.train
    if found := mistaken_negatives(rows):
        yield Finding(
            "near_positives", len({one.row for one in found}), len(rows), "training rows", "have a negative that is a positive, or nearly one",
            tuple(
                example(("query", one.query), ("negative", one.negative), ("positive", one.positive))
                for one in found[:TOLD]
            ),
            "negatives.near_positives=drop", part,
        )  # fmt: skip
