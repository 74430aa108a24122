"""Losses and evaluators by the names of the library's classes, where a choice of another name stands for the class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stbench.config.discovery import choices, load

NAMED_BY_CLASS = ("loss", "evaluator")
NAME = re.compile(r"[\w/.-]+")


def by_class(group: str, value: str) -> str:
    """`value` with each class name in it replaced by the choice that stands for that class.

    A value may hold several names, as in A,B or choice(A,B); names that are no class stay as they are.
    """
    known = choices()[group]
    names = NAME.findall(value)
    if group not in NAMED_BY_CLASS or all(name in known for name in names):
        return value
    classes = _classes(group)
    return NAME.sub(lambda name: name[0] if name[0] in known else classes.get(name[0], name[0]), value)


def _classes(group: str) -> dict[str, str]:
    """Choice by class; the library's own names come before families of losses."""
    found: dict[str, str] = {}
    for name in sorted(choices()[group], key=lambda name: (not name[0].isupper(), name)):
        for cls in _named_in(load(group, name)):
            found.setdefault(cls, name)
    return found


def _named_in(content: Mapping[str, Any]) -> Iterator[str]:
    yield from content.get("classes", {}).values()
    for entries in content.get("types", {}).values():
        yield from (entry["class"] for entry in (entries if isinstance(entries, list) else [entries]))
