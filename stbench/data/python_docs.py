"""Question-answer rows from the Python that runs this: a docstring asks, the source under it answers."""

from __future__ import annotations

import ast
import os
import re
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from stbench.errors import Problem, Refused

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_MINIMUM_WORDS = 4
_PARAGRAPH_BREAK = re.compile(r"\n\s*\n")
# Folders that are no identifiers (site-packages, config-3.11-…, lib-dynload) drop out by themselves.
_LEFT_OUT = {"ensurepip", "idle_test", "idlelib", "lib2to3", "pydoc_data", "test", "tests", "turtledemo"}


def extract(library: Path | None = None) -> list[dict[str, str]]:
    """Every documented function, method and class of `library`, by default the standard library.

    A row has `query` (first paragraph of the docstring), `document` (the source without that docstring) and
    `symbol` (`json.decoder.JSONDecoder.decode`). Rows are sorted by symbol; of a repeated query or document
    only the first stays. A definition with nothing but a docstring in it has no document and no row.

    Raises Refused if there is no such folder or nothing documented in it.
    """
    library = library or Path(sysconfig.get_path("stdlib"))
    rows = [row for file in _source_files(library) for row in _rows_of(file, _module_name(file, library))]
    if not rows:
        raise Refused(
            Problem(
                "holds no documented Python source",
                where=str(library),
                mend="use a Python that ships its standard library as .py files, or another dataset",
            )
        )
    return _without_repeats(sorted(rows, key=lambda row: row["symbol"]))


def _source_files(library: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(library):
        subfolders[:] = sorted(name for name in subfolders if name.isidentifier() and name not in _LEFT_OUT)
        for name in sorted(names):
            if name.endswith(".py") and name.removesuffix(".py").isidentifier():
                yield Path(folder, name)


def _module_name(file: Path, library: Path) -> str:
    parts = file.relative_to(library).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _rows_of(file: Path, module: str) -> Iterator[dict[str, str]]:
    try:
        with tokenize.open(file) as stream:
            source = stream.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    # Not splitlines(): it also breaks at form feeds and the like, and the parser's line numbers do not.
    lines = source.split("\n")
    for symbol, definition in _definitions(tree, module):
        if (query := _query(definition)) and (document := _document(definition, lines)):
            yield {"query": query, "document": document, "symbol": symbol}


def _definitions(tree: ast.Module, module: str) -> Iterator[tuple[str, _Definition]]:
    """All definitions in source order, those inside functions, branches and handlers too."""
    waiting: list[tuple[ast.AST, str]] = [(tree, module)]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, _Definition):
            scope = f"{scope}.{node.name}"
            yield scope, node
        waiting.extend((child, scope) for child in reversed(_statements(node)))


def _statements(node: ast.AST) -> list[ast.AST]:
    # Expressions hold no definitions, and most of a tree is expressions.
    blocks = ("body", "handlers", "orelse", "finalbody", "cases")
    found = (getattr(node, block, ()) for block in blocks)
    return [child for block in found if isinstance(block, list) for child in block]


def _query(definition: _Definition) -> str:
    docstring = ast.get_docstring(definition)
    if docstring is None or len(docstring.split()) < _MINIMUM_WORDS:
        return ""
    return " ".join(_PARAGRAPH_BREAK.split(docstring.strip())[0].split())


def _document(definition: _Definition, lines: list[str]) -> str:
    """Source of the definition without its docstring and those inside it, dedented; "" if nothing else is in it.

    The docstrings of inner definitions go too: each is a query of its own, and would lie word for word in this document.
    """
    if len(definition.body) == 1:
        return ""
    kept: list[str] = []
    at = _first_line(definition, lines) - 1
    for docstring, alone in _docstrings(definition):
        kept += [*lines[at : docstring.lineno - 1], *_sharing_lines(docstring, lines, "..." if alone else "")]
        at = docstring.end_lineno or docstring.lineno
    kept += lines[at : definition.end_lineno]
    # Not textwrap.dedent: a string with one line at the margin would keep everything indented.
    indentation = kept[0][: len(kept[0]) - len(kept[0].lstrip())]
    return "\n".join(line.removeprefix(indentation) for line in kept)


def _docstrings(definition: _Definition) -> list[tuple[ast.stmt, bool]]:
    """Docstring statements of the definition and of all in it, as the source has them, and whether each is all there is."""
    found = [
        (inner.body[0], len(inner.body) == 1)
        for inner in ast.walk(definition)
        if isinstance(inner, _Definition) and ast.get_docstring(inner, clean=False) is not None
    ]
    return sorted(found, key=lambda item: item[0].lineno)


def _first_line(definition: _Definition, lines: list[str]) -> int:
    if not definition.decorator_list:
        return definition.lineno
    number = definition.decorator_list[0].lineno
    # A decorator in brackets can begin lines below its @.
    while not lines[number - 1].lstrip().startswith("@"):
        number -= 1
    return number


def _sharing_lines(docstring: ast.stmt, lines: list[str], instead: str) -> list[str]:
    """The code left of the docstring and right of it with `instead` between, as one line, or none where all are empty."""
    # Offsets count UTF-8 bytes.
    before = lines[docstring.lineno - 1].encode()[: docstring.col_offset].decode()
    after = lines[(docstring.end_lineno or docstring.lineno) - 1].encode()[docstring.end_col_offset :].decode()
    after = after.lstrip(" \t;")
    if after.startswith("#"):
        after = ""
    return [before + instead + after] if (before + instead + after).strip() else []


def _without_repeats(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    kept: list[dict[str, str]] = []
    queries: set[str] = set()
    documents: set[str] = set()
    for row in rows:
        if row["query"] not in queries and row["document"] not in documents:
            queries.add(row["query"])
            documents.add(row["document"])
            kept.append(row)
    return kept
