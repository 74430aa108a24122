"""What can be chosen: the configuration groups and the files in them, without reading any of them as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_SUMMARY = re.compile(r"^ *summary: *(.+?) *$", re.MULTILINE)
_COMMENT = re.compile(r"^# (?!@)(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Choice:
    """One file of a group."""

    group: str
    name: str
    file: Path

    @property
    def summary(self) -> str:
        text = self.file.read_text(encoding="utf-8")
        found = _SUMMARY.search(text) or _COMMENT.search(text)
        return found.group(1).strip("\"'") if found else ""


def package_conf() -> Path:
    """The folder `conf` that came with stbench: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def user_conf() -> Path | None:
    """The folder `conf` of the working directory, unless it is stbench's own."""
    folder = Path.cwd() / "conf"
    return folder if folder.is_dir() and folder.resolve() != package_conf() else None


def conf_folders(*extra: Path) -> list[Path]:
    """Folders that are searched, in order; the first that has a file wins."""
    user = user_conf()
    return [*extra, package_conf(), *([user] if user else [])]


def choices(*extra: Path) -> dict[str, dict[str, Choice]]:
    """All groups, and in each all choices by name; files whose names begin with `_` are parts of others."""
    found: dict[str, dict[str, Choice]] = {}
    for folder in conf_folders(*extra):
        for file in sorted(folder.glob("*/**/*.yaml")):
            if file.name.startswith("_"):
                continue
            group, *inner = file.relative_to(folder).with_suffix("").parts
            found.setdefault(group, {}).setdefault("/".join(inner), Choice(group, "/".join(inner), file))
    return found


@cache
def load(group: str, name: str) -> Mapping[str, Any]:
    """The content of one choice that was named inside another, such as the evaluator that `auto` decides on.

    Raises `KeyError` when the group has no such choice.
    """
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(choices()[group][name].file))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key != "defaults"}
