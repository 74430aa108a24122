"""Where rows come from: a look at the head for the plan, and the whole as a `datasets.Dataset` for the run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.cache import Store, digest_of, key_of
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.suggest import closest
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset

HEAD_ROWS = 2000
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet", ".arrow": "arrow"}


@dataclass(frozen=True)
class Head:
    """The first rows of a split, its columns, and how many rows it has (estimated for very large files)."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    count: int
    exact: bool = True


@dataclass(frozen=True)
class Source:
    """The splits a data set comes with, as files that can be read."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()

    def files(self, split: str) -> tuple[Path, ...]:
        found: tuple[Path, ...] = getattr(self, split)
        return found

    @property
    def splits(self) -> list[str]:
        return [split for split in ("train", "validation", "test") if self.files(split)]

    def digest(self) -> str:
        """Content of all files."""
        return key_of(*[[split, digest_of(file)] for split in self.splits for file in self.files(split)])


def open_source(choice: DatasetChoice, store: Store) -> Source:
    """The files behind `choice`; python_docs are extracted into the store first.

    Raises `Refused` for files that are missing or of an unknown kind, all of them at once.
    """
    if choice.source == "python_docs":
        return Source(train=(_python_docs(store),))
    found = {split: _files(getattr(choice, split) or [], split) for split in ("train", "validation", "test")}
    problems = [item for files in found.values() for item in files if isinstance(item, Problem)]
    if problems:
        raise Refused(*problems)
    return Source(**{split: tuple(item for item in files if isinstance(item, Path)) for split, files in found.items()})


def head(files: Sequence[Path], name: str) -> Head:
    """The first rows of `files`, read without any heavy library.

    Raises `Refused` when a file is empty or cannot be read.
    """
    heads = [_READERS[SUFFIXES[file.suffix]](file) for file in files]
    for file, (_, rows, _) in zip(files, heads, strict=True):
        if not rows:
            raise Refused(Problem("this file has no rows", str(file), "check that it is the right file"))
    columns = heads[0][0]
    for file, (others, _, _) in zip(files, heads, strict=True):
        if set(others) != set(columns):
            where = f"{files[0]} and {file}"
            raise Refused(Problem(f"the files have different columns: {', '.join(columns)} and {', '.join(others)}", where))
    rows = [row for _, some, _ in heads for row in some][:HEAD_ROWS]
    return Head(name, tuple(columns), tuple(rows), sum(count for _, _, count in heads), all(_small(file) for file in files))


def load(files: Sequence[Path]) -> Dataset:
    """All rows of `files`; the cells of csv and tsv files stay text, so that a missing value is not guessed."""
    from datasets import Dataset, concatenate_datasets

    def one(file: Path) -> Dataset:
        kind = SUFFIXES[file.suffix]
        if kind == "csv":
            delimiter = "\t" if file.suffix == ".tsv" else ","
            with file.open(encoding="utf-8-sig", newline="") as stream:
                names = next(csv.reader(stream, delimiter=delimiter))
            return Dataset.from_csv(
                str(file), sep=delimiter, dtype={name: "str" for name in names}, keep_default_na=False, encoding="utf-8-sig"
            )
        if kind == "json":
            return Dataset.from_json(str(file))
        return Dataset.from_parquet(str(file)) if kind == "parquet" else Dataset.from_file(str(file))

    return concatenate_datasets([one(file) for file in files])


def _python_docs(store: Store) -> Path:
    import platform

    from stbench.data import python_docs

    def build(folder: Path) -> None:
        with (folder / "python_docs.jsonl").open("w", encoding="utf-8") as stream:
            for row in python_docs.extract():
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    key = key_of("python_docs", platform.python_version(), digest_of(Path(python_docs.__file__)))
    return store.product("data", key, build) / "python_docs.jsonl"


def _files(names: Sequence[str], split: str) -> list[Path | Problem]:
    return [_file(name, split) for name in names]


def _file(name: str, split: str) -> Path | Problem:
    path = Path(name).expanduser()
    if path.is_file() and path.suffix in SUFFIXES:
        return path
    where = f"dataset.{split}={name}"
    if path.is_file():
        return Problem(f"files of the kind '{path.suffix}' cannot be read", where, f"use one of {', '.join(SUFFIXES)}")
    siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    match = closest(path.name, siblings)
    mend = f"did you mean dataset.{split}={path.with_name(match)}?" if match else f"looked in {path.parent.resolve()}"
    return Problem("there is no such file", where, mend)


def _small(file: Path) -> bool:
    return file.stat().st_size < 64 * 2**20


def _estimate(file: Path, read: int, rows: int) -> int:
    return rows if read >= file.stat().st_size else int(rows * file.stat().st_size / max(read, 1))


def _read_csv(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    csv.field_size_limit(2**27)
    rows: list[dict[str, Any]] = []
    count = 0
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t" if file.suffix == ".tsv" else ",")
        columns = list(reader.fieldnames or [])
        for row in reader:
            if None in row or None in row.values():
                raise Refused(_ragged(file, reader.line_num, len(columns), row))
            count += 1
            if len(rows) < HEAD_ROWS:
                rows.append(row)
            elif not _small(file):
                return columns, rows, _estimate(file, stream.buffer.tell(), count)
    return columns, rows, count


def _ragged(file: Path, line: int, expected: int, row: Mapping[Any, Any]) -> Problem:
    found = len([value for key, value in row.items() if key is not None and value is not None]) + len(row.get(None) or [])
    return Problem(
        f"this row has {found} cells where the header has {expected}", f"{file}, line {line}",
        'put cells that hold the separator between quotes ("…"), or use a .tsv or .jsonl file',
    )  # fmt: skip


def _read_json(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    with file.open(encoding="utf-8-sig") as stream:
        start = stream.read(1)
    return _read_array(file) if start == "[" else _read_lines(file)


def _read_array(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise Refused(Problem(f"this is not JSON: {error.msg}", f"{file}, line {error.lineno}")) from None
    return list(rows[0]) if rows else [], rows[:HEAD_ROWS], len(rows)


def _read_lines(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = []
    count = read = 0
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            read += len(line)
            if not line.strip():
                continue
            count += 1
            if len(rows) < HEAD_ROWS:
                rows.append(_json_line(file, number, line))
            elif not _small(file):
                return list(rows[0]), rows, _estimate(file, read, count)
    return list(rows[0]) if rows else [], rows, count


def _json_line(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refused(Problem(f"this line is not JSON: {error}", f"{file}, line {number}")) from None
    if not isinstance(row, dict):
        raise Refused(Problem("each line must be an object such as {\"question\": …}", f"{file}, line {number}"))
    return row


def _read_parquet(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(file)
    except ArrowInvalid as error:
        raise Refused(Problem(f"this is not a Parquet file: {error}", str(file))) from None
    first = next(table.iter_batches(HEAD_ROWS), None)
    rows = first.to_pylist() if first is not None else []
    return list(table.schema_arrow.names), rows, table.metadata.num_rows


def _read_arrow(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    import pyarrow

    with pyarrow.memory_map(str(file)) as stream:
        try:
            table = pyarrow.ipc.open_stream(stream).read_all()
        except pyarrow.ArrowInvalid:
            table = pyarrow.ipc.open_file(stream).read_all()
    return list(table.column_names), table.slice(0, HEAD_ROWS).to_pylist(), table.num_rows


_READERS: dict[str, Callable[[Path], tuple[list[str], list[dict[str, Any]], int]]] = {
    "csv": _read_csv,
    "json": _read_json,
    "parquet": _read_parquet,
    "arrow": _read_arrow,
}
