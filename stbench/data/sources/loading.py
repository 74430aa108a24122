"""All rows of a split, as a `datasets.Dataset` that stays on disk."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stbench.data.sources.arrow import arrow_table, class_names, named
from stbench.data.sources.files import SUFFIXES, delimiter_of
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset


def load(files: Sequence[Path]) -> Dataset:
    """All rows of `files`, memory-mapped; the cells of csv and tsv files stay text, so that a missing value is not guessed.

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
        delimiter = delimiter_of(file)
        with file.open(encoding="utf-8-sig", newline="") as stream:
            names = next(csv.reader(stream, delimiter=delimiter))
        text = Features({name: Value("string") for name in names})
        return Dataset.from_csv(str(file), features=text, sep=delimiter, keep_default_na=False, encoding="utf-8-sig")
    if kind == "arrow":
        return Dataset(named(arrow_table(file)))
    if kind == "json":
        return Dataset.from_json(str(file))
    rows = Dataset.from_parquet(str(file))
    return Dataset(named(rows.data.table)) if class_names(rows.data.table.schema) else rows
