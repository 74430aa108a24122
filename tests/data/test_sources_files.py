"""Files by pattern, packed files, and files too large to be read for a plan."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data.sources import Source, head, load, open_source, reading
from stbench.errors import Problem, Refused

LINES = "".join(json.dumps({"question": f"q{i}", "answer": f"a{i}"}) + "\n" for i in range(5))


def opened(folder: Path, **files: Any) -> Source:
    return open_source(DatasetChoice(source="files", **files), Store(folder / "store", "on"))


def problem(folder: Path, **files: Any) -> Problem:
    with pytest.raises(Refused) as caught:
        opened(folder, **files)
    (only,) = caught.value.problems
    assert only.mend
    return only


def test_a_pattern_stands_for_all_files_that_fit_it(workplace: Path) -> None:
    for name in ("data/b.jsonl", "data/a.jsonl", "data/more/c.jsonl", "data/note.txt"):
        (workplace / name).parent.mkdir(parents=True, exist_ok=True)
        (workplace / name).write_text(LINES)
    assert [file.name for file in opened(workplace, train="data/*.jsonl").train] == ["a.jsonl", "b.jsonl"]
    assert len(opened(workplace, train="data/**/*.jsonl").train) == 3
    assert head(opened(workplace, train=["data/*.jsonl", "data/more/c.jsonl"]).train, "train").count == 15


def test_a_pattern_that_fits_nothing_is_refused(workplace: Path) -> None:
    (workplace / "data").mkdir()
    (workplace / "data" / "a.jsonl").write_text(LINES)
    found = problem(workplace, train="data/*.csv")
    assert (found.where, found.mend) == ("dataset.train=data/*.csv", f"in {workplace / 'data'} there is a.jsonl")
    assert "nowhere" in problem(workplace, train="nowhere/*.csv").mend


def test_a_pattern_takes_no_file_that_cannot_be_read(workplace: Path) -> None:
    (workplace / "a.jsonl").write_text(LINES)
    (workplace / "a.docx").write_text("x")
    assert problem(workplace, train="a.*").where == "dataset.train=a.docx"


def test_a_file_may_have_brackets_in_its_name(workplace: Path) -> None:
    (workplace / "pairs [1].jsonl").write_text(LINES)
    assert head(opened(workplace, train="pairs [1].jsonl").train, "train").count == 5


def test_a_folder_is_refused_with_the_pattern_that_takes_its_files(workplace: Path) -> None:
    (workplace / "data").mkdir()
    (workplace / "data" / "a.jsonl").write_text(LINES)
    assert problem(workplace, train="data").mend == "dataset.train=data/*.jsonl takes all of them"
    (workplace / "data" / "state.json").write_text("{}")
    assert problem(workplace, train="data").mend == "dataset=disk dataset.path=data"


def test_no_file_at_all_is_refused(workplace: Path) -> None:
    assert problem(workplace, train=[]).mend.startswith("dataset.train=pairs.csv, or dataset.test=")


def zst(content: bytes) -> bytes:
    return pyarrow.compress(content, codec="zstd", asbytes=True)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", zst)])
@pytest.mark.parametrize("kind", [".jsonl", ".csv"])
def test_packed_files_are_unpacked_once(
    suffix: str, pack: Callable[[bytes], bytes], kind: str, workplace: Path
) -> None:
    text = LINES if kind == ".jsonl" else "question,answer\n" + "".join(f"q{i},a{i}\n" for i in range(5))
    file = workplace / f"pairs{kind}{suffix}"
    file.write_bytes(pack(text.encode()))
    found = opened(workplace, train=str(file))
    assert found.inputs == (file,)
    assert [row["answer"] for row in head(found.train, "train").rows] == [f"a{i}" for i in range(5)]
    assert load(found.train)["answer"][:] == [f"a{i}" for i in range(5)]
    assert opened(workplace, train=str(file)) == found


def test_a_packed_file_that_is_none_is_refused(workplace: Path) -> None:
    (workplace / "pairs.csv.gz").write_text("question,answer\n")
    assert "cannot be unpacked" in problem(workplace, train="pairs.csv.gz").what
    (workplace / "pairs.docx.gz").write_bytes(gzip.compress(b"x"))
    assert ".jsonl.gz" in problem(workplace, train="pairs.docx.gz").mend


def test_of_many_files_no_more_is_read_than_one_head_needs(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HEAD_ROWS", 7)
    monkeypatch.setattr(reading, "COUNTED_BYTES", 0)
    files = [workplace / f"{i}.jsonl" for i in range(4)]
    for file in files:
        file.write_text(LINES + "this is no row\n")  # behind what is read of the later files
    files[0].write_text(LINES)
    found = head(files, "train")
    assert (len(found.rows), found.exact) == (7, False)
    assert found.count == pytest.approx(20, abs=4)


def test_of_a_large_array_only_the_start_is_read(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HEAD_ROWS", 30)
    monkeypatch.setattr(reading, "COUNTED_BYTES", 0)
    monkeypatch.setattr(reading, "_CHUNK", 100)
    values = [{"question": f"question {i:03} " + "é" * 50, "answer": [{"x": i}]} for i in range(100)]
    file = workplace / "rows.json"
    text = json.dumps(values, indent=1, ensure_ascii=False)
    file.write_text(text[: len(text) // 2] + "no JSON", encoding="utf-8")
    found = head([file], "train")
    assert list(found.rows) == values[:30]
    assert found.count == pytest.approx(50, rel=0.1)
    file.write_text(json.dumps(values[:3]))
    assert (head([file], "train").count, len(head([file], "train").rows)) == (3, 3)
    for broken in ("[1, 2]", '[{"a": 1}, {"a"', '[{"a": 1} x]'):
        file.write_text(broken)
        with pytest.raises(Refused):
            head([file], "train")


def test_all_rows_stay_on_disk(workplace: Path, write_csv: Callable[..., Path]) -> None:
    file = write_csv(workplace / "rows.csv", ["question", "answer"], [[f"q{i}", "a" * 100] for i in range(20_000)])
    rows = load([file])
    rows.to_parquet(workplace / "rows.parquet")
    arrow = workplace / "rows.arrow"
    with pyarrow.ipc.new_stream(str(arrow), rows.data.table.schema) as stream:
        stream.write_table(rows.data.table)
    before = pyarrow.total_allocated_bytes()
    kept = [load([place]) for place in (file, workplace / "rows.parquet", arrow)]
    assert [len(found) for found in kept] == [20_000] * 3
    assert pyarrow.total_allocated_bytes() - before < 500_000
