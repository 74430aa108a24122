"""Batches of rows that are about equally long: each row once, another order each epoch, the same in every process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, concatenate_datasets

from stbench.training.by_length import ByLength, lengths_of

ROWS = 1000


@pytest.fixture(scope="module")
def rows() -> Dataset:
    sizes = np.random.default_rng(3).integers(1, 200, ROWS)
    return Dataset.from_dict({"anchor": ["x" * size for size in sizes], "label": [1.0] * ROWS})


def batches(rows: Dataset, epoch: int = 0, size: int = 8, seed: int = 12, **more: Any) -> list[list[int]]:
    sampler = ByLength(rows, batch_size=size, **{"drop_last": False, "seed": seed, **more})
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    return found


@pytest.mark.parametrize("size", [1, 7, 8, 1000, 5000])
def test_every_row_comes_once(rows: Dataset, size: int) -> None:
    found = batches(rows, size=size)
    assert sorted([row for batch in found for row in batch]) == list(range(ROWS))
    assert {len(batch) for batch in found[:-1]} <= {size}


def test_the_last_rows_are_dropped_where_that_is_asked(rows: Dataset) -> None:
    found = batches(rows, size=7, drop_last=True)
    assert {len(batch) for batch in found} == {7}
    assert len([row for batch in found for row in batch]) == ROWS - ROWS % 7


def test_little_of_a_batch_is_padding(rows: Dataset) -> None:
    lengths = lengths_of(rows)
    padded = sum(max(lengths[batch]) * len(batch) for batch in batches(rows))
    drawn = np.random.default_rng(0).permutation(ROWS).reshape(-1, 8)
    assert padded < 1.05 * lengths.sum()
    assert sum(max(lengths[batch]) * 8 for batch in drawn) > 1.5 * lengths.sum()


def test_short_and_long_batches_come_in_any_order(rows: Dataset) -> None:
    means = [lengths_of(rows)[batch].mean() for batch in batches(rows)]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


def test_an_epoch_is_the_same_in_every_process_and_no_two_are_alike(rows: Dataset) -> None:
    assert batches(rows, 1) == batches(rows, 1)
    assert len({str(batches(rows, epoch)) for epoch in range(3)} | {str(batches(rows, seed=13))}) == 4
    together = [{frozenset(batch) for batch in batches(rows, epoch)} for epoch in range(2)]
    assert len(together[0] & together[1]) < 5, "rows meet others in the next epoch"


def test_all_texts_of_a_row_count_and_the_longest_of_a_list() -> None:
    rows = Dataset.from_dict(
        {
            "anchor": ["ab", "é", None, ""],
            "documents": [["abc", "abcdefgh"], [], ["a"], None],
            "scores": [[1.0, 2.0], [], [3.0], [4.0]],
            "label": [7, 7, 7, 7],
        }
    )
    assert lengths_of(rows).tolist() == [10, 1, 1, 0]


def test_rows_in_another_order_and_in_pieces(rows: Dataset, tmp_path: Path) -> None:
    lengths = lengths_of(rows)
    some = [5, 900, 3]
    assert lengths_of(rows.select(some)).tolist() == lengths[some].tolist()
    shuffled = rows.shuffle(seed=1)
    assert lengths_of(shuffled).tolist() == [len(text) for text in shuffled["anchor"]]
    pieces = concatenate_datasets([rows, rows.select([1]), rows])
    assert lengths_of(pieces).tolist() == [*lengths, lengths[1], *lengths]
    rows.to_parquet(str(tmp_path / "rows.parquet"))
    assert lengths_of(Dataset.from_parquet(str(tmp_path / "rows.parquet"))).tolist() == lengths.tolist()
    assert lengths_of(rows.select([])).tolist() == []
