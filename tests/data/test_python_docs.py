from __future__ import annotations

import ast
import textwrap
import time
import warnings
from pathlib import Path

import pytest

from stbench.data.python_docs import extract
from stbench.errors import Refused

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def standard_library() -> tuple[Rows, float]:
    started = time.process_time()
    return extract(), time.process_time() - started


def rows_from(folder: Path, source: str, name: str = "module.py") -> dict[str, dict[str, str]]:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(source), encoding="utf-8")
    return {row["symbol"]: row for row in extract(folder)}


def test_the_standard_library_gives_thousands_of_rows_in_seconds(
    standard_library: tuple[Rows, float],
) -> None:
    rows, seconds = standard_library
    assert len(rows) > 5000
    assert seconds < 10


def test_rows_are_sorted_without_repeats_and_the_same_every_time(
    standard_library: tuple[Rows, float],
) -> None:
    rows, _ = standard_library
    assert [row["symbol"] for row in rows] == sorted(row["symbol"] for row in rows)
    for column in ("query", "document"):
        assert len({row[column] for row in rows}) == len(rows)
    assert extract() == rows


def test_every_document_is_python_and_begins_at_the_margin(standard_library: tuple[Rows, float]) -> None:
    for row in standard_library[0]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (definition,) = ast.parse(row["document"]).body
        assert definition.col_offset == 0
        assert row["symbol"].endswith(f".{definition.name}")  # type: ignore[attr-defined]


def test_no_tests_or_demonstrations(standard_library: tuple[Rows, float]) -> None:
    folders = {part for row in standard_library[0] for part in row["symbol"].split(".")[:-1]}
    assert not folders & {"test", "tests", "idlelib", "idle_test", "lib2to3", "turtledemo", "ensurepip"}


def test_a_known_row(standard_library: tuple[Rows, float]) -> None:
    (row,) = (row for row in standard_library[0] if row["symbol"] == "json.decoder.JSONDecoder.decode")
    assert row["query"].startswith("Return the Python representation of ``s``")
    assert row["document"].startswith("def decode(self, s, _w=WHITESPACE.match):\n    obj, end = ")


def test_functions_methods_classes_and_what_is_nested(tmp_path: Path) -> None:
    source = '''
        import functools

        if True:
            class Outer(object):
                """What the outer class is."""
                limit = 3

                @functools.cache
                async def method(self):
                    """What the async method does."""
                    def inner():
                        """What the inner function does."""
                        return 1
                    return inner
        try:
            pass
        except ValueError:
            def rescue():
                """What the rescue function does."""
                return 2
    '''
    rows = rows_from(tmp_path, source, "package/__init__.py")
    assert list(rows) == [
        "package.Outer",
        "package.Outer.method",
        "package.Outer.method.inner",
        "package.rescue",
    ]
    assert rows["package.Outer"]["document"].startswith("class Outer(object):\n    limit = 3\n")
    assert rows["package.Outer.method"]["document"].startswith(
        "@functools.cache\nasync def method(self):\n    def inner():"
    )
    assert rows["package.Outer.method.inner"]["document"] == "def inner():\n    return 1"


def test_the_query_is_the_first_paragraph_with_single_spaces(tmp_path: Path) -> None:
    source = '''
        def f():
            """  Words   over
            two\tlines.
               \t
            Another paragraph.
            """
            return 1
    '''
    assert rows_from(tmp_path, source)["module.f"]["query"] == "Words over two lines."


def test_fewer_than_four_words_are_no_query(tmp_path: Path) -> None:
    source = '''
        def three():
            """Only three words."""
            return 1
        def four():
            """Now it has four."""
            return 2
        def none():
            return 3
    '''
    assert list(rows_from(tmp_path, source)) == ["module.four"]


def test_a_definition_that_is_only_its_docstring_has_no_row(tmp_path: Path) -> None:
    source = '''
        class Empty(Exception):
            """Raised when nothing is left."""
        class Passing(Exception):
            """Raised when something is left."""
            pass
    '''
    rows = rows_from(tmp_path, source)
    assert list(rows) == ["module.Passing"]
    assert rows["module.Passing"]["document"] == "class Passing(Exception):\n    pass"


@pytest.mark.parametrize(
    ("definition", "document"),
    [
        ('def f(): "éééé one two three four"; return 1', "def f(): return 1"),
        ('def éé(): "one two three four"; return 1', "def éé(): return 1"),
        ('def f():\n    "one two three four"; return 1', "def f():\n    return 1"),
        ('def f():\n    """one two\n    three four""" ; é = 1', "def f():\n    é = 1"),
        ('def f():\n    "one two three four";\n    return 1', "def f():\n    return 1"),
        ('def f():\n    "one two three four"  # noqa\n    return 1', "def f():\n    return 1"),
        ('def f():\n    ("one two "\n     "three four")\n    return 1', "def f():\n    return 1"),
        ('def f(a,\n      b): "one two three four"; return 1', "def f(a,\n      b): return 1"),
        ('class C: "one two three four"; x = 1', "class C: x = 1"),
    ],
)
def test_a_docstring_that_shares_its_line_with_code(tmp_path: Path, definition: str, document: str) -> None:
    (row,) = rows_from(tmp_path, definition).values()
    assert row["document"] == document


def test_tabs_and_strings_at_the_margin_are_dedented(tmp_path: Path) -> None:
    source = 'class C:\n\tdef f(self):\n\t\t"""one two three four"""\n\t\treturn """\nmargin\n\t\tdeep"""\n'
    assert rows_from(tmp_path, source)["module.C.f"]["document"] == ('def f(self):\n\treturn """\nmargin\n\tdeep"""')


def test_form_feeds_and_line_separators_do_not_shift_the_lines(tmp_path: Path) -> None:
    source = 'x = "\u2028"\n\x0c\ndef f():\n    """one two three four"""\n    return "\x1c"\n'
    assert rows_from(tmp_path, source)["module.f"]["document"] == 'def f():\n    return "\x1c"'


def test_a_decorator_in_brackets_is_whole(tmp_path: Path) -> None:
    source = '@(\n    first\n    @ second\n)\n@third\ndef f():\n    """one two three four"""\n    return 1\n'
    document = rows_from(tmp_path, source)["module.f"]["document"]
    assert document == "@(\n    first\n    @ second\n)\n@third\ndef f():\n    return 1"


def test_of_a_repeated_query_the_first_symbol_stays(tmp_path: Path) -> None:
    source = '''
        def b():
            """Explained in the same words."""
            return 1
        def a():
            """Explained in the same
            words."""
            return 2
    '''
    assert list(rows_from(tmp_path, source)) == ["module.a"]


def test_of_two_definitions_of_one_name_the_first_in_the_file_stays(tmp_path: Path) -> None:
    source = '''
        if 1 > 0:
            def f():
                """one two three four"""
                return "first"
        else:
            def f():
                """one two three four"""
                return "second"
    '''
    assert rows_from(tmp_path, source)["module.f"]["document"] == 'def f():\n    return "first"'


def test_of_a_repeated_document_the_first_symbol_stays(tmp_path: Path) -> None:
    source = '''
        class B:
            def same(self):
                """Explained for the first time."""
                return 1
        class A:
            def same(self):
                """Explained in some other words."""
                return 1
    '''
    assert list(rows_from(tmp_path, source)) == ["module.A.same"]


def test_files_that_do_not_parse_and_folders_left_out_are_skipped(tmp_path: Path) -> None:
    for name in ("good.py", "test/a.py", "x/tests/a.py", "site-packages/a.py", "lib2to3/a.py", "no-name.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'def f():\n    """all that {name} says"""\n    return "{name}"\n')
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "null.py").write_bytes(b"x = 1\0\n")
    (tmp_path / "cookie.py").write_text("# coding: no-such-encoding\n")
    (tmp_path / "bytes.py").write_bytes(b"\n\n\nx = '\xff'\n")
    assert [row["symbol"] for row in extract(tmp_path)] == ["good.f"]


def test_a_folder_without_documented_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no documented Python source"):
        extract(tmp_path / "missing")
