"""Versions of the libraries that stbench stands on: outside its ranges, or known to be broken, is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

from stbench.errors import Problem

KNOWN_BAD = {
    "transformers": (
        r"5\.0\.0rc\d+",
        "release candidates of 5.0 break models of sentence-transformers (huggingface/transformers#42838)",
    ),
}
"""Package: pattern of its bad versions, and what they do."""


def problems(needed: Iterable[str] | None = None, installed: Callable[[str], str] = version) -> Iterator[Problem]:
    """What is wrong with the installed versions; `needed` are requirement lines, those of stbench when None."""
    for name, asked, has in _found(_own() if needed is None else needed, installed):
        mend = f'pip install "{name}{asked}"'
        if has is None:
            yield Problem("it is not installed", name, mend)
        elif not _within(has, asked):
            yield Problem(f"version {has} is installed, and stbench works with {asked}", name, mend)
        elif name in KNOWN_BAD and re.fullmatch(KNOWN_BAD[name][0], has):
            yield Problem(f"version {has}: {KNOWN_BAD[name][1]}", name, f"{mend} --upgrade")


@cache
def found_here() -> tuple[Problem, ...]:
    """What is wrong with the versions of this environment; they do not change while it runs."""
    return tuple(problems())


def _own() -> list[str]:
    try:
        return [line for line in requires("stbench") or () if "extra ==" not in line]
    except PackageNotFoundError:
        return []  # a checkout that was never installed says nothing about versions


def _found(needed: Iterable[str], installed: Callable[[str], str]) -> Iterator[tuple[str, str, str | None]]:
    from packaging.requirements import Requirement

    for line in needed:
        requirement = Requirement(line)
        try:
            yield requirement.name, str(requirement.specifier), installed(requirement.name)
        except PackageNotFoundError:
            yield requirement.name, str(requirement.specifier), None


def _within(has: str, asked: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(asked).contains(has, prereleases=True)
