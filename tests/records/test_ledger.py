"""A ledger line survives odd texts, many processes and a crash."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from stbench.records.ledger import COLUMNS, append, rows


def line(run: str) -> dict[str, str]:
    return {column: f"{column} of {run}" for column in COLUMNS} | {"run": run}


def add_many(path: Path, worker: int) -> None:
    for index in range(25):
        append(path, line(f"{worker}-{index}"))


def test_title_and_header_once_then_a_line_a_run(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "experiments.md"
    append(path, line("first"))
    before = path.read_text()
    append(path, line("second"))
    assert path.read_text().startswith(before)
    lines = path.read_text().splitlines()
    assert lines[0] == "# Experiments"
    assert lines[2] == "| when | run | verdict | score | baseline | delta | ci95 | p | n | metric | command |"
    assert lines[3].replace(" ", "") == "|---" * len(COLUMNS) + "|"
    assert len(lines) == 6
    assert rows(path) == [line("first"), line("second")]


@pytest.mark.parametrize(
    "text",
    [
        "a|b",
        "a\\|b",
        "a\\\\|",
        "back\\slash",
        "ends in \\",
        "two\nlines",
        "<br>",
        "a &lt; b & c",
        "<script>",
        "é 漢 🙂",
    ],
)
def test_any_text_is_one_cell_and_reads_back(tmp_path: Path, text: str) -> None:
    path = tmp_path / "experiments.md"
    append(path, {"command": text, "run": "r"})
    append(path, line("next"))
    assert len(path.read_text().splitlines()) == 6
    assert "<script" not in path.read_text()
    first, second = rows(path)
    assert (first["command"], first["run"], first["when"]) == (text, "r", "")
    assert second == line("next")


def test_lines_without_a_time_are_all_added(tmp_path: Path) -> None:
    path = tmp_path / "experiments.md"
    for _ in range(2):
        append(path, {"run": "a"})
    assert len(rows(path)) == 2


def test_processes_do_not_tread_on_each_other(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "experiments.md"
    start = multiprocessing.get_context("spawn")
    workers = [start.Process(target=add_many, args=(path, worker)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text().count("# Experiments") == 1
    written = rows(path)
    assert {row["run"] for row in written} == {f"{w}-{i}" for w in range(4) for i in range(25)}
    assert written == [line(row["run"]) for row in written]
    own = [row["run"] for row in written if row["run"].startswith("0-")]
    assert own == [f"0-{i}" for i in range(25)]


def test_an_unfinished_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "experiments.md"
    append(path, line("first"))
    with path.open("a") as file:
        file.write("| 2026-01-01 | cut o")
    append(path, line("second"))
    assert rows(path) == [line("first"), line("second")]


def test_a_line_that_was_cut_within_a_character_does_not_either(tmp_path: Path) -> None:
    path = tmp_path / "experiments.md"
    append(path, line("first"))
    with path.open("ab") as file:
        file.write("| 2026-01-01 | é".encode()[:-1])
    append(path, line("second"))
    assert rows(path) == [line("first"), line("second")]


def test_the_very_run_stands_once_however_often_it_is_added(tmp_path: Path) -> None:
    path = tmp_path / "experiments.md"
    first, other = line("a") | {"when": "2026-01-01 10:00:00.123"}, line("b") | {"when": "2026-01-01 10:00:00.123"}
    for row in (first, other, first | {"score": "0.9"}, first):
        append(path, row)
    assert rows(path) == [first, other]
    again = first | {"when": "2026-01-01 10:00:00.124"}
    append(path, again)
    assert rows(path) == [first, other, again]


def test_a_line_that_was_cut_is_not_the_run_itself(tmp_path: Path) -> None:
    path = tmp_path / "experiments.md"
    append(path, line("first"))
    append(path, line("second"))
    whole = path.read_text()
    path.write_text(whole[: -len("of second |\n")])
    append(path, line("second"))
    assert rows(path) == [line("first"), line("second")]


def test_an_unknown_column_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scroe"):
        append(tmp_path / "experiments.md", {"scroe": "0.5"})
    assert rows(tmp_path / "experiments.md") == []
