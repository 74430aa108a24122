"""The first rows of files, read without any heavy library."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Any

from stbench.data.sources.arrow import arrow_table, named
from stbench.data.sources.files import SUFFIXES, delimiter_of
from stbench.data.sources.source import Head
from stbench.errors import Problem, Refused

HEAD_ROWS = 2000
COUNTED_BYTES = 64 * 2**20
"""Text files that are larger in all are not read to their end to count their rows."""
_CHUNK = 2**20
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True)
class _Start:
    """The beginning of one file, and how many rows it has."""

    columns: list[str]
    rows: list[dict[str, Any]]
    count: int


@dataclass(frozen=True)
class _Wish:
    """How many rows are wanted of a file, and whether the others are to be counted."""

    rows: int
    counts_all: bool


def head(files: Sequence[Path], name: str) -> Head:
    """The first rows of `files`.

    Raises `Refused` when a file is empty or cannot be read, or when the files do not go together.
    """
    counts_all = sum(file.stat().st_size for file in files if SUFFIXES[file.suffix] in _TEXT) < COUNTED_BYTES
    starts: list[_Start] = []
    for file in files:
        # One row at least, of the last file too: its columns must be those of the first.
        wanted = max(HEAD_ROWS - sum(len(start.rows) for start in starts), 1)
        starts.append(_READERS[SUFFIXES[file.suffix]](file, _Wish(wanted, counts_all)))
    # Of tables written in shards some may be empty.
    pairs = list(zip(files, starts, strict=True))
    filled = [(file, start) for file, start in pairs if start.rows or SUFFIXES[file.suffix] in _TEXT] or pairs
    for file, start in filled:
        _check(file, start)
    _check_same_columns(filled)
    rows = [row for _, start in filled for row in start.rows][:HEAD_ROWS]
    exact = counts_all or all(SUFFIXES[file.suffix] not in _TEXT for file in files)
    return Head(name, tuple(filled[0][1].columns), tuple(rows), sum(start.count for start in starts), exact)


def first_row(file: Path) -> Mapping[str, Any] | None:
    """The first row of a file, at next to no cost; None when it has none.

    Raises `Refused` when it cannot be read.
    """
    rows = _READERS[SUFFIXES[file.suffix]](file, _Wish(1, counts_all=False)).rows
    return rows[0] if rows else None


def rows_of(file: Path) -> Iterator[Mapping[str, Any]]:
    """All rows of a file that can hold lists, one after the other.

    Raises `Refused` for a row that cannot be read.
    """
    kind = SUFFIXES[file.suffix]
    if kind == "json" and is_array(file):
        yield from _read_array(file, _Wish(sys.maxsize, counts_all=True))[0]
    elif kind == "json":
        with file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield object_in_line(file, number, line)
    else:
        from pyarrow.parquet import ParquetFile

        batches = ParquetFile(file).iter_batches() if kind == "parquet" else arrow_table(file).to_batches(1000)
        for batch in batches:
            yield from batch.to_pylist()


def _check(file: Path, start: _Start) -> None:
    if not start.rows:
        raise Refused(Problem("this file has no rows", str(file), "check that it is the right file"))
    if twice := sorted({column for column in start.columns if start.columns.count(column) > 1}):
        what = f"several columns are called {', '.join(twice)}"
        raise Refused(Problem(what, str(file), "give each column a name of its own"))


def _check_same_columns(starts: Sequence[tuple[Path, _Start]]) -> None:
    first, expected = starts[0][0], starts[0][1].columns
    for file, start in starts:
        if set(start.columns) != set(expected):
            what = f"the files have different columns: {', '.join(expected)} and {', '.join(start.columns)}"
            raise Refused(Problem(what, f"{first} and {file}", "give them the same columns"))


def _estimate(file: Path, read: int, rows: int) -> int:
    return rows if read >= file.stat().st_size else int(rows * file.stat().st_size / max(read, 1))


def _read_csv(file: Path, wish: _Wish) -> _Start:
    csv.field_size_limit(2**27)
    with file.open("rb") as raw, TextIOWrapper(raw, encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=delimiter_of(file), strict=True)
        try:
            return _head_of_csv(file, reader, raw.tell, wish)
        except (csv.Error, UnicodeDecodeError) as error:
            mend = "save the file as UTF-8, with cells that hold quotes between quotes and those doubled"
            raise Refused(Problem(f"this is not csv: {error}", f"{file}, line {reader.line_num}", mend)) from None


def _head_of_csv(file: Path, reader: csv.DictReader[str], tell: Callable[[], int], wish: _Wish) -> _Start:
    rows: list[dict[str, Any]] = []
    count = 0
    columns = list(reader.fieldnames or [])
    for row in reader:
        if None in row or None in row.values():
            raise Refused(_ragged(file, reader.line_num, len(columns), row))
        count += 1
        if len(rows) < wish.rows:
            rows.append(row)
        elif not wish.counts_all:
            return _Start(columns, rows, _estimate(file, tell(), count))
    return _Start(columns, rows, count)


def _ragged(file: Path, line: int, expected: int, row: Mapping[Any, Any]) -> Problem:
    found = len([value for key, value in row.items() if key is not None and value is not None]) + len(
        row.get(None) or []
    )
    return Problem(
        f"this row has {found} cells where the header has {expected}", f"{file}, line {line}",
        'put cells that hold the separator between quotes ("…"), or use a .tsv or .jsonl file',
    )  # fmt: skip


def _read_json(file: Path, wish: _Wish) -> _Start:
    if is_array(file):
        rows, count = _read_array(file, wish) if wish.counts_all else _read_start_of_array(file, wish)
    else:
        rows, count = _read_lines(file, wish)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _Start(columns, [{name: row.get(name) for name in columns} for row in rows], count)


def is_array(file: Path) -> bool:
    """Whether a JSON file holds one array rather than an object a line."""
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        return stream.read(4096).lstrip().startswith("[")


def _read_array(file: Path, wish: _Wish) -> tuple[list[dict[str, Any]], int]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise Refused(_not_json(error, f"{file}, line {error.lineno}")) from None
    except UnicodeDecodeError as error:
        raise Refused(_not_utf8(error, file)) from None
    return [object_of(row, f"{file}, row {number}") for number, row in enumerate(rows[: wish.rows], 1)], len(rows)


def _read_start_of_array(file: Path, wish: _Wish) -> tuple[list[dict[str, Any]], int]:
    """The first objects of an array that is too large to be read as a whole."""
    decoder = json.JSONDecoder()
    rows: list[dict[str, Any]] = []
    with file.open(encoding="utf-8-sig") as stream:
        text = _more(stream, file, 0)
        place = text.index("[") + 1
        while len(rows) < wish.rows:
            place = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]
            if text[place : place + 1] == "]":
                break
            try:
                row, place = decoder.raw_decode(text, place)
            except json.JSONDecodeError as error:
                more = _more(stream, file, len(text))
                if not more:
                    raise Refused(_not_json(error, f"{file}, line {error.lineno}")) from None
                text += more
            else:
                rows.append(object_of(row, f"{file}, row {len(rows) + 1}"))
    return rows, _estimate(file, len(text[:place].encode()), len(rows))


def _more(stream: IO[str], file: Path, known: int) -> str:
    """The next piece of a text, the larger the more of it is known: an object may be long."""
    try:
        return stream.read(max(_CHUNK, known))
    except UnicodeDecodeError as error:
        raise Refused(_not_utf8(error, file)) from None


def _not_json(error: json.JSONDecodeError, where: str) -> Problem:
    return Problem(f"this is not JSON: {error.msg}", where, "mend the file")


def _not_utf8(error: UnicodeDecodeError, file: Path) -> Problem:
    return Problem(f"this is not UTF-8: {error}", str(file), "save the file as UTF-8")


def _read_lines(file: Path, wish: _Wish) -> tuple[list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = []
    count = read = 0
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            read += len(line)
            if not line.strip():
                continue
            count += 1
            if len(rows) < wish.rows:
                rows.append(object_in_line(file, number, line))
            elif not wish.counts_all:
                return rows, _estimate(file, read, count)
    return rows, count


def object_in_line(file: Path, number: int, line: bytes) -> dict[str, Any]:
    """The object in one line of a file of JSON lines.

    Raises `Refused` when the line holds something else.
    """
    where = f"{file}, line {number}"
    try:
        # A mark may stand before the first line only.
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        mend = "mend the line: each holds one object, or the whole file is one array of objects"
        raise Refused(Problem(f"this line is not JSON: {error}", where, mend)) from None
    return object_of(row, where)


def object_of(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Refused(Problem("a row must be an object", where, 'write it as {"question": …, "answer": …}'))
    return row


def _read_parquet(file: Path, wish: _Wish) -> _Start:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as table:
            batches = islice(table.iter_batches(wish.rows), 1)
            rows = [row for batch in batches for row in named(batch).to_pylist()]
            return _Start(list(table.schema_arrow.names), rows, table.metadata.num_rows)
    except ArrowInvalid as error:
        raise Refused(Problem(f"this is not a Parquet file: {error}", str(file), "write the file anew")) from None


def _read_arrow(file: Path, wish: _Wish) -> _Start:
    table = arrow_table(file)
    return _Start(list(table.column_names), named(table.slice(0, wish.rows)).to_pylist(), table.num_rows)


_TEXT = ("csv", "json")
_READERS: dict[str, Callable[[Path, _Wish], _Start]] = {
    "csv": _read_csv,
    "json": _read_json,
    "parquet": _read_parquet,
    "arrow": _read_arrow,
}
