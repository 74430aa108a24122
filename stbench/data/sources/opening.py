"""From the words of a sentence to a `Source`: each kind of data set knows how its splits become files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from stbench.cache import Store, digest_of, key_of
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data.sources import disk, files, hub, sql
from stbench.data.sources.lists import normalised
from stbench.data.sources.source import Source
from stbench.errors import Problem, Refused


def open_source(choice: DatasetChoice, store: Store, trains: bool = True) -> Source:
    """The files behind `choice`; what is no file on disk yet is made one in the store first.

    Raises `Refused` for what is missing or cannot be read, all of it at once; training rows are missed if `trains`.
    """
    source = _OPENERS[choice.source](choice, store)
    if trains and source.untrainable is not None:
        raise Refused(source.untrainable)
    return normalised(source, choice.num_negatives, store)


def python_docs(_: DatasetChoice, store: Store) -> Source:
    """Docstrings and code of the Python that runs this."""
    import platform

    from stbench.data import python_docs as documents

    def build(folder: Path) -> None:
        with (folder / "python_docs.jsonl").open("w", encoding="utf-8") as stream:
            for row in documents.extract():
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    key = key_of("python_docs", platform.python_version(), digest_of(Path(documents.__file__)))
    return Source(train=(store.product("data", key, build) / "python_docs.jsonl",))


def collection(choice: DatasetChoice, store: Store) -> Source:
    """The relevant pairs of a collection in BEIR's layout."""
    from stbench.data import beir
    from stbench.data.collection_pairs import relevant_pairs

    found = beir.find(choice.path or "", choice.titles)
    rows = {split: (file,) for split, file in relevant_pairs(found, store).files.items()}
    return Source(
        rows["train"], rows.get("validation", ()), rows.get("test", ()), origin=str(choice.path), inputs=found.files,
        collection=found,
    )  # fmt: skip


def several(_: DatasetChoice, store: Store) -> Source:
    """Training looks at the parts of a mixture one by one; whatever else there is to do takes one data set."""
    mend = "name one of its parts: dataset=files dataset.test=FILE, or dataset=NAME"
    raise Refused(Problem("a mixture is there to train on, and this takes one data set", "dataset=mixture", mend))


_OPENERS: dict[str, Callable[[DatasetChoice, Store], Source]] = {
    "python_docs": python_docs,
    "files": files.opened,
    "beir": collection,
    "disk": disk.opened,
    "sql": sql.opened,
    "hub": hub.opened,
    "mixture": several,
}
