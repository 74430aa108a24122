from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from stbench.cache import Store
from stbench.data.mixture import LEAKED, prepare_all, without_leaks
from stbench.data.positives import Positives
from stbench.data.prepare import describe
from stbench.data.splits import Splits, content_hash
from stbench.errors import Refused
from stbench.models.miner import Miner
from stbench.plan.plan import Plan

Rows = list[dict[str, Any]]


def splits(train: Rows, held: Rows, validation: Rows | None = None) -> Splits:
    rows = [Dataset.from_list(some) for some in (train, validation or held, held)]
    return Splits(*rows, shape="pair")


def pair(anchor: str, positive: str, **more: Any) -> dict[str, Any]:
    return {"anchor": anchor, "positive": positive, **more}


OWN = splits([pair("a", "b")], [pair("c", "d")])


@pytest.mark.parametrize(
    ("row", "held"),
    [
        (pair("q", "p"), pair("q", "p", score=0.5)),
        (pair("q", "p"), pair("P ", "q")),
        (pair("q", "p"), {"anchor": "q", "documents": ["x", "p"], "relevance": [1.0, 0.0]}),
        (pair("q", "x", negative="p"), pair("q", "p", label=0)),
        ({"anchor": "q", "documents": ["x", "p"], "relevance": [1.0, 0.0]}, pair("p", "q")),
        ({"text": "q", "label": 1}, {"text": "q", "label": 0}),
        ({"text": "q", "translation": "p"}, pair("q", "p")),
    ],
)
def test_texts_that_another_part_holds_out_side_by_side_are_not_trained_on(row: Any, held: Any) -> None:
    other = {name: "z" if isinstance(value, str) else value for name, value in row.items()}
    other |= {"documents": ["y", "z"]} if "documents" in row else {}
    found = without_leaks({"first": splits([row, other], [pair("e", "f")]), "second": splits([pair("a", "b")], [held])})
    assert list(found["first"].train) == [other]
    assert found["first"].counts == {LEAKED: 1}
    assert list(found["second"].train) == [pair("a", "b")]
    assert found["second"].counts == {}


def test_the_rows_that_choose_the_checkpoint_are_held_out_too() -> None:
    other = splits([pair("a", "b")], [pair("c", "d")], validation=[pair("q", "p")])
    found = without_leaks({"first": splits([pair("q", "p"), pair("e", "f")], [pair("g", "h")]), "second": other})
    assert list(found["first"].train) == [pair("e", "f")]


def test_the_same_query_with_another_text_is_another_pair() -> None:
    kept = [pair("q", "p"), pair("q", "r")]
    found = without_leaks(
        {"first": splits(kept, [pair("e", "f")]), "second": splits([pair("a", "b")], [pair("q", "x")])}
    )
    assert list(found["first"].train) == kept


def test_a_part_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        without_leaks({"first": splits([pair("c", "d")], [pair("e", "f")]), "second": OWN})
    (problem,) = caught.value.problems
    assert problem.where == "dataset.parts.first"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


@pytest.fixture
def mixed(plan_of: Callable[..., Plan], encoder: Path, data: Mapping[str, Path]) -> Callable[..., Plan]:
    def planned(*words: str, **parts: str) -> Plan:
        trained = [f"dataset.parts.{name}.train={data[shape]}" for name, shape in parts.items()]
        return plan_of("dataset=mixture", f"base_model={encoder}", *trained, *words)

    return planned


def test_each_part_is_split_and_converted_on_its_own(mixed: Callable[..., Plan], store: Store) -> None:
    words = ("dataset.parts.scores.loss=CoSENTLoss", "dataset.parts.scores.limit=5", "dataset.decides=scores")
    plan = mixed("negatives=in_batch", *words, pairs="triplet", scores="scored_pair")
    found = prepare_all(plan, store, None, None)
    assert list(found.parts) == ["pairs", "scores"]
    assert found.parts["pairs"].train.column_names == ["anchor", "positive"]
    assert found.train == found.parts["scores"].train
    assert (len(found.train), found.training_rows) == (5, 5 + len(found.parts["pairs"].train))
    assert describe(found, ()).startswith(
        f"{found.training_rows} training ({found.training_rows - 5} pairs, 5 scores), "
    )


def test_parts_of_one_file_hold_out_the_same_rows(mixed: Callable[..., Plan], store: Store) -> None:
    found = prepare_all(mixed("dataset.parts.b.loss=triplet", a="triplet", b="triplet"), store, None, None)
    assert set(found.parts["a"].test["anchor"]) == set(found.parts["b"].test["anchor"])
    assert not any(LEAKED in what for what in found.counts)


def test_what_cleaning_did_is_counted_by_part(
    mixed: Callable[..., Plan], store: Store, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    file = write_csv(
        tmp_path / "odd.csv", ["question", "answer"], [*[[f"q{i}", f"a{i}"] for i in range(20)], ["q", ""]]
    )
    plan = mixed(f"dataset.parts.odd.train={file}", pairs="pair")
    assert prepare_all(plan, store, None, None).counts == {"odd: rows without text (train)": 1}


def test_rows_that_cannot_be_used_are_told_with_the_part(
    mixed: Callable[..., Plan], store: Store, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    file = write_csv(tmp_path / "few.csv", ["question", "answer"], [["q", "a"], ["r", "b"]])
    with pytest.raises(Refused) as caught:
        prepare_all(mixed(f"dataset.parts.few.train={file}", pairs="pair"), store, None, None)
    (problem,) = caught.value.problems
    assert problem.where == "dataset.parts.few"
    assert "dataset.parts.few.test_size=…" in problem.mend


def test_what_one_part_says_is_a_positive_is_no_negative_of_another(
    mixed: Callable[..., Plan], store: Store, tmp_path: Path, write_csv: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from stbench.data import prepare

    pools: list[Any] = []

    def mined(train: Any, target: Any, settings: Any, miner: Any, store: Any, pool: Any, rescorer: Any) -> Any:
        pools.append(pool)
        raise Refused()

    monkeypatch.setattr(prepare, "mine", mined)
    first = write_csv(tmp_path / "a.csv", ["question", "answer"], [[f"q{i}", f"a{i}"] for i in range(30)])
    second = write_csv(tmp_path / "b.csv", ["question", "answer"], [[f"q{i}", f"b{i}"] for i in range(40)])
    words = (f"dataset.parts.first.train={first}", f"dataset.parts.second.train={second}", "loss=triplet")
    with pytest.raises(Refused):
        prepare_all(mixed(*words), store, Miner(None, "cpu"), None)  # type: ignore[arg-type]
    trained = next(
        text for text in (f"q{i}" for i in range(30)) if content_hash(f"b{text[1:]}") in pools[0].known.of(text)
    )
    assert content_hash(f"a{trained[1:]}") in pools[0].known.of(trained)


def test_positives_of_others_that_are_about_nothing_here_change_nothing() -> None:
    own, other = Positives([("q", "a")]), Positives([("r", "b")])
    assert own.with_those_of([other], ["q"]) is own
    assert content_hash("b") in own.with_those_of([other], ["q", "r"]).of("r")
    assert own.of("r") == {content_hash("r")}
