"""A folder in BEIR's layout: what is trained on, and what is held out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from small_collection import THINGS, write_collection, write_qrels

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data.beir import find
from stbench.data.collection_pairs import relevant_pairs
from stbench.data.sources import open_source
from stbench.errors import Problem, Refused


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


def problem(call: Callable[..., Any], *arguments: Any) -> Problem:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    (only,) = caught.value.problems
    assert only.mend
    return only


def rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("there", "splits"),
    [
        (["train", "dev", "test"], {"train": "train", "validation": "dev", "test": "test"}),
        (["train", "test"], {"train": "train", "test": "test"}),
        (["train", "dev"], {"train": "train", "validation": "dev"}),
        (["dev", "test"], {"train": "dev", "test": "test"}),
        (["test"], {"train": "test"}),
    ],
)
def test_the_first_judgements_are_trained_on(there: Sequence[str], splits: dict[str, str], tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c", **{name: [place] for place, name in enumerate(there)})
    assert {split: file.stem for split, file in find(str(folder), True).qrels.items()} == splits


def test_rows_are_the_relevant_pairs_of_each_split(tmp_path: Path, store: Store) -> None:
    folder = write_collection(tmp_path / "c", train=range(4), test=range(4, 6))
    write_qrels(folder / "qrels" / "train.tsv", [("q0", "d0", 1), ("q0", "x1", 0), ("q1", "gone", 1), ("q2", "d2", 1)])
    found = relevant_pairs(find(str(folder), True), store)
    assert rows(found.files["train"]) == [
        {"anchor": f"what is a {THINGS[i]}?", "positive": f"The {THINGS[i]} A {THINGS[i]} is a thing of {i} parts."}
        for i in (0, 2)
    ]
    assert len(rows(found.files["test"])) == 4
    assert (found.documents, found.queries) == (20, {"train": 2, "test": 2})
    assert found.left_out["train"]["judgements of unknown documents, left out"] == 1


def test_rows_are_kept_by_content(tmp_path: Path, store: Store) -> None:
    folder = write_collection(tmp_path / "c", test=range(4))
    first = relevant_pairs(find(str(folder), True), store).files["train"]
    assert relevant_pairs(find(str(folder), True), store).files["train"] == first
    assert relevant_pairs(find(str(folder), False), store).files["train"] != first
    write_qrels(folder / "qrels" / "test.tsv", [("q1", "d1", 1)])
    assert relevant_pairs(find(str(folder), True), store).files["train"] != first


def test_the_data_set_is_such_a_folder(tmp_path: Path, store: Store) -> None:
    folder = write_collection(tmp_path / "c", train=range(4), test=range(4, 6))
    source = open_source(DatasetChoice(source="beir", path=str(folder)), store)
    assert source.splits == ["train", "test"]
    before = source.digest()
    (folder / "corpus.jsonl").write_text(
        (folder / "corpus.jsonl").read_text(encoding="utf-8") + '{"_id": "new", "text": "more"}\n', encoding="utf-8"
    )
    assert open_source(DatasetChoice(source="beir", path=str(folder)), store).digest() != before


def test_a_folder_that_is_not_there_is_looked_for(tmp_path: Path) -> None:
    write_collection(tmp_path / "scifact", test=range(4))
    assert problem(find, str(tmp_path / "sciffact"), True).mend == f"did you mean dataset.path={tmp_path / 'scifact'}?"


def test_a_folder_that_lacks_parts_is_refused_with_all_of_them(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c")
    (folder / "queries.jsonl").unlink()
    write_qrels(folder / "qrels" / "human.tsv", [("q1", "d1", 1)])
    found = problem(find, str(folder), True)
    assert "no queries.jsonl and no qrels/test.tsv" in found.what
    assert "(in it: corpus.jsonl, qrels/human.tsv)" in found.what
