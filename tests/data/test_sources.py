from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data import python_docs
from stbench.data.sources import Head, head, load, open_source, reading
from stbench.errors import Problem, Refused

HEADER = ["question", "answer"]
TRICKY = [
    ["plain", "text"],
    ["with, comma", 'and "quotes"'],
    ["two\nlines", "ta\tb"],
    ["NA", "None"],
    ["null", "nan"],
    ["007", "1.50"],
    ["Grüße", "数字 🙂"],
    ["True", "2024-01-01"],
]
"""Cells that readers like to take for something else."""


def rows(head_or_dataset: Any) -> list[list[Any]]:
    found = head_or_dataset.rows if isinstance(head_or_dataset, Head) else head_or_dataset
    return [[row[name] for name in HEADER] for row in found]


def problem(call: Callable[..., Any], *arguments: Any) -> Problem:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    (only,) = caught.value.problems
    assert only.mend
    return only


def write_parquet(file: Path, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Path:
    import pyarrow.parquet

    pyarrow.parquet.write_table(_table(columns, values), file)
    return file


def write_arrow(file: Path, columns: Sequence[str], values: Sequence[Sequence[Any]], footer: bool = False) -> Path:
    import pyarrow

    table = _table(columns, values)
    writer = pyarrow.ipc.new_file if footer else pyarrow.ipc.new_stream
    with writer(str(file), table.schema) as stream:
        stream.write_table(table)
    return file


def _table(columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Any:
    import pyarrow

    return pyarrow.table({name: [row[i] for row in values] for i, name in enumerate(columns)})


def write_json(file: Path, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> Path:
    objects = [dict(zip(columns, row, strict=True)) for row in values]
    text = json.dumps(objects, indent=1) if file.suffix == ".json" else "\n".join(map(json.dumps, objects)) + "\n\n"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(
    params=["rows.csv", "rows.tsv", "rows.json", "rows.jsonl", "rows.parquet", "rows.arrow", "footer.arrow"]
)
def tricky(request: pytest.FixtureRequest, tmp_path: Path, write_csv: Callable[..., Path]) -> Path:
    file = tmp_path / request.param
    if file.name == "footer.arrow":
        return write_arrow(file, HEADER, TRICKY, footer=True)
    kinds: dict[str, Callable[..., Path]] = {
        ".csv": write_csv, ".tsv": write_csv, ".json": write_json, ".jsonl": write_json,
        ".parquet": write_parquet, ".arrow": write_arrow,
    }  # fmt: skip
    return kinds[file.suffix](file, HEADER, TRICKY)


def test_every_kind_of_file_gives_the_same_rows_to_plan_and_to_run(tricky: Path) -> None:
    found = head([tricky], "train")
    assert (found.columns, found.count, found.exact) == (tuple(HEADER), len(TRICKY), True)
    assert rows(found) == TRICKY
    assert rows(load([tricky])) == TRICKY


def test_every_kind_of_file_is_refused_when_it_is_empty(tricky: Path) -> None:
    if tricky.suffix in (".parquet", ".arrow"):
        writer = write_parquet if tricky.suffix == ".parquet" else write_arrow
        writer(tricky, HEADER, [])
    else:
        tricky.write_text("")
    assert problem(head, [tricky], "train").what == "this file has no rows"


def test_every_kind_of_file_is_refused_when_it_is_something_else(tricky: Path) -> None:
    tricky.write_bytes(b"\xff\xfe\x00garbage\n\xff" * 20)
    assert str(tricky) in problem(head, [tricky], "train").where


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    file = tmp_path / "excel.csv"
    file.write_text("question,answer\r\na,b\r\n", encoding="utf-8-sig")
    assert head([file], "train").columns == tuple(HEADER)
    assert rows(load([file])) == [["a", "b"]]


def test_json_may_begin_with_a_mark_or_with_blank_lines(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text('\n  [{"question": "a", "answer": "b"}]', encoding="utf-8-sig")
    assert rows(head([file], "train")) == [["a", "b"]]


@pytest.mark.parametrize(("line", "cells"), [("too,many,cells", 3), ("toofew", 1)])
def test_a_ragged_row_is_named_with_its_line(tmp_path: Path, line: str, cells: int) -> None:
    file = tmp_path / "ragged.csv"
    file.write_text(f'question,answer\n"two\nlines",b\n{line}\n', encoding="utf-8")
    found = problem(head, [file], "train")
    assert f"{cells} cells where the header has 2" in found.what
    assert found.where == f"{file}, line 4"


def test_a_quote_that_never_ends_does_not_swallow_rows(tmp_path: Path) -> None:
    file = tmp_path / "quotes.tsv"
    file.write_text('question\tanswer\n"what\tb\nc\td\n', encoding="utf-8")
    assert "not csv" in problem(head, [file], "train").what


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "a", "answer": "b"}\n{"question": \n', encoding="utf-8")
    assert problem(head, [file], "train").where == f"{file}, line 2"


@pytest.mark.parametrize("text", ['["a", "b"]', '"a"\n', "[[1, 2]]"])
def test_rows_must_be_objects(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.json"
    file.write_text(text, encoding="utf-8")
    assert problem(head, [file], "train").what == "a row must be an object"


def test_objects_may_lack_names_that_others_have(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "a"}\n{"answer": "b", "question": "c"}\n', encoding="utf-8")
    assert rows(head([file], "train")) == rows(load([file])) == [["a", None], ["c", "b"]]


def test_two_columns_of_one_name_are_refused(tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    file = write_csv(tmp_path / "twice.csv", ["text", "text"], [["a", "b"]])
    assert "several columns are called text" in problem(head, [file], "train").what


def test_several_files_are_one_split_whatever_the_order_of_their_columns(
    tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    files = [
        write_csv(tmp_path / "a.csv", HEADER, [["1", "2"]]),
        write_csv(tmp_path / "b.csv", HEADER[::-1], [["4", "3"]]),
        write_parquet(tmp_path / "c.parquet", HEADER, [["5", "6"]]),
    ]
    found = head(files, "train")
    assert found.count == 3
    assert rows(found) == rows(load(files)) == [["1", "2"], ["3", "4"], ["5", "6"]]


def test_files_with_different_columns_do_not_go_together(tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    files = [write_csv(tmp_path / f"{name}.csv", ["question", name], [["1", "2"]]) for name in ("answer", "label")]
    assert "different columns" in problem(head, files, "train").what


def test_columns_that_cannot_be_joined_are_refused(tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    files = [
        write_csv(tmp_path / "a.csv", HEADER, [["1", "2"]]),
        write_parquet(tmp_path / "b.parquet", HEADER, [[1, [2]]]),
    ]
    assert "cannot be read as a table" in problem(load, files).what


def test_of_a_large_file_only_the_head_is_read_and_the_rest_estimated(
    tmp_path: Path, write_csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HEAD_ROWS", 1000)
    monkeypatch.setattr(reading, "COUNTED_BYTES", 0)
    values = [[f"question {i:05}", "x" * 50] for i in range(5000)]
    for file in (
        write_csv(tmp_path / "large.csv", HEADER, values),
        write_json(tmp_path / "large.jsonl", HEADER, values),
    ):
        found = head([file], "train")
        assert len(found.rows) == 1000
        assert not found.exact
        assert found.count == pytest.approx(5000, rel=0.15)


def choice(**files: Any) -> DatasetChoice:
    return DatasetChoice(source="files", **files)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


def test_files_are_found_by_split(tmp_path: Path, store: Store, write_csv: Callable[..., Path]) -> None:
    train, test = (write_csv(tmp_path / f"{name}.csv", HEADER, [["1", "2"]]) for name in ("train", "test"))
    found = open_source(choice(train=str(train), test=[str(test), str(train)]), store)
    assert found.splits == ["train", "test"]
    assert found.files("test") == (test, train)
    assert found.files("validation") == ()


def test_the_digest_of_a_source_is_its_content(tmp_path: Path, store: Store, write_csv: Callable[..., Path]) -> None:
    first, same, other = (
        open_source(choice(train=str(write_csv(tmp_path / name, HEADER, [["1", text]]))), store).digest()
        for name, text in (("a.csv", "x"), ("b.csv", "x"), ("c.csv", "y"))
    )
    assert first == same != other


def test_every_missing_file_is_reported_with_the_closest_name(
    tmp_path: Path, store: Store, write_csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "pairs.csv", HEADER, [["1", "2"]])
    with pytest.raises(Refused) as caught:
        open_source(choice(train="piars.csv", test="qqqqqq.jsonl", validation="notes.docx"), store)
    train, validation, test = caught.value.problems
    assert train.mend == "did you mean dataset.train=pairs.csv?"
    assert (test.where, test.mend) == ("dataset.test=qqqqqq.jsonl", f"in {tmp_path} there is pairs.csv")
    assert validation.what == "there is no such file"


def test_a_kind_of_file_that_cannot_be_read_is_refused(tmp_path: Path, store: Store) -> None:
    file = tmp_path / "pairs.xlsx"
    file.write_text("x", encoding="utf-8")
    assert ".parquet" in problem(open_source, choice(train=str(file)), store).mend


def test_python_docs_are_made_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_docs, "extract", lambda: [{"query": "q", "document": "d", "symbol": "s"}])
    first = open_source(DatasetChoice(source="python_docs"), store)
    again = Store(tmp_path / "store", "on")
    assert open_source(DatasetChoice(source="python_docs"), again) == first
    assert (len(again.made), len(again.taken)) == (0, 1)
    assert set(head(first.files("train"), "train").columns) == {"query", "document", "symbol"}
