"""Folders written by `save_to_disk` of the library `datasets`: one data set, or one for each split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.suggest import closest
from stbench.data.sources.source import Source
from stbench.data.sources.splits import note_of, splits_of, untrainable
from stbench.errors import Problem, Refused

_STATE, _SPLITS = "state.json", "dataset_dict.json"


def opened(choice: DatasetChoice, _: Store) -> Source:
    """The Arrow files of the folder `choice.path`, read where they lie.

    Raises `Refused` when the folder is no such data set, or lacks a split that is asked for.
    """
    where = f"dataset.path={choice.path}"
    places = _places(Path(choice.path or "").expanduser(), where)
    chosen = splits_of(choice, list(places), where)
    files = {split: tuple(file for name in names for file in _files(places[name])) for split, names in chosen.items()}
    return Source(
        files["train"], files["validation"], files["test"], origin=str(choice.path), inputs=tuple(file for some in files.values() for file in some),
        notes=(note_of(chosen, list(places)),) if len(places) > 1 else (),
        untrainable=None if files["train"] else untrainable(list(places), where),
    )  # fmt: skip


def _places(folder: Path, where: str) -> Mapping[str, Path]:
    """Folders by the name of their split; a data set that was saved without splits is one to train on."""
    if (folder / _STATE).is_file():
        return {"train": folder}
    if not (folder / _SPLITS).is_file():
        raise Refused(_no_data_set(folder, where))
    places = {str(name): folder / str(name) for name in _read(folder / _SPLITS)["splits"]}
    if lacking := [name for name, place in places.items() if not (place / _STATE).is_file()]:
        raise Refused(Problem(f"its split {lacking[0]} is not there", where, "copy or save the folder anew"))
    return places


def _files(folder: Path) -> list[Path]:
    files = [folder / str(item["filename"]) for item in _read(folder / _STATE)["_data_files"]]
    if not files:
        raise Refused(
            Problem("this split has no rows", str(folder), "name another: dataset.train=SPLIT, or [] for none")
        )
    if lacking := [file for file in files if not file.is_file()]:
        raise Refused(
            Problem("this part of the data set is not there", str(lacking[0]), "copy or save the folder anew")
        )
    return files


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(Problem(f"this is not JSON: {error}", str(file), "copy or save the folder anew")) from None


def _no_data_set(folder: Path, where: str) -> Problem:
    if folder.is_file():
        return Problem("this is a file", where, f"dataset=files dataset.train={folder}")
    if not folder.is_dir():
        siblings = [item.name for item in folder.parent.iterdir() if item.is_dir()] if folder.parent.is_dir() else []
        match = closest(folder.name, siblings)
        mend = f"did you mean dataset.path={folder.parent / match}?" if match else "give a folder made by save_to_disk"
        return Problem("there is no such folder", where, mend)
    inside = sorted(file.parent for name in (_SPLITS, _STATE) for file in folder.glob(f"*/{name}"))
    if inside:
        return Problem("this folder holds no data set itself", where, f"did you mean dataset.path={inside[0]}?")
    tables = sorted(file for file in folder.iterdir() if file.suffix in (".csv", ".jsonl", ".json", ".parquet", ".tsv"))
    if tables:
        mend = f"dataset=files dataset.train={tables[0]}"
        return Problem("this folder was not written by save_to_disk", where, mend)
    mend = "give a folder with state.json or dataset_dict.json in it"
    return Problem("this folder was not written by save_to_disk", where, mend)
