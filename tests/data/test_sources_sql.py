from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from small_database import write_database

from stbench.cache import Store
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data.sources import Source, head, load, open_source, sql
from stbench.data.sources.tables import write_rows
from stbench.errors import Problem, Refused

QUERY = "SELECT question, answer FROM pairs"


@pytest.fixture
def database(workplace: Path) -> Path:
    return write_database(workplace / "pairs.db", 30)


@pytest.fixture
def store(workplace: Path) -> Store:
    return Store(workplace / "store", "on")


def opened(store: Store, connection: str = "sqlite:///pairs.db", query: str = QUERY, **more: str) -> Source:
    return open_source(DatasetChoice(source="sql", connection=connection, query=query, **more), store)


def problem(*arguments: Any, **more: str) -> Problem:
    with pytest.raises(Refused) as caught:
        opened(*arguments, **more)
    (only,) = caught.value.problems
    assert only.mend
    return only


def test_each_query_is_a_split(database: Path, store: Store) -> None:
    found = opened(store, validation_query=f"{QUERY} WHERE id < 5", test_query=f"{QUERY} WHERE answer LIKE '2%'")
    assert [head(found.files(split), split).count for split in found.splits] == [30, 5, 11]
    assert load(found.validation)["answer"][:] == [f"{i} is 100% it" for i in range(5)]
    assert found.origin == "sqlite:///pairs.db"
    assert found.inputs == (Path("pairs.db"),)


def test_rows_come_in_batches_and_types_follow_from_all_of_them(
    workplace: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "BATCH", 3)
    with closing(sqlite3.connect(workplace / "odd.db")) as connection, connection:
        connection.execute("CREATE TABLE odd (a, b, c, d)")
        values = [
            (1, None, 1, b"x"),
            (2, None, 2, None),
            (3, None, 3, None),
            (4, "late", 2.5, None),
            (5, None, "x", None),
        ]
        connection.executemany("INSERT INTO odd VALUES (?, ?, ?, ?)", values)
    rows = load(opened(store, "sqlite:///odd.db", "SELECT * FROM odd").train)
    assert rows["a"][:] == [1, 2, 3, 4, 5]
    assert rows["b"][:] == [None, None, None, "late", None]
    assert rows["c"][:] == ["1", "2", "3", "2.5", "x"]
    assert rows["d"][:] == ["x", None, None, None, None]


def test_whole_numbers_and_floats_become_floats(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    assert write_rows([[{"x": 1}], [{"x": None}], [{"x": 2.5}]], file) == 3
    assert load([file])["x"][:] == [1.0, None, 2.5]
    assert list(tmp_path.iterdir()) == [file]


def test_values_of_databases_become_values_of_tables(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    row = {"a": Decimal("1.5"), "b": {"x": Decimal(1)}, "c": [Decimal(2)], "d": UUID(int=1), "e": date(2024, 1, 1)}
    write_rows([[row]], file)
    assert load([file])[0] == {"a": 1.5, "b": '{"x": "1"}', "c": [2.0], "d": str(UUID(int=1)), "e": date(2024, 1, 1)}


def test_no_rows_are_no_file(tmp_path: Path) -> None:
    def none() -> Iterator[Sequence[dict[str, Any]]]:
        return iter(())

    assert write_rows(none(), tmp_path / "rows.parquet") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_asked_again_only_when_it_has_changed(database: Path, store: Store, workplace: Path) -> None:
    first = opened(store)
    again = Store(workplace / "store", "on")
    assert opened(again) == first
    assert (again.made, len(again.taken)) == ([], 1)
    write_database(database, 3, "others")
    changed = opened(Store(workplace / "store", "on"))
    assert changed.train != first.train
    assert changed.digest() == first.digest()
    assert opened(store, query=f"{QUERY} LIMIT 5").digest() != first.digest()


def test_the_note_says_when_rows_were_fetched(database: Path, store: Store) -> None:
    (note,) = opened(store).notes
    assert note.value == "sqlite:///pairs.db"
    assert "fetched 20" in note.why
    assert "changes" in note.why
    assert "cache=refresh" in sql._note(sql._url("postgresql+psycopg://me:geheim@host/db"), "now", False).why


def test_a_database_is_never_changed(database: Path, store: Store) -> None:
    before = database.read_bytes()
    for statement in ("DROP TABLE pairs", "DELETE FROM pairs", "CREATE TABLE x (y)"):
        assert "readonly" in problem(store, query=statement).what
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    ("query", "what", "mend"),
    [
        ("SELECT * FROM piars", "no such table: piars", "did you mean pairs? (tables: pairs)"),
        ("SELECT quesion FROM pairs", "no such column: quesion", "tables: pairs"),
        ("SELEC * FROM pairs", 'near "SELEC": syntax error', "tables: pairs"),
        ("SELECT answer, answer FROM pairs", "several columns are called answer", "rename one: answer AS other"),
        (f"{QUERY} WHERE id < 0", "the query gives no rows", "check its conditions"),
        ("PRAGMA user_version = 3", "readonly", "tables: pairs"),
    ],
)
def test_a_wrong_query_is_one_message(query: str, what: str, mend: str, database: Path, store: Store) -> None:
    found = problem(store, query=query)
    assert what in found.what
    assert found.where == "dataset.query"
    assert mend in found.mend


def test_all_wrong_queries_are_told_at_once(database: Path, store: Store) -> None:
    with pytest.raises(Refused) as caught:
        opened(store, query="SELEC", test_query="SELECT x FROM pairs")
    assert [found.where for found in caught.value.problems] == ["dataset.query", "dataset.test_query"]
    assert not list((store._folder / "sql").glob("[0-9a-f]*"))


@pytest.mark.parametrize(
    ("connection", "what", "mend"),
    [
        ("sqlite:///piars.db", "there is no file piars.db", "did you mean dataset.connection=sqlite:///pairs.db?"),
        ("sqlite:///nowhere/x.db", "there is no file nowhere/x.db", "check the path"),
        ("pairs.db", "no address of a database", "dataset.connection=sqlite:///pairs.db"),
        ("postgers://me@host/x", "no database of the kind 'postgers'", "did you mean postgresql://…?"),
        ("qqqq://me@host/x", "no database of the kind 'qqqq'", "sqlite, postgresql"),
        ("mysql://me:geheim@host/x", "the driver 'MySQLdb' is not installed", "mysqlclient"),
    ],
)
def test_a_wrong_connection_is_one_message(connection: str, what: str, mend: str, database: Path, store: Store) -> None:
    found = problem(store, connection)
    assert what in found.what
    assert mend in found.mend
    assert "geheim" not in str(found)
    assert not (database.parent / "piars.db").exists()


def test_a_password_in_a_drivers_message_is_not_repeated() -> None:
    url = sql._url("postgresql+psycopg://me:geheim@host/x")
    found = sql._no_connection(url, RuntimeError("login of me with geheim failed"), "here")
    assert "login of me with *** failed" in found.what
    assert sql._shown(url) == "postgresql+psycopg://me:***@host/x"
