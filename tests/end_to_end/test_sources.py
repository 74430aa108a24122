"""Rows from a database, and what becomes of its password."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from end_to_end.places import Place, check_verdict
from small_database import write_database

pytestmark = pytest.mark.slow
SECRET = "geheim"


def test_a_run_on_rows_of_a_database_keeps_its_password_nowhere(new_place: Callable[[str], Place]) -> None:
    place = new_place("database")
    write_database(place.folder / "pairs.db", 60)
    words = [
        "dataset=sql", f"dataset.connection=sqlite:///file:pairs.db?mode=ro&uri=true&password={SECRET}",
        "dataset.query=SELECT question, answer FROM pairs WHERE id >= 20",
        "dataset.test_query=SELECT question, answer FROM pairs WHERE id < 20", "training.max_steps=1",
    ]  # fmt: skip
    done = place.run(*words)
    assert check_verdict(done)[0].count("n=20") == 1
    assert "password=***" in done.out
    assert SECRET not in done.out
    files = [file for file in place.folder.rglob("*") if file.is_file()]
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []
    assert "${oc.env:STBENCH_PASSWORD}" in (place.experiment / "command.txt").read_text()
    said = ["dataset.connection=${oc.env:DB_URI}" if word.startswith("dataset.connection") else word for word in words]
    again = place.run(*said, DB_URI=words[1].partition("=")[2])
    assert (again.code, again.last) == (0, done.last)
