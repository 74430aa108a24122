from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data.sources import Source, head, lists, load, open_source
from stbench.errors import Problem, Refused

Write = Callable[..., Path]


@pytest.fixture
def write(workplace: Path) -> Write:
    def lines(*rows: Mapping[str, Any], name: str = "rows.jsonl") -> Path:
        file = workplace / name
        array = file.suffix == ".json"
        file.write_text(json.dumps(rows, indent=1) if array else "".join(json.dumps(row) + "\n" for row in rows))
        return file

    return lines


def opened(train: Path, num_negatives: int | None = None, **more: Any) -> Source:
    choice = DatasetChoice(source="files", train=str(train), num_negatives=num_negatives, **more)
    return open_source(choice, Store(train.parent / "store", "on"))


def rows(source: Source) -> list[dict[str, Any]]:
    found = [dict(row) for row in load(source.train)]
    assert found == [dict(row) for row in head(source.train, "train").rows]
    return found


def problem(*arguments: Any) -> Problem:
    with pytest.raises(Refused) as caught:
        opened(*arguments)
    (only,) = caught.value.problems
    assert only.mend
    return only


def row(number: int, positives: int = 1, negatives: int = 3, scores: bool = False, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"query": f"q{number}", "pos": [f"p{number}.{i}" for i in range(positives)], **more}
    made["neg"] = [f"n{number}.{i}" for i in range(negatives)]
    if scores:
        made |= {"pos_scores": [90.5 + i for i in range(positives)], "neg_scores": [float(i) for i in range(negatives)]}
    return made


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.parquet", "rows.arrow"])
def test_each_positive_is_a_row_with_the_negatives_that_every_row_has(name: str, write: Write, workplace: Path) -> None:
    from datasets import Dataset

    data = [row(0, positives=2, negatives=4, prompt="find it", type="normal"), row(1, negatives=2)]
    file = workplace / name
    if file.suffix in (".json", ".jsonl"):
        write(*data, name=name)
    else:
        table = Dataset.from_list([{"prompt": None, "type": None, **item} for item in data])
        table.to_parquet(file) if file.suffix == ".parquet" else _to_arrow(table, file)
    found = opened(file)
    assert rows(found) == [
        {"anchor": "q0", "positive": "p0.0", "negative_1": "n0.0", "negative_2": "n0.1"},
        {"anchor": "q0", "positive": "p0.1", "negative_1": "n0.0", "negative_2": "n0.1"},
        {"anchor": "q1", "positive": "p1.0", "negative_1": "n1.0", "negative_2": "n1.1"},
    ]
    lists_note, prompt = found.notes
    assert lists_note.value == "query, pos, neg → anchor, positive, 2 negatives"
    assert "the lists have 2 to 4" in lists_note.why
    assert prompt.value == "find it"
    assert found.inputs == (file,)


def _to_arrow(table: Any, file: Path) -> None:
    import pyarrow

    with pyarrow.ipc.new_stream(str(file), table.data.table.schema) as stream:
        stream.write_table(table.data.table)


def test_scores_of_all_texts_come_along(write: Write) -> None:
    found = opened(write(row(0, positives=2, negatives=2, scores=True)))
    assert [item["scores"] for item in rows(found)] == [[90.5, 0.0, 1.0], [91.5, 0.0, 1.0]]
    assert "and their scores" in found.notes[0].value


def test_scores_of_some_texts_are_not_used(write: Write) -> None:
    found = opened(write(row(0, scores=True), row(1, scores=True), row(2)))
    assert "scores" not in rows(found)[0]
    assert "only 2 queries are scored in full" in found.notes[0].why


def test_without_negatives_rows_are_pairs(write: Write) -> None:
    found = opened(write({"query": "q", "pos": ["p", "r"]}, {"query": "s", "pos": ["t"], "neg": []}))
    assert rows(found) == [
        {"anchor": "q", "positive": "p"}, {"anchor": "q", "positive": "r"}, {"anchor": "s", "positive": "t"},
    ]  # fmt: skip
    assert found.notes[0].value == "query, pos → anchor, positive"


def test_no_more_than_seven_negatives_unless_asked_for(write: Write) -> None:
    file = write(row(0, negatives=30), row(1, negatives=20))
    assert len(rows(opened(file))[0]) == 2 + 7
    assert "the lists have 20 to 30; dataset.num_negatives=N takes more" in opened(file).notes[0].why
    found = opened(file, 25)
    assert [len(item) for item in rows(found)] == [2 + 25]
    assert "left out: 1 with fewer than 25 negatives" in found.notes[0].why
    assert problem(file, 31).mend == "dataset.num_negatives=30"


def test_a_query_without_negatives_does_not_take_them_from_the_others(write: Write) -> None:
    found = opened(write(row(0), row(1, negatives=0)))
    assert [len(item) for item in rows(found)] == [2 + 3]
    assert "left out: 1 with fewer than 3 negatives" in found.notes[0].why


def test_what_is_no_text_is_left_out_and_positives_are_no_negatives(write: Write) -> None:
    first = {"query": "q", "pos": ["p", " "], "neg": ["p", "", "n", None, "m"], "pos_scores": [9, 8]}
    first["neg_scores"] = [5, 4, 3, 2, 1]
    found = opened(write(first, {"query": "", "pos": ["x"], "neg": ["y"]}, {"query": "z", "pos": [], "neg": ["y"]}))
    assert rows(found) == [{"anchor": "q", "positive": "p", "negative_1": "n", "negative_2": "m", "scores": [9, 3, 1]}]
    assert "left out: 2 without a query or a positive" in found.notes[0].why


def test_each_split_has_its_own_lists(write: Write) -> None:
    train, test = write(row(0)), write(row(5, negatives=2), name="test.jsonl")
    found = opened(train, test=str(test))
    assert set(head(found.test, "test").columns) == {"anchor", "positive", "negative_1", "negative_2"}
    assert found.inputs == (train, test)


def test_rows_without_lists_stay_as_they_are(write: Write, workplace: Path) -> None:
    plain = write({"query": "q", "pos": "p", "neg": "n"})
    assert opened(plain).train == (plain,)
    assert "have no lists of negatives" in problem(plain, 3).what
    judged = write({"query": "q", "documents": ["p"], "relevance": [1]}, name="judged.jsonl")
    assert opened(judged).train == (judged,)
    broken = workplace / "broken.jsonl"
    broken.write_text("{")
    assert opened(broken).train == (broken,)


@pytest.mark.parametrize(
    ("wrong", "what", "where"),
    [
        ({"query": ["a"], "pos": ["p"]}, "the query is no text", "row 2"),
        ({"query": "q", "pos": [1]}, "'pos' is no list of texts", "row 2"),
        ({"query": "q", "pos": ["p"], "neg": {"a": 1}}, "'neg' is no list of texts", "row 2"),
        ({"query": "q", "pos": ["p"], "pos_scores": ["high"]}, "no list of numbers", "row 2"),
        ({"query": "q", "pos": ["p"], "pos_scores": [1, 2]}, "'pos' has 1 texts and 'pos_scores' 2 numbers", "row 2"),
    ],
)
def test_a_wrong_row_is_named(wrong: dict[str, Any], what: str, where: str, write: Write) -> None:
    found = problem(write(row(0), wrong))
    assert what in found.what
    assert found.where.endswith(where)


def test_nothing_usable_is_refused(write: Write) -> None:
    assert "no row has both" in problem(write({"query": "q", "pos": []})).what


def test_lists_are_read_once(write: Write, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(write(row(0)))
    monkeypatch.setattr(lists, "_survey", None)
    assert opened(write(row(0), name="same.jsonl")).train == first.train


def test_lists_of_a_saved_data_set_are_read_as_well(workplace: Path) -> None:
    from datasets import Dataset

    Dataset.from_list([row(0), row(1)]).save_to_disk(workplace / "saved")
    found = open_source(DatasetChoice(source="disk", path="saved", num_negatives=1), Store(workplace / "store", "on"))
    assert set(head(found.train, "train").columns) == {"anchor", "positive", "negative_1"}
