"""A collection of one's own judges whatever was trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from small_collection import write_collection, write_qrels

from stbench.cache import Store
from stbench.data.prepare import prepare
from stbench.errors import Problem, Refused
from stbench.plan.plan import Plan

Planner = Callable[..., Plan]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "own", test=range(6), dev=range(6, 10))


@pytest.fixture
def own(folder: Path) -> list[str]:
    parts = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels/test.tsv"}
    return [f"evaluator.{part}={folder / name}" for part, name in parts.items()]


@pytest.fixture
def planned(plan_of: Planner, encoder: Path, data: Mapping[str, Path]) -> Planner:
    def made(*words: str, shape: str = "pair", **files: str) -> Plan:
        more = [f"dataset.{split}={data[name]}" for split, name in files.items()]
        return plan_of("dataset=files", f"dataset.train={data[shape]}", f"base_model={encoder}", *more, *words)

    return made


def asked(plan: Plan, tmp_path: Path) -> dict[str, set[str]]:
    """Queries by split, once the data is there."""
    splits = prepare(plan.data, Store(tmp_path / "store", "on"), None)
    return {split: set(found.queries) for split, found in splits.collections.items()}


def test_its_queries_give_the_verdict_and_the_datas_own_rows_choose_the_checkpoint(
    own: list[str], planned: Planner, tmp_path: Path
) -> None:
    plan = planned(*own)
    assert plan.evaluator.name == "retrieval"
    assert asked(plan, tmp_path) == {"test": {f"q{i}" for i in range(6)}}
    (line,) = [line for line in plan.decisions if line.what == "collection"]
    assert "selection queries search the data's own" in line.why


def test_a_test_file_of_the_data_gives_way(own: list[str], planned: Planner, tmp_path: Path) -> None:
    plan = planned(*own, test="pair")
    assert asked(plan, tmp_path).keys() == {"test"}
    assert plan.data.heads["test"].count == 12


def test_selection_judgements_of_its_own(own: list[str], folder: Path, planned: Planner, tmp_path: Path) -> None:
    plan = planned(*own, f"evaluator.selection_qrels={folder / 'qrels' / 'dev.tsv'}")
    assert asked(plan, tmp_path) == {"test": {f"q{i}" for i in range(6)}, "validation": {f"q{i}" for i in range(6, 10)}}


@pytest.mark.parametrize("files", [{}, {"validation": "scored_pair"}, {"test": "scored_pair"}])
def test_where_the_data_cannot_be_searched_the_queries_are_halved(
    files: dict[str, str], own: list[str], planned: Planner, tmp_path: Path
) -> None:
    plan = planned(*own, "loss=regression", shape="scored_pair", **files)
    assert plan.evaluator.name == "retrieval"
    found = asked(plan, tmp_path)
    assert {split: len(queries) for split, queries in found.items()} == {"validation": 3, "test": 3}
    assert not found["validation"] & found["test"]


def test_rerankers_rerank_it(own: list[str], planned: Planner) -> None:
    plan = planned(*own, "model=cross_encoder", "loss=contrastive")
    assert (plan.evaluator.name, plan.evaluator.first_stage_name, plan.evaluator.depth) == ("reranking", "BM25", 100)


def test_a_training_row_with_one_of_its_queries_is_left_out(
    own: list[str], plan_of: Planner, encoder: Path, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    rows = [[f"what is number {i}?", f"it is {i}"] for i in range(20)] + [["What is a  cactus?", "a plant"]]
    file = write_csv(tmp_path / "train.csv", ["question", "answer"], rows)
    plan = plan_of("dataset=files", f"dataset.train={file}", f"base_model={encoder}", "dataset.validation_size=1", *own)
    splits = prepare(plan.data, Store(tmp_path / "store", "on"), None)
    leaked = [*splits.train["anchor"], *splits.validation["anchor"]].count("What is a  cactus?")
    assert leaked == 0 or "What is a  cactus?" in splits.validation["anchor"]
    assert "What is a  cactus?" not in splits.train["anchor"]


def test_the_content_of_its_files_is_part_of_the_data(own: list[str], folder: Path, planned: Planner) -> None:
    plan = planned(*own)
    assert {file.name for file in plan.data.source.inputs} >= {"corpus.jsonl", "queries.jsonl", "test.tsv"}
    write_qrels(folder / "qrels" / "test.tsv", [("q1", "d1", 1)])
    assert planned(*own).data.source.digest() != plan.data.source.digest()


def test_negatives_are_not_mined_from_a_collection_that_only_judges(
    own: list[str], folder: Path, planned: Planner, plan_of: Planner, encoder: Path
) -> None:
    assert planned(*own, "loss=triplet").data.corpus is None
    trained = plan_of("dataset=beir", f"dataset.path={folder}", f"base_model={encoder}", "loss=triplet").data.corpus
    assert trained is not None


def problems(planned: Planner, *words: str, **more: str) -> list[Problem]:
    with pytest.raises(Refused) as caught:
        planned(*words, **more)
    assert all(problem.mend for problem in caught.value.problems)
    return list(caught.value.problems)


def test_a_collection_needs_all_three_parts(own: list[str], planned: Planner) -> None:
    assert [problem.where for problem in problems(planned, own[0])] == ["evaluator.queries", "evaluator.qrels"]
    assert [problem.mend for problem in problems(planned, *own[1:])] == ["evaluator.corpus=FILE"]


def test_files_that_are_not_there_are_looked_for(own: list[str], folder: Path, planned: Planner) -> None:
    found = problems(planned, *own[1:], f"evaluator.corpus={folder / 'corpsu.jsonl'}")
    assert [problem.mend for problem in found] == [f"did you mean evaluator.corpus={folder / 'corpus.jsonl'}?"]


def test_an_evaluator_that_searches_nothing_cannot_use_it(own: list[str], planned: Planner) -> None:
    found = problems(planned, *own, "evaluator=translation")
    assert any(problem.where.startswith("evaluator.corpus=") for problem in found)


def test_judgements_of_other_files_are_refused(own: list[str], folder: Path, planned: Planner) -> None:
    write_qrels(folder / "qrels" / "test.tsv", [("a", "b", 1)])
    (problem,) = problems(planned, *own)
    assert "no query has a relevant document" in problem.what
