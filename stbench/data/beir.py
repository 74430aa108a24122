"""A folder in BEIR's layout as a data set: corpus.jsonl, queries.jsonl, qrels/{train,dev,test}.tsv.

Training rows are the relevant pairs of the training judgements. The first judgements that there are, in the order train,
dev, test, are what is trained on; where nothing else is left to select or to test by, some of their queries are held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stbench.config.suggest import closest
from stbench.data.collection import CollectionFiles
from stbench.errors import Problem, Refused

QRELS = {"train": ("train",), "validation": ("dev", "validation", "valid", "val"), "test": ("test",)}
"""Names of the judgement files by split."""
ENDINGS = (".tsv", ".txt", ".qrels", ".trec", ".tsv.gz", ".txt.gz")
TEXT_ENDINGS = (".jsonl", ".tsv", ".jsonl.gz", ".tsv.gz")


def find(folder: str, titles: bool) -> CollectionFiles:
    """The files of the collection in `folder`, by the parts they play in training.

    Raises `Refused` when the folder or one of its parts is missing, all of them at once.
    """
    found = as_named(folder, titles)
    return replace(found, qrels=_as_splits(found.qrels))


def as_named(folder: str, titles: bool) -> CollectionFiles:
    """The same files by the names of their judgements: those called test are the test's, though there are no others."""
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise Refused(_no_folder(folder, place))
    corpus, queries = (_one(place, name, TEXT_ENDINGS) for name in ("corpus", "queries"))
    qrels = {split: found for split, names in QRELS.items() if (found := _any(place / "qrels", names))}
    missing = [f"{name}.jsonl" for name, found in (("corpus", corpus), ("queries", queries)) if found is None]
    missing += [] if qrels else ["qrels/test.tsv"]
    if missing or corpus is None or queries is None:
        inside = sorted(item.relative_to(place).as_posix() for item in place.rglob("*") if item.is_file())
        there = ", ".join(inside[:8]) or "nothing"
        what = f"this folder has no {' and no '.join(missing)} (in it: {there})"
        raise Refused(Problem(what, f"dataset.path={folder}", "a folder in BEIR's layout has all three"))
    return CollectionFiles(corpus, queries, qrels, titles)


def _as_splits(qrels: Mapping[str, Path]) -> dict[str, Path]:
    """The first of train, dev and test is trained on; dev judgements select the checkpoint where train ones come before."""
    first, *rest = qrels
    return {"train": qrels[first], **{split: qrels[split] for split in rest}}


def _one(place: Path, name: str, endings: Sequence[str]) -> Path | None:
    return next((file for ending in endings if (file := place / f"{name}{ending}").is_file()), None)


def _any(place: Path, names: Sequence[str]) -> Path | None:
    return next((file for name in names if (file := _one(place, name, ENDINGS))), None)


def _no_folder(folder: str, place: Path) -> Problem:
    siblings = [item.name for item in place.parent.iterdir() if item.is_dir()] if place.parent.is_dir() else []
    match = closest(place.name, siblings)
    mend = f"did you mean dataset.path={place.with_name(match)}?" if match else "name a folder in BEIR's layout"
    return Problem("there is no such folder", f"dataset.path={folder}", mend)
