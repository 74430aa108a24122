"""Documents that negatives are mined from beside those of the training rows: files with a column of texts, or a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stbench.cache import Store, digest_of, key_of
from stbench.data.collection import TEXT_NAMES, CollectionFiles, read_corpus
from stbench.data.roles import USUAL_NAMES
from stbench.data.sources import head, load
from stbench.data.sources.files import named_files
from stbench.errors import Problem, Refused


@dataclass(frozen=True)
class Corpus:
    """Where the documents lie; they are read when they are mined."""

    files: tuple[Path, ...]
    count: int
    column: str = ""
    collection: CollectionFiles | None = None
    """The collection whose corpus it is, which is read as all of the collection is."""

    @property
    def name(self) -> str:
        return ", ".join(file.name for file in self.files)

    @property
    def digest(self) -> str:
        """Content of the files, and how they are read."""
        titles = self.collection.titles if self.collection else None
        return key_of([digest_of(file) for file in self.files], self.column, titles)

    def read(self) -> list[str]:
        """Its texts, each once; empty ones are left out."""
        if self.collection is not None:
            texts = list(read_corpus(self.collection.corpus, self.collection.titles).values())
        else:
            texts = [str(text) for text in load(self.files)[self.column] if text is not None]
        return list(dict.fromkeys(text for text in texts if text.strip()))


def corpus_of(collection: CollectionFiles, documents: int) -> Corpus:
    """All documents of a collection."""
    return Corpus((collection.corpus,), documents, collection=collection)


def find_corpus(names: Sequence[str], positive: str | None, store: Store) -> Corpus:
    """The files `names`; their texts stand in the column that the training rows call `positive`, or in a usual one.

    Raises `Refused` for files that are missing or cannot be read, or whose texts nobody can tell.
    """
    option = "negatives.corpus"
    files = named_files(names, option, store)
    found = head(files, option)
    by_name = {column.lower(): column for column in found.columns}
    usual = [by_name[name] for name in ("text", *USUAL_NAMES["positive"], *TEXT_NAMES) if name in by_name]
    columns = [*([positive] if positive in found.columns else []), *usual, *found.columns[: len(found.columns) == 1]]
    if not columns:
        what = f"no column of {files[0].name} was recognised as its texts ({', '.join(found.columns)})"
        raise Refused(Problem(what, f"{option}={names[0]}", "call that column 'text'"))
    return Corpus(files, found.count, columns[0])
