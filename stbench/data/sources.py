"""Where rows come from: a look at the head for the plan, and the whole as a `datasets.Dataset` for the run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.cache import Store, digest_of, key_of
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.suggest import closest
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.data.collection import CollectionFiles

HEAD_ROWS = 2000
SPLITS = ("train", "validation", "test")
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
    collection: CollectionFiles | None = None
    """Documents, queries and judgements behind the rows of some splits."""

    def files(self, split: str) -> tuple[Path, ...]:
        found: tuple[Path, ...] = getattr(self, split)
        return found

    @property
    def splits(self) -> list[str]:
        return [split for split in SPLITS if self.files(split)]

    def digest(self) -> str:
        """Content of all files."""
        rows = [[split, digest_of(file)] for split in self.splits for file in self.files(split)]
        return key_of(*rows, self.collection.digest() if self.collection else None)


def open_source(choice: DatasetChoice, store: Store) -> Source:
    """The files behind `choice`; python_docs are extracted into the store first.

    Raises `Refused` for files that are missing or of an unknown kind, all of them at once.
    """
    if choice.source == "python_docs":
        return Source(train=(_python_docs(store),))
    if choice.source == "beir":
        return _collection(choice, store)
    problems: list[Problem] = []
    found = {split: tuple(_files(getattr(choice, split) or [], split, problems)) for split in SPLITS}
    if problems:
        raise Refused(*problems)
    return Source(found["train"], found["validation"], found["test"])


def head(files: Sequence[Path], name: str) -> Head:
    """The first rows of `files`, read without any heavy library.

    Raises `Refused` when a file is empty or cannot be read.
    """
    heads = [_READERS[SUFFIXES[file.suffix]](file) for file in files]
    for file, (names, rows, _) in zip(files, heads, strict=True):
        if not rows:
            raise Refused(Problem("this file has no rows", str(file), "check that it is the right file"))
        if twice := sorted({column for column in names if names.count(column) > 1}):
            what = f"several columns are called {', '.join(twice)}"
            raise Refused(Problem(what, str(file), "give each column a name of its own"))
    columns = heads[0][0]
    for file, (others, _, _) in zip(files, heads, strict=True):
        if set(others) != set(columns):
            what = f"the files have different columns: {', '.join(columns)} and {', '.join(others)}"
            raise Refused(Problem(what, f"{files[0]} and {file}", "give them the same columns"))
    rows = [row for _, some, _ in heads for row in some][:HEAD_ROWS]
    return Head(
        name, tuple(columns), tuple(rows), sum(count for _, _, count in heads), all(_small(file) for file in files)
    )


def load(files: Sequence[Path]) -> Dataset:
    """All rows of `files`; the cells of csv and tsv files stay text, so that a missing value is not guessed.

    Raises `Refused` when a file beyond its head is not what its name says, or when the files do not go together.
    """
    from datasets import concatenate_datasets
    from datasets.exceptions import DatasetGenerationError

    try:
        return concatenate_datasets([_load(file) for file in files])
    except (DatasetGenerationError, ValueError, OSError) as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        where = ", ".join(map(str, files))
        raise Refused(Problem(f"this cannot be read as a table: {cause}", where, "mend the file")) from error


def _load(file: Path) -> Dataset:
    from datasets import Dataset, Features, Value

    kind = SUFFIXES[file.suffix]
    if kind == "csv":
        delimiter = _delimiter(file)
        with file.open(encoding="utf-8-sig", newline="") as stream:
            names = next(csv.reader(stream, delimiter=delimiter))
        text = Features({name: Value("string") for name in names})
        return Dataset.from_csv(str(file), features=text, sep=delimiter, keep_default_na=False, encoding="utf-8-sig")
    if kind == "arrow":
        return Dataset(_arrow_table(file))
    return Dataset.from_json(str(file)) if kind == "json" else Dataset.from_parquet(str(file))


def _python_docs(store: Store) -> Path:
    import platform

    from stbench.data import python_docs

    def build(folder: Path) -> None:
        with (folder / "python_docs.jsonl").open("w", encoding="utf-8") as stream:
            for row in python_docs.extract():
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    key = key_of("python_docs", platform.python_version(), digest_of(Path(python_docs.__file__)))
    return store.product("data", key, build) / "python_docs.jsonl"


def _collection(choice: DatasetChoice, store: Store) -> Source:
    from stbench.data import beir

    files = beir.find(choice.path or "", choice.titles)
    rows = {split: (file,) for split, file in beir.relevant_pairs(files, store).files.items()}
    return Source(rows["train"], rows.get("validation", ()), rows.get("test", ()), collection=files)


def _files(names: Sequence[str], split: str, problems: list[Problem]) -> Iterator[Path]:
    for found in (_file(name, split) for name in names):
        if isinstance(found, Path):
            yield found
        else:
            problems.append(found)


def _file(name: str, split: str) -> Path | Problem:
    path = Path(name).expanduser()
    if path.is_file() and path.suffix in SUFFIXES:
        return path
    where = f"dataset.{split}={name}"
    if path.is_file():
        return Problem(f"files of the kind '{path.suffix}' cannot be read", where, f"use one of {', '.join(SUFFIXES)}")
    siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    if match := closest(path.name, siblings):
        return Problem("there is no such file", where, f"did you mean dataset.{split}={path.with_name(match)}?")
    readable = sorted(name for name in siblings if Path(name).suffix in SUFFIXES)[:8]
    return Problem(
        "there is no such file", where, f"in {path.parent.resolve()} there is {', '.join(readable) or 'none'}"
    )


def _small(file: Path) -> bool:
    return file.stat().st_size < 64 * 2**20


def _estimate(file: Path, read: int, rows: int) -> int:
    return rows if read >= file.stat().st_size else int(rows * file.stat().st_size / max(read, 1))


def _delimiter(file: Path) -> str:
    return "\t" if file.suffix == ".tsv" else ","


def _read_csv(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    csv.field_size_limit(2**27)
    with file.open("rb") as raw, TextIOWrapper(raw, encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=_delimiter(file), strict=True)
        try:
            return _head_of_csv(file, reader, raw.tell)
        except (csv.Error, UnicodeDecodeError) as error:
            mend = "save the file as UTF-8, with cells that hold quotes between quotes and those doubled"
            raise Refused(Problem(f"this is not csv: {error}", f"{file}, line {reader.line_num}", mend)) from None


def _head_of_csv(
    file: Path, reader: csv.DictReader[str], tell: Callable[[], int]
) -> tuple[list[str], list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = []
    count, counts_all = 0, _small(file)
    columns = list(reader.fieldnames or [])
    for row in reader:
        if None in row or None in row.values():
            raise Refused(_ragged(file, reader.line_num, len(columns), row))
        count += 1
        if len(rows) < HEAD_ROWS:
            rows.append(row)
        elif not counts_all:
            return columns, rows, _estimate(file, tell(), count)
    return columns, rows, count


def _ragged(file: Path, line: int, expected: int, row: Mapping[Any, Any]) -> Problem:
    found = len([value for key, value in row.items() if key is not None and value is not None]) + len(
        row.get(None) or []
    )
    return Problem(
        f"this row has {found} cells where the header has {expected}", f"{file}, line {line}",
        'put cells that hold the separator between quotes ("…"), or use a .tsv or .jsonl file',
    )  # fmt: skip


def _read_json(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        start = stream.read(4096).lstrip()
    rows, count = _read_array(file) if start.startswith("[") else _read_lines(file)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return columns, [{name: row.get(name) for name in columns} for row in rows], count


def _read_array(file: Path) -> tuple[list[dict[str, Any]], int]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        where = f"{file}, line {error.lineno}"
        raise Refused(Problem(f"this is not JSON: {error.msg}", where, "mend the file")) from None
    except UnicodeDecodeError as error:
        raise Refused(Problem(f"this is not UTF-8: {error}", str(file), "save the file as UTF-8")) from None
    return [_object(row, f"{file}, row {number}") for number, row in enumerate(rows[:HEAD_ROWS], 1)], len(rows)


def _read_lines(file: Path) -> tuple[list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = []
    count, read, counts_all = 0, 0, _small(file)
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            read += len(line)
            if not line.strip():
                continue
            count += 1
            if len(rows) < HEAD_ROWS:
                rows.append(_json_line(file, number, line))
            elif not counts_all:
                return rows, _estimate(file, read, count)
    return rows, count


def _json_line(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        mend = "mend the line: each holds one object, or the whole file is one array of objects"
        raise Refused(Problem(f"this line is not JSON: {error}", f"{file}, line {number}", mend)) from None
    return _object(row, f"{file}, line {number}")


def _object(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Refused(Problem("a row must be an object", where, 'write it as {"question": …, "answer": …}'))
    return row


def _read_parquet(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(file)
    except ArrowInvalid as error:
        raise Refused(Problem(f"this is not a Parquet file: {error}", str(file), "write the file anew")) from None
    first = next(table.iter_batches(HEAD_ROWS), None)
    rows = first.to_pylist() if first is not None else []
    return list(table.schema_arrow.names), rows, table.metadata.num_rows


def _read_arrow(file: Path) -> tuple[list[str], list[dict[str, Any]], int]:
    table = _arrow_table(file)
    return list(table.column_names), table.slice(0, HEAD_ROWS).to_pylist(), table.num_rows


def _arrow_table(file: Path) -> Any:
    """Both kinds of Arrow files: streams, as `datasets` writes them, and files with a footer (Feather)."""
    import pyarrow

    with pyarrow.memory_map(str(file)) as stream:
        try:
            return pyarrow.ipc.open_stream(stream).read_all()
        except pyarrow.ArrowInvalid:
            pass
        try:
            return pyarrow.ipc.open_file(stream).read_all()
        except pyarrow.ArrowInvalid as error:
            raise Refused(Problem(f"this is not an Arrow file: {error}", str(file), "write the file anew")) from None


_READERS: dict[str, Callable[[Path], tuple[list[str], list[dict[str, Any]], int]]] = {
    "csv": _read_csv,
    "json": _read_json,
    "parquet": _read_parquet,
    "arrow": _read_arrow,
}
