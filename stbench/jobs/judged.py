"""Which rows a model is judged by where nothing is trained: all test rows, or those that training would have held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.sentence import Roles, Sentence
from stbench.data.collection import CollectionFiles
from stbench.data.roles import Mapped, map_roles
from stbench.data.searched import collections_of
from stbench.data.sources import Head, Source, head, load, open_source
from stbench.data.splits import Splits, whole
from stbench.plan.own_collection import own_files
from stbench.plan.plan import DataPlan


@dataclass(frozen=True)
class Judged:
    """The files that the judged rows come from."""

    source: Source
    """Only what is read."""
    split: str
    """The split that plays the test, by the name it has in the data set."""
    whole: bool
    """Whether all of its rows are judged; if not, those that a training run holds out for its verdict."""
    trained: tuple[Path, ...] = ()
    """Files to train on, which tell the ids of classes and the range of scores."""
    own: bool = False
    """Whether it is a collection that the evaluator brings, beside whatever data set was said."""


def judged(sentence: Sentence, store: Store) -> Judged:
    """The evaluator's own collection; else test rows where there are any; else what training would hold out of the others,
    so that a trained model is never judged by rows it has learnt; else all validation rows.

    Raises `Refused` as `open_source` does.
    """
    choice = sentence.dataset
    if (own := own_files(sentence.evaluator)) is not None:
        return replace(_alone_of(own, "test", str(sentence.evaluator.corpus), store), own=True)
    if choice.source == "beir":
        return _of_collection(choice, store)
    source = open_source(choice, store, trains=False)
    if source.test or not source.train:
        split = "test" if source.test else "validation"
        return Judged(_alone(source, source.files(split)), split, whole=True, trained=source.train)
    return Judged(source, "validation" if source.validation else "train", whole=False, trained=source.train)


def _alone(source: Source, files: tuple[Path, ...]) -> Source:
    return replace(source, train=(), validation=(), test=files)


def _of_collection(choice: DatasetChoice, store: Store) -> Judged:
    """Judgements go by the names of their files here: a lone test.tsv is judged as a whole."""
    from stbench.data import beir

    files = beir.as_named(choice.path or "", choice.titles)
    split = "test" if "test" in files.qrels else "validation"
    if split not in files.qrels or (split == "validation" and "train" in files.qrels):
        return Judged(open_source(choice, store), "validation" if split in files.qrels else "train", whole=False)
    return _alone_of(files, split, str(choice.path), store)


def _alone_of(files: CollectionFiles, split: str, origin: str, store: Store) -> Judged:
    """The queries that one file of judgements knows."""
    from stbench.data.collection_pairs import relevant_pairs

    alone = replace(files, qrels={"test": files.qrels[split]})
    rows = relevant_pairs(alone, store).files["test"]
    return Judged(Source((), (), (rows,), origin=origin, inputs=alone.files, collection=alone), split, whole=True)


def read_heads(found: Judged, sentence: Sentence) -> tuple[dict[str, Head], dict[str, Mapped]]:
    """First rows and roles of each split that is read; classes and the range of scores are those of the training rows."""
    source, choice = found.source, sentence.dataset
    roles, classes = (Roles(), None) if found.own else (choice.roles, choice.classes)
    heads = {split: head(source.files(split), split) for split in source.splits}
    known = _training_rows(found, sentence)
    mapped = {}
    for split, rows in heads.items():
        said = classes or (list(known.classes) if known else None) or None
        own = map_roles(rows.rows, rows.columns, roles, said, f"dataset.{split}")
        mapped[split] = replace(own, score_range=(known.score_range if known else None) or own.score_range)
    return heads, mapped


def _training_rows(found: Judged, sentence: Sentence) -> Mapped | None:
    if not found.trained:
        return None
    rows = head(found.trained, "train")
    return map_roles(rows.rows, rows.columns, sentence.dataset.roles, sentence.dataset.classes, found.trained[0].name)


def judged_rows(data: DataPlan, is_whole: bool, store: Store) -> Splits:
    """The judged rows as the test split; the other splits are empty, or what training would make of them.

    Raises `Refused` when no row is left.
    """
    if not is_whole:
        from stbench.data.prepare import prepare

        return prepare(data, store, None)
    counts: dict[str, int] = {}
    rows = whole(load(data.source.files("test")), data.mapped["test"], data.sizes, counts)
    collections = collections_of(data.searched, {"test": rows}) if data.searched else {}
    nothing = rows.select([])
    return Splits(nothing, nothing, rows, data.shape, counts, collections)


def shape_of_test(mapped: Mapping[str, Mapped]) -> Mapped:
    """Roles and shape of the judged rows."""
    return next(mapped[split] for split in ("test", "validation", "train") if split in mapped)
