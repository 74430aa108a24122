"""Arrow tables on disk, and the names that class ids in them stand for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stbench.errors import Problem, Refused


def arrow_table(file: Path) -> Any:
    """A `pyarrow.Table` that stays on disk, from both kinds of Arrow files: streams, as `datasets` writes them, and files
    with a footer (Feather).

    Raises `Refused` for another kind of file.
    """
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


def class_names(schema: Any) -> dict[str, list[str]]:
    """The columns of class ids for which the schema gives names (`ClassLabel` of the library `datasets`).

    Two classes are left as they are: 0 and 1 say irrelevant and relevant, whatever they are called.
    """
    info = json.loads((schema.metadata or {}).get(b"huggingface") or "{}").get("info") or {}
    features = info.get("features") or {}
    named = {name: feature.get("names") for name, feature in features.items() if isinstance(feature, dict)}
    return {name: names for name, names in named.items() if names and len(names) > 2 and name in schema.names}


def named(table: Any) -> Any:
    """`table` (a `pyarrow.Table` or `RecordBatch`) with names in place of class ids; ids without a name become null."""
    import pyarrow
    from pyarrow import compute

    found = class_names(table.schema)
    if not found:
        return table
    for column, names in found.items():
        ids = compute.cast(table.column(column), pyarrow.int64())
        known = compute.and_(compute.greater_equal(ids, 0), compute.less(ids, len(names)))
        ids = compute.if_else(known, ids, pyarrow.scalar(None, pyarrow.int64()))
        values = compute.take(pyarrow.array(names, pyarrow.string()), ids)
        table = table.set_column(table.schema.names.index(column), column, values)
    # The library's own description of the columns would no longer be true.
    return table.replace_schema_metadata(None)
