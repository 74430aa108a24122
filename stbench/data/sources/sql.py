"""The rows of a query, from any database that SQLAlchemy has a driver for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stbench.cache import Store, digest_of, key_of
from stbench.config.secrets import HIDDEN, redacted
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.suggest import closest
from stbench.data.sources.source import Note, Source
from stbench.data.sources.tables import BATCH, write_rows
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

QUERIES = {"train": "query", "validation": "validation_query", "test": "test_query"}
"""The option of each split's query."""
DATABASES = ("sqlite", "postgresql", "mysql", "mariadb", "oracle", "mssql")
DRIVERS = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]"}
"""Modules whose package has another name."""


def opened(choice: DatasetChoice, store: Store) -> Source:
    """The rows of each query as a file in the store.

    An SQLite file is asked again when its content has changed; of a server nobody can tell, so its rows stay as they were
    fetched, the plan says when, and `cache=refresh` fetches them again. Nothing is ever committed.

    Raises `Refused` for a database that cannot be reached, and for every query that gives no rows.
    """
    url = _url(choice.connection or "")
    file = _sqlite_file(url)
    said = {"train": choice.query, "validation": choice.validation_query, "test": choice.test_query}
    queries = {split: query for split, query in said.items() if query}
    state = digest_of(file) if file else None
    key = key_of(url.render_as_string(hide_password=True), queries, state)
    folder = store.product("sql", key, lambda folder: _fetch(url, queries, folder))
    files = {split: (folder / f"{split}.parquet",) for split in queries}
    fetched = json.loads((folder / "fetched.json").read_text(encoding="utf-8"))
    return Source(
        files["train"], files.get("validation", ()), files.get("test", ()), origin=_shown(url),
        inputs=(file,) if file else (), notes=(_note(url, fetched["when"], file is not None),),
    )  # fmt: skip


def _note(url: URL, when: str, is_file: bool) -> Note:
    why = "fetched again when the file changes" if is_file else "cache=refresh fetches them again"
    return Note("rows of", _shown(url), f"fetched {when}; {why}")


def _shown(url: URL) -> str:
    return redacted(url.render_as_string(hide_password=True))


def _url(connection: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(connection)
    except (ArgumentError, ValueError):
        example = f"sqlite:///{connection}" if Path(connection).is_file() else "sqlite:///pairs.db"
        what = "this is no address of a database"
        mend = f"write it as dataset.connection={example}, or postgresql+psycopg://USER@HOST/NAME"
        raise Refused(Problem(what, f"dataset.connection={redacted(connection)}", mend)) from None


def _sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite address; SQLite would make a new one where there is none.

    Raises `Refused` when it is not there.
    """
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    file = Path(url.database.removeprefix("file:"))
    if file.is_file():
        return file
    siblings = [item.name for item in file.parent.iterdir()] if file.parent.is_dir() else []
    match = closest(file.name, siblings)
    offer = f"did you mean dataset.connection=sqlite:///{file.with_name(match)}?" if match else "check the path"
    raise Refused(Problem(f"there is no file {file}", f"dataset.connection={_shown(url)}", offer))


def _fetch(url: URL, queries: Mapping[str, str], folder: Path) -> None:
    problems: list[Problem] = []
    with _connected(url) as connection:
        for split, query in queries.items():
            if problem := _write(connection, split, query, folder / f"{split}.parquet"):
                problems.append(problem)
    if problems:
        raise Refused(*problems)
    when = {"when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
    (folder / "fetched.json").write_text(json.dumps(when), encoding="utf-8")


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    where = f"dataset.connection={_shown(url)}"
    try:
        engine = _engine(url)
        connection = engine.connect()
    except ModuleNotFoundError as error:
        mend = f"pip install {DRIVERS.get(error.name or '', error.name or '')}"
        raise Refused(Problem(f"the driver '{error.name}' is not installed", where, mend)) from None
    except Exception as error:
        raise Refused(_no_connection(url, error, where)) from None
    with connection:
        # Rows as the server hands them out, and a % in a query means what it says.
        yield connection.execution_options(stream_results=True, max_row_buffer=BATCH, no_parameters=True)
    engine.dispose()


def _engine(url: URL) -> Engine:
    from sqlalchemy import create_engine

    if url.get_backend_name() != "sqlite" or not url.database or url.query:
        return create_engine(url)
    import sqlite3

    # Read only: SQLite commits a DROP TABLE by itself.
    address = f"file:{quote(url.database)}?mode=ro" if url.database != ":memory:" else "file::memory:"
    return create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True))


def _no_connection(url: URL, error: Exception, where: str) -> Problem:
    from sqlalchemy.exc import NoSuchModuleError

    if isinstance(error, NoSuchModuleError):
        match = closest(url.get_backend_name(), DATABASES)
        mend = (
            f"did you mean {match}://…?" if match else f"one of {', '.join(DATABASES)}, or a dialect of its own package"
        )
        return Problem(f"there is no database of the kind '{url.drivername}'", where, mend)
    mend = "check host, port, name and password; from the environment: dataset.connection='${oc.env:DB_URI}'"
    return Problem(f"no connection to the database: {_cause(error, url.password)}", where, mend)


def _cause(error: Exception, password: object = None) -> str:
    """The first line of what the driver says, without the password."""
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    line = redacted(text.splitlines()[0])
    return line.replace(str(password), HIDDEN) if password else line


def _write(connection: Connection, split: str, query: str, file: Path) -> Problem | None:
    """Writes the rows of a query; the problem if there are none."""
    from sqlalchemy.exc import SQLAlchemyError

    where = f"dataset.{QUERIES[split]}"
    try:
        result = connection.exec_driver_sql(query)
        if not result.returns_rows:
            return Problem("this statement gives no rows", where, 'write a query: "SELECT question, answer FROM pairs"')
        names = list(result.keys())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            return Problem(f"several columns are called {', '.join(twice)}", where, f"rename one: {twice[0]} AS other")
        batches = ([dict(zip(names, row, strict=True)) for row in some] for some in result.partitions(BATCH))
        if write_rows(batches, file):
            return None
    except SQLAlchemyError as error:
        connection.rollback()
        return _wrong_query(connection, error, where)
    return Problem("the query gives no rows", where, "check its conditions")


def _wrong_query(connection: Connection, error: Exception, where: str) -> Problem:
    cause = _cause(error)
    tables = _tables(connection)
    words = [word.strip("\"'`:;,.()") for word in cause.split()]
    match = next((found for word in words[::-1] if len(word) > 2 and (found := closest(word, tables))), None)
    known = f"tables: {', '.join(tables) or 'none'}"
    unknown = match is not None and match not in words
    return Problem(f"the database says: {cause}", where, f"did you mean {match}? ({known})" if unknown else known)


def _tables(connection: Connection) -> Sequence[str]:
    from sqlalchemy import inspect
    from sqlalchemy.exc import SQLAlchemyError

    try:
        found: Any = inspect(connection)
        return [str(name) for name in (*found.get_table_names(), *found.get_view_names())]
    except SQLAlchemyError:
        return []
