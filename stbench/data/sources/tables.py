"""Rows that come in batches, written as one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

BATCH = 10_000
"""Rows that are in memory at a time."""


def write_rows(batches: Iterable[Sequence[Mapping[str, Any]]], file: Path) -> int:
    """Writes `batches` to `file` and returns the number of rows; all rows have the names of the first.

    A column has the type that its values of all batches fit: whole numbers become floats where some are, and all become
    text where some are text.
    """
    import pyarrow
    from pyarrow import parquet

    parts: list[Path] = []
    schema: Any = None
    for batch in batches:
        names = schema.names if schema else list(batch[0])
        table = pyarrow.table({name: _column([row[name] for row in batch]) for name in names})
        schema = table.schema if schema is None else _joined(schema, table.schema)
        parts.append(file.with_suffix(f".{len(parts)}"))
        parquet.write_table(table, parts[-1])
    if schema is None:
        return 0
    rows = 0
    with parquet.ParquetWriter(file, schema) as writer:
        for part in parts:
            table = parquet.read_table(part)
            writer.write_table(table.cast(schema))
            rows += table.num_rows
            part.unlink()
    return rows


def _column(values: Sequence[Any]) -> Any:
    import pyarrow

    plain = [_plain(value) for value in values]
    try:
        return pyarrow.array(plain)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([None if value is None else str(value) for value in plain])


def _plain(value: Any) -> Any:
    """A value as a table can hold it."""
    if value is None or isinstance(value, bool | int | float | str | date | datetime | time):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def _joined(first: Any, second: Any) -> Any:
    import pyarrow

    fields = []
    for one, other in zip(first, second, strict=True):
        try:
            both = pyarrow.unify_schemas([pyarrow.schema([one]), pyarrow.schema([other])], promote_options="permissive")
            fields.append(both.field(0))
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
            fields.append(pyarrow.field(one.name, pyarrow.string()))
    return pyarrow.schema(fields)
