"""Held-out queries search the whole collection, and no training row gives one of them away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from small_collection import THINGS, judgements, write_collection, write_qrels

from stbench.cache import Store
from stbench.config.sentence import Roles
from stbench.data.beir import find
from stbench.data.collection_pairs import relevant_pairs
from stbench.data.roles import map_roles
from stbench.data.searched import Searched, with_collections
from stbench.data.sources import head, load
from stbench.data.splits import Sizes, Splits, split


def splits_of(folder: Path, store: Store, documents: Mapping[str, int | None] | None = None) -> Splits:
    files = find(str(folder), titles=True)
    pairs = relevant_pairs(files, store)
    mapped = {}
    for name, file in pairs.files.items():
        first = head([file], name)
        mapped[name] = map_roles(first.rows, first.columns, Roles(), None, name)
    loaded = {name: load([file]) for name, file in pairs.files.items()}
    return with_collections(split(loaded, mapped, Sizes(2, 2)), Searched(files, documents or {}, pairs))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


def asked(splits: Splits, name: str) -> set[str]:
    return set(splits.collections[name].queries)


def test_each_split_searches_all_documents_with_its_own_queries(tmp_path: Path, store: Store) -> None:
    folder = write_collection(tmp_path / "c", train=range(4), dev=range(4, 6), test=range(6, 9))
    found = splits_of(folder, store)
    assert asked(found, "validation") == {"q4", "q5"}
    assert asked(found, "test") == {"q6", "q7", "q8"}
    assert {len(one.corpus) for one in found.collections.values()} == {20}
    assert found.collections["test"].grades["q6"] == {"d6": 2.0, "x6": 1.0}


@pytest.mark.parametrize("there", [["train"], ["test"], ["train", "dev"], ["train", "test"]])
def test_queries_that_are_held_out_keep_all_their_judgements(there: list[str], tmp_path: Path, store: Store) -> None:
    ranges = {name: range(place * 5, place * 5 + (10 if len(there) == 1 else 5)) for place, name in enumerate(there)}
    found = splits_of(write_collection(tmp_path / "c", **ranges), store)
    for name in ("validation", "test"):
        texts = set(getattr(found, name)["anchor"])
        assert texts == set(found.collections[name].queries.values())
        assert all(len(judged) == 2 for judged in found.collections[name].grades.values())
    assert not asked(found, "validation") & asked(found, "test")


def test_a_training_row_with_a_held_out_query_is_left_out_and_counted(tmp_path: Path, store: Store) -> None:
    """The same words under another id, with another document: word for word the rows differ."""
    folder = write_collection(tmp_path / "c", train=range(6), test=range(6, 9))
    with (folder / "queries.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(f'{{"_id": "again", "text": "What  is a {THINGS[7]}?"}}\n')
    write_qrels(folder / "qrels" / "train.tsv", [*judgements(range(6)), ("again", "d1", 1)])
    found = splits_of(folder, store)
    assert not any(THINGS[7] in anchor for anchor in found.train["anchor"])
    assert found.counts["training rows whose query is held out, left out"] == 1


def test_the_selection_may_search_fewer_documents(tmp_path: Path, store: Store) -> None:
    folder = write_collection(tmp_path / "c", train=range(6), test=range(6, 9))
    found = splits_of(folder, store, {"validation": 8, "test": None})
    sizes: dict[str, Any] = {name: len(one.corpus) for name, one in found.collections.items()}
    assert sizes == {"validation": 8, "test": 20}
    assert all(
        set(judged) <= set(found.collections["validation"].corpus)
        for judged in found.collections["validation"].grades.values()
    )
