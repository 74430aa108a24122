"""Which rows are judged where nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_collection import write_collection

from stbench.cache import Store
from stbench.errors import Refused
from stbench.jobs.evaluation_plan import plan_evaluation
from stbench.jobs.judged import judged_rows
from stbench.plan.make import make_plan

Planner = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


@pytest.fixture
def planned(say: Callable[..., Any], store: Store) -> Planner:
    def made(*words: str) -> Any:
        said = say("job=evaluate", *words)
        return plan_evaluation(said.sentence, said.chosen, "run", store)

    return made


def rows(plan: Any, store: Store) -> list[str]:
    splits = judged_rows(plan.data, plan.rows.whole, store)
    return list(splits.test["anchor"])


def test_a_test_file_alone_is_judged_as_a_whole(planned: Planner, data: Mapping[str, Path], store: Store) -> None:
    plan = planned("dataset=files", f"dataset.test={data['pair']}")
    assert plan.rows.whole
    assert len(rows(plan, store)) == 40


def test_so_is_a_validation_file_alone(planned: Planner, data: Mapping[str, Path], store: Store) -> None:
    plan = planned("dataset=files", f"dataset.validation={data['pair']}")
    assert plan.rows.whole
    assert len(rows(plan, store)) == 40


@pytest.mark.parametrize("validation", [False, True])
def test_without_a_test_file_the_rows_are_those_that_training_holds_out(
    validation: bool, planned: Planner, say: Callable[..., Any], data: Mapping[str, Path], tmp_path: Path,
    write_csv: Callable[..., Path], store: Store,
) -> None:  # fmt: skip
    from stbench.data.prepare import prepare

    words = ["dataset=files", f"dataset.train={data['pair']}"]
    if validation:
        held = write_csv(tmp_path / "dev.csv", ["question", "answer"], [[f"q {i}", f"a {i}"] for i in range(9)])
        words.append(f"dataset.validation={held}")
    plan = planned(*words)
    said = say(*words)
    trained = prepare(make_plan(said.sentence, said.chosen, "run", store).data, store, None)
    assert not plan.rows.whole
    assert rows(plan, store) == list(trained.test["anchor"])
    assert not set(rows(plan, store)) & set(trained.train["anchor"])


def test_training_rows_tell_the_classes(
    planned: Planner, tmp_path: Path, data: Mapping[str, Path], write_csv: Callable[..., Path], encoder: Path
) -> None:
    some = write_csv(tmp_path / "some.csv", ["question", "answer", "label"], [["q", "a", "neutral"]])
    files = ["dataset=files", f"dataset.test={some}", f"dataset.train={data['class_pair']}"]
    plan = planned("model=cross_encoder", f"base_model={encoder}", *files)
    assert plan.data.mapped["test"].classes == ("contradiction", "entailment", "neutral")
    assert plan.data.source.splits == ["test"]


def test_a_lone_test_file_of_a_collection_keeps_all_its_queries(planned: Planner, tmp_path: Path, store: Store) -> None:
    plan = planned("dataset=beir", f"dataset.path={write_collection(tmp_path / 'beir', test=range(10))}")
    splits = judged_rows(plan.data, plan.rows.whole, store)
    assert (plan.rows.whole, len(splits.collections["test"].queries), len(splits.collections["test"].corpus)) == (
        True,
        10,
        20,
    )
    assert not any("split by content hash" in line.why for line in plan.decisions)


def test_test_judgements_are_judged_alone(planned: Planner, tmp_path: Path, store: Store) -> None:
    folder = write_collection(tmp_path / "beir", train=range(6), test=range(6, 10))
    plan = planned("dataset=beir", f"dataset.path={folder}")
    assert plan.rows.whole
    assert len(judged_rows(plan.data, plan.rows.whole, store).collections["test"].queries) == 4


def test_of_training_judgements_alone_only_what_training_holds_out(
    planned: Planner, tmp_path: Path, store: Store
) -> None:
    folder = write_collection(tmp_path / "beir", train=range(10))
    plan = planned("dataset=beir", f"dataset.path={folder}", "dataset.test_size=4")
    assert not plan.rows.whole
    assert 2 <= len(judged_rows(plan.data, plan.rows.whole, store).collections["test"].queries) <= 4


def test_a_split_of_a_folder_on_disk_may_be_the_only_one(planned: Planner, tmp_path: Path, store: Store) -> None:
    from datasets import Dataset, DatasetDict

    held = Dataset.from_dict({"question": ["q 1", "q 2"], "answer": ["a 1", "a 2"]})
    DatasetDict({"dev": held}).save_to_disk(str(tmp_path / "disk"))
    plan = planned("dataset=disk", f"dataset.path={tmp_path / 'disk'}")
    assert rows(plan, store) == ["q 1", "q 2"]


def test_training_still_wants_rows_to_train_on(
    say: Callable[..., Any], tmp_path: Path, data: Mapping[str, Path], store: Store
) -> None:
    said = say("dataset=files", f"dataset.test={data['pair']}")
    with pytest.raises(Refused, match="no file to train on"):
        make_plan(said.sentence, said.chosen, "run", store)


def test_without_any_file_the_refusal_says_what_to_name(planned: Planner) -> None:
    with pytest.raises(Refused, match=r"dataset\.test=pairs\.csv"):
        planned("dataset=files")


def test_rows_without_anything_to_judge_are_refused(
    planned: Planner, tmp_path: Path, write_csv: Callable[..., Path], store: Store
) -> None:
    empty = write_csv(tmp_path / "empty.csv", ["question", "answer"], [["q", ""]])
    plan = planned("dataset=files", f"dataset.test={empty}")
    with pytest.raises(Refused, match="no test rows are left"):
        judged_rows(plan.data, plan.rows.whole, store)


def test_a_collection_of_the_evaluators_own_is_judged_whatever_data_was_said(
    planned: Planner, tmp_path: Path, data: Mapping[str, Path], store: Store
) -> None:
    folder = write_collection(tmp_path / "beir", test=range(10))
    files = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels/test.tsv"}
    words = [f"evaluator.{part}={folder / name}" for part, name in files.items()]
    plan = planned("dataset=files", f"dataset.test={data['scored_pair']}", *words)
    assert plan.evaluator.name == "retrieval"
    assert len(judged_rows(plan.data, plan.rows.whole, store).collections["test"].queries) == 10
    lines = {line.what: line.value for line in plan.decisions}
    assert lines["data"].startswith("own collection")
    assert "selection" not in next(line.why for line in plan.decisions if line.what == "collection")
