"""What a data set is to the plan: files by split, where they come from, and the first rows of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.cache import digest_of, key_of
from stbench.errors import Problem

if TYPE_CHECKING:
    from stbench.data.collection import CollectionFiles

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Head:
    """The first rows of a split, its columns, and how many rows it has (estimated for very large files)."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    count: int
    exact: bool = True


@dataclass(frozen=True)
class Note:
    """What was made of the data before the plan looked at it: a line of the plan."""

    what: str
    value: str
    why: str = ""


@dataclass(frozen=True)
class Source:
    """The splits a data set comes with, as files that can be read."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    origin: str = ""
    """Where the rows come from, in words that hold no secret; empty: the files themselves."""
    inputs: tuple[Path, ...] = ()
    """The user's own files that the rows were read from."""
    collection: CollectionFiles | None = None
    """Documents, queries and judgements behind the rows of some splits."""
    notes: tuple[Note, ...] = ()
    untrainable: Problem | None = None
    """What to say to somebody who wants to train, where there are no rows for it."""

    def files(self, split: str) -> tuple[Path, ...]:
        found: tuple[Path, ...] = getattr(self, split)
        return found

    @property
    def splits(self) -> list[str]:
        return [split for split in SPLITS if self.files(split)]

    @property
    def name(self) -> str:
        """The origin, or the first file."""
        return self.origin or str(self.files(self.splits[0])[0])

    def digest(self) -> str:
        """Content of all files."""
        rows = [[split, digest_of(file)] for split in self.splits for file in self.files(split)]
        return key_of(*rows, self.collection.digest() if self.collection else None)
