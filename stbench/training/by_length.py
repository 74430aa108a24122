"""Batches of rows whose texts are about equally long, so that little of what the model computes is padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sentence_transformers.base.sampler import DefaultBatchSampler

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

Numbers = np.ndarray[Any, np.dtype[np.int64]]
BATCHES = 50
"""Batches that are drawn at random before their rows are sorted among each other: the order stays new in each epoch."""


class ByLength(DefaultBatchSampler):  # type: ignore[misc]
    """Draws the rows of an epoch at random, sorts them by length `BATCHES` batches at a time, and shuffles the batches.

    For losses to which the rows of a batch are no negatives of each other: among texts of one length they would be harder.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        drop_last: bool,
        valid_label_columns: list[str] | None = None,
        generator: Any = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            range(len(dataset)),
            batch_size=batch_size, drop_last=drop_last, valid_label_columns=valid_label_columns, generator=generator,
            seed=seed,
        )  # fmt: skip
        self._lengths = lengths_of(dataset)

    def __iter__(self) -> Iterator[list[int]]:
        size, draw = self.batch_size, np.random.default_rng([self.seed, self.epoch])
        rows = draw.permutation(len(self._lengths))
        for start in range(0, len(rows), size * BATCHES):
            some = rows[start : start + size * BATCHES]
            some[:] = some[np.argsort(self._lengths[some], kind="stable")]
        full = len(rows) // size
        batches = [rows[place * size : (place + 1) * size] for place in draw.permutation(full)]
        rest = rows[full * size :]
        for batch in batches if self.drop_last or not len(rest) else [*batches, rest]:
            yield batch.tolist()


def lengths_of(dataset: Dataset) -> Numbers:
    """Characters of each row: the texts of its columns together, of a list the longest one."""
    table = dataset.data.table
    found = np.zeros(len(table), dtype=np.int64)
    for column in table.columns:
        start = 0
        for chunk in column.chunks:
            found[start : start + len(chunk)] += _characters(chunk)
            start += len(chunk)
    # A data set may show rows of its table in another order, or only some of them.
    return found if dataset._indices is None else found[dataset._indices.column(0).to_numpy()]


def _characters(values: pa.Array) -> Numbers | int:
    """0 of what is no text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _numbers(pc.utf8_length(values))
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        each, sizes = _characters(values.flatten()), _numbers(pc.list_value_length(values))
        return 0 if isinstance(each, int) else _greatest(each, sizes)
    return 0


def _numbers(values: pa.Array) -> Numbers:
    found: Numbers = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _greatest(values: Numbers, sizes: Numbers) -> Numbers:
    """The greatest number of each list; 0 of an empty one."""
    found = np.zeros(len(sizes), dtype=np.int64)
    filled = sizes > 0
    if filled.any():
        found[filled] = np.maximum.reduceat(values, (np.cumsum(sizes) - sizes)[filled])
    return found
