"""The ledger: a Markdown table with one line for every run there ever was; lines are added, never changed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

COLUMNS = ("when", "run", "verdict", "score", "baseline", "delta", "ci95", "p", "n", "metric", "command")
TITLE = "# Experiments"
_CELL = re.compile(r"((?:\\.|[^|\\])*)\|")
_ESCAPED = re.compile(r"\\([|\\])")


def append(path: Path, row: Mapping[str, str]) -> None:
    """Add one run; safe with many processes at once. Columns that `row` lacks stay empty.

    A run that stands there with the same time already is not added: a process that was killed may have come so far.
    Raises ValueError if `row` has a column that the ledger does not know.
    """
    from filelock import FileLock

    if unknown := sorted(set(row) - set(COLUMNS)):
        raise ValueError(f"the ledger has no column {', '.join(unknown)}; it has {', '.join(COLUMNS)}")
    line = _line(_cell(row.get(column, "")) for column in COLUMNS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")), path.open("a+b") as file:
        if not _stands(path, row):
            # One write: a process killed in the middle leaves at worst one unfinished line.
            file.write((_opening(file) + line).encode("utf-8", "replace"))


def rows(path: Path) -> list[dict[str, str]]:
    """Every run in the ledger, oldest first, with the texts `append` was given; none if there is no file."""
    if not path.exists():
        return []
    # A line that was cut may end within a character.
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    table = [_CELL.findall(line[1:]) for line in lines if line.startswith("|")]
    # The first two are the names and the rule; an unfinished line has too few cells.
    whole = (cells for cells in table[2:] if len(cells) == len(COLUMNS))
    return [dict(zip(COLUMNS, map(_text, cells), strict=True)) for cells in whole]


def _stands(path: Path, row: Mapping[str, str]) -> bool:
    asked = {name: row[name] for name in ("when", "run") if name in row}
    return len(asked) == 2 and any(asked.items() <= one.items() for one in rows(path))


def _opening(file: IO[bytes]) -> str:
    """What must stand before the next line: a new file's head, an unfinished line's end, or nothing."""
    if file.seek(0, 2) == 0:
        return f"{TITLE}\n\n{_line(COLUMNS)}{_line('---' for _ in COLUMNS)}"
    file.seek(-1, 2)
    return "" if file.read(1) == b"\n" else "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cell(text: str) -> str:
    """Pipes and line ends would break the table, `<` would be markup; all of it can be read back."""
    one_kind = "\n".join(text.strip().splitlines())
    literal = html.escape(one_kind, quote=False).replace("\\", "\\\\").replace("|", "\\|")
    return literal.replace("\n", "<br>")


def _text(cell: str) -> str:
    lines = cell.strip().replace("<br>", "\n")
    return html.unescape(_ESCAPED.sub(r"\1", lines))
