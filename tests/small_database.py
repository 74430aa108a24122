"""An SQLite file with question-answer pairs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def write_database(file: Path, rows: int, table: str = "pairs") -> Path:
    """Adds the table `pairs` (id, question, answer, score) with `rows` rows; every seventh score is missing."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE {table} (id INTEGER, question TEXT, answer TEXT, score REAL)")
        values = [(i, f"what is {i}?", f"{i} is 100% it", None if i % 7 == 6 else i / 10) for i in range(rows)]
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", values)
    return file
