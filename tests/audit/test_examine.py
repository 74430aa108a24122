"""The data of a run as a user has it: files, their plan, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from planted import COMMON, changed, sentences
from small_collection import write_jsonl, write_qrels

from stbench.audit.examine import examine
from stbench.audit.finding import Audit
from stbench.cache import Store
from stbench.data.mixture import prepare_all

if TYPE_CHECKING:
    from stbench.plan.plan import Plan

Row = dict[str, Any]
Planner = Callable[..., "Plan"]
QUERIES, ANSWERS = sentences(500, 1, (9, 12)), sentences(500, 2, (20, 30))
ROWS = [{"query": query, "answer": answer} for query, answer in zip(QUERIES, ANSWERS, strict=True)]
TRAIN, SELECTION, TEST = ROWS[:300], ROWS[300:400], ROWS[400:]


def written(file: Path, rows: list[Row]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture
def audited(tmp_path: Path, plan_of: Planner) -> Callable[..., tuple[Audit, Any]]:
    """The audit of files with these rows, and the splits."""

    def made(
        train: list[Row], *words: str, selection: list[Row] = SELECTION, test: list[Row] = TEST
    ) -> tuple[Audit, Any]:
        given = {"train": train, "validation": selection, "test": test}
        files = [f"dataset.{name}={written(tmp_path / f'{name}.jsonl', rows)}" for name, rows in given.items()]
        return judged(plan_of("dataset=files", *files, *words), tmp_path)

    return made


def judged(plan: Plan, place: Path) -> tuple[Audit, Any]:
    store = Store(place / "store", "on")
    splits = prepare_all(plan, store, None, None)
    return examine(plan, splits, store), splits


def told(audit: Audit) -> dict[str, tuple[int, int]]:
    return {one.metric: (one.count, one.of) for one in audit.findings}


def near(row: Row, seed: int) -> Row:
    return {**row, "query": changed(row["query"], seed, COMMON)}


def test_clean_rows_are_clean(audited: Callable[..., tuple[Audit, Any]]) -> None:
    audit, _ = audited(TRAIN)
    assert (audit.findings, dict(audit.cleaned), audit.leak) == ((), {}, None)


def test_a_planted_leak_is_named_with_examples_and_override(audited: Callable[..., tuple[Audit, Any]]) -> None:
    """Five of a hundred test queries: three with another answer, two with a word changed."""
    planted = [{**row, "answer": "something else"} for row in TEST[:3]] + [near(row, 1) for row in TEST[3:5]]
    audit, _ = audited([*TRAIN, *planted, near(SELECTION[0], 2)])
    assert told(audit) == {"test_leak": (5, 100), "selection_leak": (1, 100)}
    leak = audit.leak
    assert leak is not None
    words = "stand in the training data, 3 word for word, 2 with about a word changed"
    assert leak.says == f"5 of 100 test queries (5.0 %) {words}"
    assert leak.override == "dataset.leaks=drop"
    assert [one[0][1] == one[1][1] for one in leak.examples] == [True, False, True]
    assert leak.examples[0] == (("test", TEST[0]["query"]), ("training", TEST[0]["query"]))
    assert audit.reservations(0.01)[0].startswith("5.0 % of the test queries stand in the training data")
    assert audit.findings[1].what == "stand in the training data with about a word changed"


def test_the_override_removes_it(audited: Callable[..., tuple[Audit, Any]]) -> None:
    planted = [{**row, "answer": "something else"} for row in TEST[:3]] + [near(row, 1) for row in TEST[3:5]]
    audit, splits = audited([*TRAIN, *planted], "dataset.leaks=drop")
    assert told(audit) == {}
    assert len(splits.train) == 300
    assert dict(audit.cleaned) == {"training rows like held-out ones, left out": 5}


def test_whole_rows_of_the_test_split_never_reach_the_training(audited: Callable[..., tuple[Audit, Any]]) -> None:
    audit, splits = audited([*TRAIN, *TEST[:5]])
    assert told(audit) == {}
    assert (len(splits.train), dict(audit.cleaned)) == (300, {"training rows that are also held out, left out": 5})


def test_documents_that_training_and_test_share_are_no_leak(audited: Callable[..., tuple[Audit, Any]]) -> None:
    shared = [{"query": one["query"], "answer": other["answer"]} for one, other in zip(TEST, TRAIN, strict=False)]
    audit, _ = audited(TRAIN, test=shared)
    assert told(audit) == {}


def test_noise_is_counted(audited: Callable[..., tuple[Audit, Any]]) -> None:
    scored = [
        {"sentence1": row["query"], "sentence2": row["answer"], "score": i % 5 / 4} for i, row in enumerate(TRAIN)
    ]
    first = scored[0]
    noise = [
        {**first, "score": 1.0}, {**first, "score": 0.75}, {**first, "sentence1": "  ", "score": 1.0},
        {**scored[1], "sentence1": scored[1]["sentence2"], "sentence2": scored[1]["sentence1"]},
    ]  # fmt: skip
    held = {"selection": scored[100:200], "test": scored[200:]}
    rows = [*scored[:100], *noise]
    audit, _ = audited(rows, "loss=regression", **held)
    assert told(audit) == {"repeated": (3, 103), "contradictions": (3, 103)}
    assert audit.cleaned["rows without text (train)"] == 1
    assert "0 and 0.75 and 1" in str(audit.findings[1].examples)
    drop = ("dataset.duplicates=drop", "dataset.contradictions=drop")
    audit, splits = audited(rows, "loss=regression", *drop, **held)
    assert told(audit) == {}
    assert len(splits.train) == 99


def test_classes_beyond_the_head_of_the_file_have_one_id_in_all_splits(
    audited: Callable[..., tuple[Audit, Any]],
) -> None:
    """A near copy is one only with the same class."""
    texts = [{"text": row["query"], "category": f"class {i // 30}"} for i, row in enumerate(TRAIN)]
    late = {"text": TEST[0]["query"], "category": "late"}
    held = [{"text": row["query"], "category": f"class {i % 9}"} for i, row in enumerate(TEST[1:])]
    copy = {**late, "text": changed(late["text"], 1, COMMON)}
    for train, number in ((copy, 1), ({**copy, "category": "later"}, 0)):
        audit, _ = audited([*texts, {"text": "one more", "category": "new"}, train], test=[*held, late], selection=held)
        assert (audit.leak.count if audit.leak else 0) == number


def test_negatives_that_are_positives_are_named(audited: Callable[..., tuple[Audit, Any]]) -> None:
    rows = [{**row, "negative": other["answer"]} for row, other in zip(TRAIN, TEST * 3, strict=False)]
    rows[7]["negative"] = changed(rows[7]["answer"], 1)
    rows[8]["negative"] = rows[8]["answer"]
    audit, _ = audited(rows)
    assert told(audit) == {"near_positives": (2, 300)}
    assert audit.findings[0].examples[0][0] == ("query", rows[7]["query"])
    audit, splits = audited(rows, "negatives.near_positives=drop")
    assert (told(audit), len(splits.train)) == ({}, 298)
    audit, _ = audited(rows, "negatives=in_batch")
    assert told(audit) == {}


def test_judged_queries_of_a_collection_are_looked_for(tmp_path: Path, plan_of: Planner) -> None:
    """A test query with a word changed in the training queries leaks where both find the same document."""
    ids = range(100)
    folder, asked = tmp_path / "collection", [*QUERIES[:100], *(changed(QUERIES[i], i, COMMON) for i in (80, 81))]
    folder.mkdir()
    write_jsonl(folder / "corpus.jsonl", [{"_id": f"d{i}", "title": "", "text": ANSWERS[i]} for i in ids])
    write_jsonl(folder / "queries.jsonl", [{"_id": f"q{i}", "text": text} for i, text in enumerate(asked)])
    train = [(f"q{i}", f"d{i}", 1) for i in range(60)]
    write_qrels(folder / "qrels" / "train.tsv", [*train, ("q0", "d1", 1), ("q100", "d80", 1), ("q101", "d5", 1)])
    write_qrels(folder / "qrels" / "dev.tsv", [(f"q{i}", f"d{i}", 1) for i in range(60, 80)])
    write_qrels(folder / "qrels" / "test.tsv", [(f"q{i}", f"d{i}", 1) for i in range(80, 100)])
    audit, _ = judged(plan_of("dataset=beir", f"dataset.path={folder}"), tmp_path)
    assert told(audit) == {"test_leak": (1, 20)}
    audit, _ = judged(plan_of("dataset=beir", f"dataset.path={folder}", "dataset.leaks=drop"), tmp_path)
    assert told(audit) == {}


def test_each_part_of_a_mixture_is_judged_beside_the_rows_of_all(tmp_path: Path, plan_of: Planner) -> None:
    files = {
        "a": TRAIN[:150], "a_test": TEST[:50], "a_selection": SELECTION[:50],
        "b": [*TRAIN[150:], *(near(row, 1) for row in TEST[:3]), near(TEST[50], 1)], "b_test": TEST[50:], "b_selection": SELECTION[50:],
    }  # fmt: skip
    words = ["dataset=mixture"]
    for name, rows in files.items():
        part, _, split = name.partition("_")
        option = {"": "train", "test": "test", "selection": "validation"}[split]
        words.append(f"dataset.parts.{part}.{option}={written(tmp_path / f'{name}.jsonl', rows)}")
    audit, _ = judged(plan_of(*words), tmp_path)
    assert told(audit) == {"a.test_leak": (3, 50), "b.test_leak": (1, 50)}
    assert audit.leak is not None
    assert (audit.leak.part, audit.leak.override) == ("a", "dataset.parts.b.leaks=drop")
    assert audit.leak.says.startswith("a: 3 of 50 test queries (6.0 %)")
    audit, splits = judged(plan_of(*words, "dataset.parts.b.leaks=drop"), tmp_path)
    assert told(audit) == {}
    assert len(splits.parts["b"].train) == 150
