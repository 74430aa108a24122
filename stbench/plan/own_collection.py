"""A collection of the user's own that judges whatever was trained on: evaluator.corpus, evaluator.queries, evaluator.qrels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stbench.cache import Store
from stbench.config.sentence import Evaluator, Roles, Shape
from stbench.config.suggest import closest
from stbench.data.collection import CollectionFiles
from stbench.data.collection_pairs import relevant_pairs
from stbench.data.roles import Mapped, map_roles
from stbench.data.shapes import path
from stbench.data.sources import Head, Source, head
from stbench.errors import Problem, Refused

PARTS = ("corpus", "queries", "qrels")
SEARCHABLE: tuple[Shape, ...] = ("pair", "triplet", "n_tuple", "ranked_list")
"""Shapes of rows that can be judged as those of a collection are."""


@dataclass(frozen=True)
class Held:
    """A source with its heads and roles, by split."""

    source: Source
    heads: dict[str, Head]
    mapped: dict[str, Mapped]


def judged_by_own_collection(given: Held, choice: Evaluator, store: Store) -> Held:
    """`given` with the collection of `choice`, if there is one, as its test split.

    The checkpoint is chosen by `evaluator.selection_qrels`, else by the data's own selection rows; where those cannot be
    judged in the same way, by half of the collection's queries. Raises `Refused` when a part is missing or cannot be read.
    """
    files = own_files(choice)
    if files is None:
        return given
    if "validation" not in files.qrels and not _searchable(given.mapped):
        files = replace(files, qrels={"validation": files.qrels["test"]})
    pairs = relevant_pairs(files, store).files
    rows: dict[str, tuple[Path, ...]] = {"test": (), **{split: (file,) for split, file in pairs.items()}}
    source = replace(given.source, **rows, collection=files, inputs=(*given.source.inputs, *files.files))  # type: ignore[arg-type]
    heads, mapped = dict(given.heads), dict(given.mapped)
    for split, found in rows.items():
        heads.pop(split, None), mapped.pop(split, None)
        if found:
            heads[split] = head(found, split)
            mapped[split] = map_roles(
                heads[split].rows, heads[split].columns, Roles(), None, f"evaluator.qrels ({split})"
            )
    return Held(source, heads, mapped)


def own_files(choice: Evaluator) -> CollectionFiles | None:
    """The files that `choice` names; None when it names none."""
    named = {part: getattr(choice, part) for part in (*PARTS, "selection_qrels")}
    if not any(named.values()):
        return None
    problems = [_missing(part, named) for part in PARTS if not named[part]]
    places = {part: Path(name).expanduser() for part, name in named.items() if name}
    problems += [_no_file(part, place) for part, place in places.items() if not place.is_file()]
    if problems:
        raise Refused(*problems)
    qrels = {"test": places["qrels"]}
    if "selection_qrels" in places:
        qrels = {"validation": places["selection_qrels"], **qrels}
    return CollectionFiles(places["corpus"], places["queries"], qrels, choice.titles)


def _searchable(mapped: Mapping[str, Mapped]) -> bool:
    shape = mapped.get("validation", mapped["train"]).shape
    return path(shape, SEARCHABLE, ()) is not None


def _missing(part: str, named: Mapping[str, str | None]) -> Problem:
    there = ", ".join(f"evaluator.{name}" for name, value in named.items() if value)
    kinds = {"corpus": "documents", "queries": "queries", "qrels": "judgements"}
    what = f"a collection needs {kinds[part]} too (there is {there})"
    return Problem(what, f"evaluator.{part}", f"evaluator.{part}=FILE")


def _no_file(part: str, place: Path) -> Problem:
    siblings: Sequence[str] = [item.name for item in place.parent.iterdir()] if place.parent.is_dir() else []
    match = closest(place.name, siblings)
    mend = (
        f"did you mean evaluator.{part}={place.with_name(match)}?"
        if match
        else "name a file in BEIR's or TREC's format"
    )
    return Problem("there is no such file", f"evaluator.{part}={place}", mend)
