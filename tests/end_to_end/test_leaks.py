"""Test queries that were trained on: found, named, and no ground for a WIN; the override that is offered removes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from end_to_end.places import Done, Place
from planted import COMMON, changed, sentences

pytestmark = pytest.mark.slow
WORDS = (
    "dataset=files", "dataset.train=train.jsonl", "dataset.test=test.jsonl", "training.max_steps=4",
    "training.batch_size=32", "tracker=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(new_place: Callable[[str], Place]) -> Place:
    """Five of a hundred test queries stand in the training data: three with another answer, two with a word changed."""
    queries, answers = sentences(400, 1, (9, 12)), sentences(400, 2, (20, 30))
    rows = [{"query": query, "answer": answer} for query, answer in zip(queries, answers, strict=True)]
    planted = [{**row, "answer": "something else"} for row in rows[300:303]]
    planted += [{**row, "query": changed(row["query"], 1, COMMON)} for row in rows[303:305]]
    found = new_place("leaks")
    for name, some in {"train": [*rows[:300], *planted], "test": rows[300:]}.items():
        lines = [json.dumps(row) + "\n" for row in some]
        (found.folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def leaking(place: Place) -> Done:
    return place.run(*WORDS)


def read(place: Place, done: Done, name: str) -> Any:
    return json.loads((place.folder / "experiments" / done.last.rpartition("run=")[2] / name).read_text("utf-8"))


def test_the_leak_is_named_and_denies_the_win(place: Place, leaking: Done) -> None:
    assert leaking.code == 0, leaking.err
    says = "5 of 100 test queries (5.0 %) stand in the training data, 3 word for word, 2 with about a word changed"
    assert f"! {says}: dataset.leaks=drop" in leaking.out
    assert "| leak=0.0500 | metric=" in leaking.last
    assert not leaking.last.startswith("VERDICT: WIN")
    assert "5.0 % of the test queries stand in the training data" in leaking.out.splitlines()[-3]
    (finding,) = [one for one in read(place, leaking, "audit.json")["findings"] if one["name"] == "test_leak"]
    assert (finding["says"], len(finding["examples"])) == (says, 3)
    run = leaking.last.rpartition("run=")[2]
    assert says in (place.folder / "experiments" / run / "report.html").read_text("utf-8")


def test_without_the_leaking_rows_nothing_is_said_of_a_leak(place: Place, leaking: Done) -> None:
    done = place.run(*WORDS, "dataset.leaks=drop")
    assert done.code == 0, done.err
    assert "! 5 training rows like held-out ones, left out" in done.out
    assert "leak" not in done.last.replace("dataset.leaks", "")
    assert read(place, done, "audit.json")["findings"] == []
