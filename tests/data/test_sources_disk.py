from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pytest

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data.sources import Source, head, load, open_source
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset


def rows(number: int, start: int = 0) -> Dataset:
    from datasets import Dataset

    numbers = range(start, start + number)
    return Dataset.from_dict({"question": [f"q{i}" for i in numbers], "answer": [f"a{i}" for i in numbers]})


def opened(folder: Path | str, **more: Any) -> Source:
    return open_source(DatasetChoice(source="disk", path=str(folder), **more), Store(Path("nowhere"), "on"))


def problems(folder: Path | str, **more: Any) -> list[Problem]:
    with pytest.raises(Refused) as caught:
        opened(folder, **more)
    assert all(problem.mend for problem in caught.value.problems)
    return list(caught.value.problems)


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    from datasets import DatasetDict

    folder = tmp_path / "splits"
    DatasetDict({"train": rows(30), "dev": rows(5, 30), "test": rows(6, 40), "extra": rows(4, 50)}).save_to_disk(folder)
    return folder


def test_a_data_set_without_splits_is_one_to_train_on(tmp_path: Path) -> None:
    rows(30).save_to_disk(tmp_path / "plain", num_shards=3)
    found = opened(tmp_path / "plain")
    assert (found.splits, len(found.train), found.notes) == (["train"], 3, ())
    assert head(found.train, "train").count == 30
    assert load(found.train)["question"][:] == rows(30)["question"][:]


def test_rows_that_were_chosen_before_saving_are_the_ones_that_are_read(tmp_path: Path) -> None:
    rows(30).shuffle(seed=1).select(range(7)).save_to_disk(tmp_path / "few")
    found = opened(tmp_path / "few")
    few = head(found.train, "train")
    assert (few.count, [row["question"] for row in few.rows]) == (7, load(found.train)["question"][:])


def test_shards_without_rows_are_no_matter(tmp_path: Path) -> None:
    rows(2).save_to_disk(tmp_path / "shards", num_shards=2)
    state = json.loads((tmp_path / "shards" / "state.json").read_text())
    with pyarrow.ipc.new_stream(str(tmp_path / "shards" / "none.arrow"), rows(2).data.table.schema):
        pass
    state["_data_files"].insert(0, {"filename": "none.arrow"})
    (tmp_path / "shards" / "state.json").write_text(json.dumps(state))
    found = opened(tmp_path / "shards")
    assert head(found.train, "train").count == len(load(found.train)) == 2


def test_an_empty_data_set_is_refused(tmp_path: Path) -> None:
    rows(0).save_to_disk(tmp_path / "none")
    assert problems(tmp_path / "none")[0].what == "this split has no rows"


def test_splits_are_found_by_their_usual_names(splits: Path) -> None:
    found = opened(splits)
    assert [head(found.files(split), split).count for split in ("train", "validation", "test")] == [30, 5, 6]
    (note,) = found.notes
    assert note.value == "train = train; validation = dev; test = test"
    assert "unused: extra" in note.why


def test_splits_can_be_named_joined_and_left_out(splits: Path) -> None:
    found = opened(splits, train=["train", "extra"], validation=[], test="dev")
    assert head(found.train, "train").count == 34
    assert found.splits == ["train", "test"]
    assert head(found.test, "test").count == 5


def test_every_split_that_is_not_there_is_reported(splits: Path) -> None:
    first, second = problems(splits, validation="tset", test="qqq")
    assert first.mend == "did you mean dataset.validation=test?"
    assert second.mend == "splits: train, dev, test, extra"


def test_without_a_split_to_train_on_one_must_be_named(tmp_path: Path) -> None:
    from datasets import DatasetDict

    DatasetDict({"train_sft": rows(3), "test": rows(3)}).save_to_disk(tmp_path / "sft")
    (problem,) = problems(tmp_path / "sft")
    assert problem.mend == "name it: dataset.train=train_sft"
    DatasetDict({"test": rows(3)}).save_to_disk(tmp_path / "held_out")
    assert problems(tmp_path / "held_out")[0].mend == "name it: dataset.train=test"
    DatasetDict({"en": rows(3)}).save_to_disk(tmp_path / "lone")
    assert opened(tmp_path / "lone").splits == ["train"]


def test_class_ids_become_their_names(tmp_path: Path) -> None:
    from datasets import ClassLabel

    labels = ClassLabel(names=["entailment", "neutral", "contradiction"])
    data = rows(4).add_column("label", [2, 0, -1, 1]).cast_column("label", labels)
    data.save_to_disk(tmp_path / "nli")
    data.to_parquet(tmp_path / "nli.parquet")
    names = ["contradiction", "entailment", None, "neutral"]
    for files in (opened(tmp_path / "nli").train, (tmp_path / "nli.parquet",)):
        assert [row["label"] for row in head(files, "train").rows] == load(files)["label"][:] == names


def test_two_classes_stay_as_they_are(tmp_path: Path) -> None:
    from datasets import ClassLabel

    labels = ClassLabel(names=["different", "duplicate"])
    rows(2).add_column("label", [1, 0]).cast_column("label", labels).save_to_disk(tmp_path / "duplicates")
    files = opened(tmp_path / "duplicates").train
    assert [row["label"] for row in head(files, "train").rows] == load(files)["label"][:] == [1, 0]


def test_a_name_that_is_almost_right_is_mended(splits: Path) -> None:
    (problem,) = problems(splits.with_name("splts"))
    assert problem.mend == f"did you mean dataset.path={splits}?"
    (problem,) = problems(splits.parent)
    assert problem.mend == f"did you mean dataset.path={splits}?"


def test_what_was_not_written_by_save_to_disk_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path)
    assert "state.json" in problem.mend
    (tmp_path / "pairs.csv").write_text("question,answer\na,b\n")
    for place in (tmp_path, tmp_path / "pairs.csv"):
        (problem,) = problems(place)
        assert problem.mend == f"dataset=files dataset.train={tmp_path / 'pairs.csv'}"


def test_half_a_folder_is_refused(splits: Path) -> None:
    (splits / "test" / "data-00000-of-00001.arrow").unlink()
    assert problems(splits)[0].where.endswith("test/data-00000-of-00001.arrow")
    shutil.rmtree(splits / "dev")
    assert problems(splits)[0].what == "its split dev is not there"
    (splits / "dataset_dict.json").write_text("{")
    assert "not JSON" in problems(splits)[0].what


def test_the_digest_is_that_of_the_content(splits: Path, tmp_path: Path) -> None:
    shutil.copytree(splits, tmp_path / "copy")
    assert opened(tmp_path / "copy").digest() == opened(splits).digest() != opened(splits, test=[]).digest()
