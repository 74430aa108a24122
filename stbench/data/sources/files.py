"""The user's own files, by split: named one by one or by a pattern, packed or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.suggest import closest
from stbench.data.sources.packed import PACKED, unpacked
from stbench.data.sources.source import SPLITS, Source
from stbench.errors import Problem, Refused

SUFFIXES = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet", ".arrow": "arrow"}


def opened(choice: DatasetChoice, store: Store) -> Source:
    """The files that `choice` names, packed ones unpacked into the store.

    Raises `Refused` for files that are missing or of an unknown kind, all of them at once.
    """
    problems: list[Problem] = []
    named = {split: list(_files(getattr(choice, split) or [], f"dataset.{split}", problems)) for split in SPLITS}
    lacking = Problem("no file to train on", "dataset.train", "dataset.train=pairs.csv")
    if not any(named.values()) and not problems:
        mend = "dataset.train=pairs.csv, or dataset.test=pairs.csv where nothing is trained"
        problems.append(Problem("no file is named", "dataset.train", mend))
    if problems:
        raise Refused(*problems)
    found: dict[str, Any] = {split: tuple(unpacked(file, store) for file in files) for split, files in named.items()}
    inputs = tuple(file for files in named.values() for file in files)
    return Source(**found, inputs=inputs, untrainable=None if named["train"] else lacking)


def named_files(names: Sequence[str], option: str, store: Store) -> tuple[Path, ...]:
    """The files that `option` names; raises as `opened` does."""
    problems: list[Problem] = []
    found = list(_files(names, option, problems))
    if problems:
        raise Refused(*problems)
    return tuple(unpacked(file, store) for file in found)


def delimiter_of(file: Path) -> str:
    return "\t" if file.suffix == ".tsv" else ","


def _files(names: Sequence[str], option: str, problems: list[Problem]) -> Iterator[Path]:
    for name in names:
        found = _found(name, option)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            yield from found


def _found(name: str, option: str) -> list[Path] | Problem:
    """The files of one name or pattern, in the order of their names."""
    path = Path(name).expanduser()
    # A file may have brackets in its name.
    if path.exists() or not has_magic(name):
        return _file(path, f"{option}={name}", option)
    found = [_file(Path(item), f"{option}={item}", option) for item in sorted(glob(str(path), recursive=True))]
    if wrong := next((item for item in found if isinstance(item, Problem)), None):
        return wrong
    none = Problem("no file has a name like this", f"{option}={name}", _there(_first_folder(path)))
    return [file for files in found if isinstance(files, list) for file in files] or none


def _first_folder(pattern: Path) -> Path:
    """The last folder of a pattern that is named in full."""
    return next(folder for folder in pattern.parents if not has_magic(str(folder)))


def _file(path: Path, where: str, option: str) -> list[Path] | Problem:
    if path.is_file() and kind_of(path):
        return [path]
    if path.is_file():
        known = [*SUFFIXES, *(f".jsonl{packed}" for packed in PACKED)]
        return Problem(f"files of the kind '{path.suffix}' cannot be read", where, f"use one of {', '.join(known)}")
    if path.is_dir():
        return _folder(path, where, option)
    siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    if match := closest(path.name, siblings):
        return Problem("there is no such file", where, f"did you mean {option}={path.with_name(match)}?")
    return Problem("there is no such file", where, _there(path.parent))


def kind_of(path: Path) -> str | None:
    """csv, json, parquet or arrow, packed or not; None when the name says that it is none of them."""
    return SUFFIXES.get(Path(path.stem).suffix if path.suffix in PACKED else path.suffix)


def _folder(path: Path, where: str, option: str) -> Problem:
    if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
        return Problem("this folder was written by save_to_disk", where, f"dataset=disk dataset.path={path}")
    kinds = [item.suffix for item in sorted(path.iterdir()) if kind_of(item)]
    mend = f"{option}={path}/*{kinds[0]} takes all of them" if kinds else _there(path)
    return Problem("this is a folder", where, mend)


def _there(folder: Path) -> str:
    names = sorted(item.name for item in folder.iterdir()) if folder.is_dir() else []
    readable = [name for name in names if kind_of(Path(name))][:8]
    return f"in {folder.resolve()} there is {', '.join(readable) or 'none'}"
