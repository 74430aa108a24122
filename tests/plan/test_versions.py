from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from stbench.plan.versions import problems


def has(*, gone: bool = False, number: str = "6.2.0"):  # type: ignore[no-untyped-def]
    def installed(name: str) -> str:
        if gone:
            raise PackageNotFoundError(name)
        return number

    return installed


def test_the_installed_versions_are_within_the_ranges() -> None:
    assert not list(problems())


@pytest.mark.parametrize(
    ("number", "what"), [("5.9.9", "5.9.9 is installed"), ("7.0.0", "7.0.0 is installed"), ("6.2.0", None)]
)
def test_a_version_outside_the_range_is_named_with_the_command_that_mends_it(number: str, what: str | None) -> None:
    found = list(problems(["sentence-transformers<7,>=6.2"], has(number=number)))
    assert [what in item.what for item in found] == ([True] if what else [])
    assert all(item.mend == 'pip install "sentence-transformers<7,>=6.2"' for item in found)


def test_a_version_known_to_be_broken_is_named_with_what_it_breaks() -> None:
    (problem,) = problems(["transformers>=4"], has(number="5.0.0rc1"))
    assert "release candidates" in problem.what


def test_a_missing_package_is_named() -> None:
    (problem,) = problems(["mlflow>=3"], has(gone=True))
    assert problem.what == "it is not installed"
