"""Several data sets: each split and converted on its own, and nothing trained on in one that is held out in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from stbench.audit.cleaning import held_of, tidied
from stbench.cache import Store
from stbench.config.mixture import PARTS, telling
from stbench.data.convert import negatives_of
from stbench.data.positives import Positives, known_positives
from stbench.data.prepare import converted, divided, prepare
from stbench.data.rows import each
from stbench.data.searched import without_queries
from stbench.data.splits import Splits, anchors_of, content_hash
from stbench.errors import Problem, Refused
from stbench.models.miner import Miner, Rescorer
from stbench.models.teacher import Teacher
from stbench.plan.plan import DataPlan, Plan

LEAKED = "training rows that are held out in another part"


def prepare_all(
    plan: Plan, store: Store, miner: Miner | None, teacher: Teacher | None, rescorer: Rescorer | None = None
) -> Splits:
    """Clean splits; of a mixture those of the part that decides, with the splits of all parts in them.

    Raises `Refused` when rows cannot be read as the plan says, or when nothing is left of them.
    """
    if not plan.parts:
        return prepare(plan.data, store, miner, teacher, rescorer)
    parts, whole = {part.name: part.data for part in plan.parts}, dict[str, Splits]()
    for name, data in parts.items():
        with telling(name):
            whole[name] = divided(data)
    clean, known = _tidied(parts, without_leaks(whole), store), _positives(parts, whole)
    done: dict[str, Splits] = {}
    for name, data in parts.items():
        with telling(name):
            done[name] = converted(clean[name], data, store, miner, teacher, rescorer, known.get(name))
    counts = {f"{name}: {what}": number for name, one in done.items() for what, number in one.counts.items()}
    return replace(done[plan.part], parts=done, counts=counts)


def _tidied(parts: Mapping[str, DataPlan], splits: Mapping[str, Splits], store: Store) -> dict[str, Splits]:
    """Each part without the rows that it wants to be left out, those like held-out rows of another part among them."""
    held = {name: held_of(splits[name], data.cleaning.judged_by) for name, data in parts.items()}
    found: dict[str, Splits] = {}
    for name, data in parts.items():
        others = [one for other, some in held.items() if other != name for one in some]
        with telling(name):
            found[name] = tidied(splits[name], data.mapped["train"].shape, data.cleaning, store, others)
    return found


def _positives(parts: Mapping[str, DataPlan], splits: Mapping[str, Splits]) -> dict[str, Positives]:
    """What no part that mines may take for a negative, since it or another part says that it is a positive."""
    if not any(data.mining for data in parts.values()):
        return {}
    known = {name: known_positives(splits[name].whole, data.mapped) for name, data in parts.items()}
    return {
        name: own.with_those_of([one for other, one in known.items() if other != name], anchors_of(splits[name].train))
        for name, own in known.items()
        if parts[name].mining
    }


def without_leaks(parts: Mapping[str, Splits]) -> dict[str, Splits]:
    """`parts` without training rows whose texts stand side by side in the held-out rows of another part.

    The order of two texts does not count, nor does the shape of the rows: a pair is found in a list of documents too.

    Raises `Refused` when nothing is left of a part.
    """
    held = {
        name: {pair for rows in (one.validation, one.test) for pair in _pairs(each(rows))}
        for name, one in parts.items()
    }
    return {name: _without(name, one, parts, held) for name, one in parts.items()}


def _without(name: str, splits: Splits, parts: Mapping[str, Splits], held: Mapping[str, set[frozenset[str]]]) -> Splits:
    train = splits.train
    for other, pairs in held.items():
        if other != name:
            kept = [index for index, row in enumerate(each(train)) if pairs.isdisjoint(_pairs_of(row))]
            train = without_queries(train.select(kept), parts[other].collections)
    if not len(train):
        what = f"no training rows are left of {name}: other parts hold them out"
        raise Refused(Problem(what, f"{PARTS}.{name}", f"leave it out, or give more rows: {PARTS}.{name}.train=…"))
    leaked = len(splits.train) - len(train)
    return replace(splits, train=train, counts={**splits.counts, LEAKED: leaked}) if leaked else splits


def _pairs(rows: Iterable[Mapping[str, Any]]) -> Iterator[frozenset[str]]:
    return (pair for row in rows for pair in _pairs_of(row))


def _pairs_of(row: Mapping[str, Any]) -> Iterator[frozenset[str]]:
    """The first text beside each of the others, by content; a text that stands alone is by itself."""
    first, *others = [
        content_hash(text)
        for text in (
            *(row[name] for name in ("text", "translation", "anchor", "positive") if name in row),
            *(row.get("documents") or ()),
            *negatives_of(row),
        )
    ]
    return (frozenset((first, other)) for other in others or [first])
