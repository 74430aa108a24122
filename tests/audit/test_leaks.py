"""Planted leaks are found and named; rows without any are left alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, concatenate_datasets
from planted import COMMON, WORDS, changed, questions, sentences

from stbench.audit.entries import Unit, entries_of, samples_of
from stbench.audit.leaks import Leak, leaks_of
from stbench.cache import Store

TRAINING, HELD, PLANTED = 1200, 400, 20
"""Rows; five percent of the held-out ones are planted."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


def pairs(number: int, seed: int) -> Dataset:
    """Questions with an answer."""
    return Dataset.from_dict({"anchor": sentences(number, seed), "positive": sentences(number, seed + 1, (20, 30))})


def scored(number: int, seed: int) -> Dataset:
    """Pairs of sentences, each of which stands in two of them, with a score."""
    texts, draw = sentences(number, seed), random.Random(seed)
    return Dataset.from_dict({
        "anchor": texts, "positive": [*texts[1:], texts[0]], "score": [draw.randrange(50) / 50 for _ in texts],
    })  # fmt: skip


def labelled(number: int, seed: int) -> Dataset:
    draw = random.Random(seed)
    return Dataset.from_dict({"text": sentences(number, seed), "label": [draw.randrange(9) for _ in range(number)]})


DATA: dict[Unit, Callable[[int, int], Dataset]] = {"query": pairs, "pair": scored, "text": labelled}


def found(train: Dataset, test: Dataset, unit: Unit, store: Store, **more: Any) -> tuple[set[int], set[int]]:
    """Rows of `test` that are leaks word for word, and those that nearly are."""
    samples = samples_of(test, unit)
    leaks = leaks_of(entries_of(train, unit, **more), samples, store)
    exact = {samples[leak.sample].row for leak in leaks if leak.exact}
    return exact, {samples[leak.sample].row for leak in leaks} - exact


@pytest.mark.parametrize("unit", DATA)
def test_where_nothing_was_planted_hardly_anything_is_found(unit: Unit, store: Store) -> None:
    exact, near = found(DATA[unit](TRAINING, 1), DATA[unit](HELD, 5), unit, store)
    assert not exact
    assert len(near) < 0.01 * HELD


@pytest.mark.parametrize("unit", DATA)
def test_five_percent_of_the_samples_copied_into_the_training_rows_are_found(unit: Unit, store: Store) -> None:
    test = DATA[unit](HELD, 5)
    planted = test.select(range(0, HELD, HELD // PLANTED))
    if unit == "query":  # another answer hides nothing
        planted = planted.remove_columns("positive").add_column("positive", sentences(PLANTED, 9))
    shouted = planted.map(lambda row: {name: f" {text.upper()}" for name, text in row.items() if isinstance(text, str)})
    exact, near = found(concatenate_datasets([DATA[unit](TRAINING, 1), shouted]), test, unit, store)
    assert exact == set(range(0, HELD, HELD // PLANTED))
    assert len(near) < 0.01 * HELD


@pytest.mark.parametrize("unit", DATA)
@pytest.mark.parametrize("columns", [("anchor", "text"), ("anchor", "positive", "text")])
def test_copies_with_a_word_changed_are_found(unit: Unit, columns: tuple[str, ...], store: Store) -> None:
    test = DATA[unit](HELD, 5)
    places = range(0, HELD, HELD // PLANTED)

    def change(row: dict[str, Any], number: int) -> dict[str, Any]:
        return {name: changed(text, number) for name, text in row.items() if name in columns}

    planted = test.select(places).map(change, with_indices=True)
    exact, near = found(concatenate_datasets([DATA[unit](TRAINING, 1), planted]), test, unit, store)
    assert not exact
    assert len(near & set(places)) >= 0.75 * PLANTED
    assert len(near - set(places)) < 0.01 * HELD


def test_questions_that_differ_in_what_they_are_about_are_no_copies(store: Store) -> None:
    """They share nearly all of their words, and here even the answer."""
    train = Dataset.from_dict({"anchor": questions(900)[:600], "positive": ["ask a doctor"] * 600})
    test = Dataset.from_dict({"anchor": questions(900)[600:], "positive": ["ask a doctor"] * 300})
    assert found(train, test, "query", store) == (set(), set())


def test_of_a_pair_both_texts_must_be_nearly_the_same(store: Store) -> None:
    """Each question is about something else, whatever is said beside it."""
    texts = sentences(300, 1, (20, 30))
    train = Dataset.from_dict({"anchor": questions(600)[:300], "positive": texts, "score": [0.5] * 300})
    test = Dataset.from_dict({"anchor": questions(600)[300:], "positive": texts, "score": [0.5] * 300})
    assert found(train, test, "pair", store) == (set(), set())


def test_a_single_text_must_be_more_than_half_the_same(store: Store) -> None:
    """Fourteen common words and the one that counts."""
    texts = [f"{' '.join(COMMON[:14])} {word}" for word in WORDS[:400]]
    train, test = (Dataset.from_dict({"text": some, "label": [1] * 200}) for some in (texts[:200], texts[200:]))
    assert found(train, test, "text", store) == (set(), set())


ROW = {"anchor": "how do i reset the password of my account", "positive": "open the settings and choose a new one"}
NEAR = "how can i reset the password of my account"


def beside(row: dict[str, Any]) -> Dataset:
    """`row` among others, without which every word would be a common one."""
    others = sentences(300, seed=3)
    fill = [{**row, "anchor": text, "positive": f"{text} or not"} for text in others]
    return Dataset.from_list([row, *fill])


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "exact"),
        ({"positive": "call us"}, "exact"),
        ({"anchor": NEAR}, "near"),
        ({"anchor": NEAR, "positive": "open the settings and choose a good one"}, "near"),
        ({"anchor": NEAR, "positive": "call us"}, ""),
        ({"anchor": "what else", "positive": ROW["anchor"]}, "exact"),
        ({"anchor": "what else", "positive": NEAR}, ""),
        ({"anchor": "what else"}, ""),
    ],
)
def test_a_query_leaks_alone_or_nearly_with_its_answer(changes: dict[str, str], kind: str, store: Store) -> None:
    exact, near = found(beside({**ROW, **changes}), Dataset.from_list([ROW]), "query", store)
    assert (bool(exact), bool(near)) == (kind == "exact", kind == "near")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "exact"),
        ({"score": 0.9}, "exact"),
        ({"anchor": ROW["positive"], "positive": ROW["anchor"]}, "exact"),
        ({"anchor": NEAR}, "near"),
        ({"anchor": NEAR, "score": 0.51}, "near"),
        ({"anchor": NEAR, "score": 0.6}, ""),
        ({"anchor": ROW["positive"], "positive": NEAR}, "near"),
        ({"positive": "call us"}, ""),
    ],
)
def test_a_pair_leaks_as_a_whole_and_nearly_with_its_score(changes: dict[str, Any], kind: str, store: Store) -> None:
    row = {**ROW, "score": 0.5}
    exact, near = found(beside({**row, **changes}), Dataset.from_list([row]), "pair", store)
    assert (bool(exact), bool(near)) == (kind == "exact", kind == "near")


def test_pairs_whose_texts_have_roles_are_not_turned_round(store: Store) -> None:
    row = {**ROW, "label": 1}
    for anchor in (ROW["anchor"], NEAR):
        turned = beside({"anchor": ROW["positive"], "positive": anchor, "label": 1})
        assert found(turned, Dataset.from_list([row]), "pair", store, ordered=True) == (set(), set())
        assert found(turned, Dataset.from_list([row]), "pair", store) != (set(), set())


@pytest.mark.parametrize(("label", "kind"), [(2, "near"), (3, ""), (None, "")])
def test_a_text_leaks_with_its_label(label: int | None, kind: str, store: Store) -> None:
    others = [{"text": text, "label": 2} for text in sentences(300, seed=3)]
    given = [{"text": NEAR, "label": label}, *others]
    train = Dataset.from_list(
        [{name: value for name, value in row.items() if label is not None or name == "text"} for row in given]
    )
    exact, near = found(train, Dataset.from_list([{"text": ROW["anchor"], "label": 2}]), "text", store)
    assert (exact, bool(near)) == (set(), kind == "near")


def test_texts_without_any_answer_leak_by_themselves(store: Store) -> None:
    train = Dataset.from_dict({"text": [NEAR, *sentences(300, seed=3)]})
    assert found(train, Dataset.from_dict({"text": [ROW["anchor"], "what else is there"]}), "text", store) == (
        set(),
        {0},
    )


def test_what_was_found_is_kept_by_content(store: Store) -> None:
    train, test = beside({**ROW, "anchor": NEAR}), Dataset.from_list([ROW])
    entries, samples = entries_of(train, "query"), samples_of(test, "query")
    first = leaks_of(entries, samples, store)
    assert [(leak.entry, leak.sample, leak.exact) for leak in first] == [(0, 0, False)]
    assert 0.65 <= first[0].likeness < 1
    assert all(isinstance(leak, Leak) for leak in first)
    again = Store(store._folder, "on")
    assert leaks_of(entries, samples, again) == first
    assert len(again.taken) == 1
    assert leaks_of(entries[1:], samples, again) == []
    assert len(again.made) == 1


@pytest.mark.parametrize(
    ("train", "test"), [([], [ROW]), ([{"anchor": "!", "positive": "?"}], [{"anchor": "?", "positive": "!"}])]
)
def test_little_to_compare_is_compared(train: list[dict[str, Any]], test: list[dict[str, Any]], store: Store) -> None:
    rows = Dataset.from_list(train) if train else Dataset.from_dict({"anchor": [], "positive": []})
    exact, near = found(rows, Dataset.from_list(test), "query", store)
    assert (bool(exact), bool(near)) == (bool(train), False)
