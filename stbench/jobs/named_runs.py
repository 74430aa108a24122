"""The folders that `runs=[…]` names: by their whole name, by how it begins or ends, by a pattern, or by a path."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from stbench.config.suggest import closest
from stbench.errors import Problem, Refused
from stbench.records.folder import EXPERIMENTS

ALL = "all"
MOST_SHOWN = 6
WITHOUT_SCORE = ("compare", "leaderboard", "estimate", "mine")
"""Jobs whose folders are never offered: no score is in them."""


def folders(root: Path = EXPERIMENTS) -> list[Path]:
    """Every folder of a run, whatever became of it, by name."""
    return sorted(item for item in root.glob("*") if item.is_dir() and not item.name.startswith("."))


def named_runs(words: Sequence[str], root: Path = EXPERIMENTS) -> tuple[list[Path], list[Path]]:
    """(folders that were named one by one, folders that a pattern or `all` has found besides), each folder once.

    Raises `Refused` with every word that names no folder, or several without being a pattern.
    """
    known = folders(root)
    one_by_one: list[Path] = []
    found: list[Path] = []
    problems: list[Problem] = []
    for word in words:
        some = _found(word, known)
        if isinstance(some, Problem):
            problems.append(some)
        else:
            (found if _is_pattern(word) else one_by_one).extend(some)
    if problems:
        raise Refused(*problems)
    named = _once(one_by_one)
    places = {path.resolve() for path in named}
    return named, [path for path in _once(found) if path.resolve() not in places]


def _once(paths: Sequence[Path]) -> list[Path]:
    return list({path.resolve(): path for path in reversed(paths)}.values())[::-1]


def _is_pattern(word: str) -> bool:
    return word == ALL or any(sign in word for sign in "*?")


def _found(word: str, known: Sequence[Path]) -> list[Path] | Problem:
    if word == ALL:
        return list(known) or _unknown(word, known)
    if "/" in word:
        return _by_path(word, known)
    if _is_pattern(word):
        return [path for path in known if fnmatchcase(path.name, word)] or _unknown(word, known)
    exact = [path for path in known if path.name == word]
    alike = exact or [path for path in known if path.name.startswith(word) or path.name.endswith(f"-{word}")]
    if len(alike) > 1:
        return _several(word, alike)
    return alike or _unknown(word, known)


def _by_path(word: str, known: Sequence[Path]) -> list[Path] | Problem:
    path = Path(word).expanduser()
    if _is_pattern(word):
        start = Path(path.anchor) if path.anchor else Path()
        pattern = str(path.relative_to(path.anchor)) if path.anchor else str(path)
        return sorted(item for item in start.glob(pattern) if item.is_dir()) or _unknown(word, known)
    return [path] if path.is_dir() else _unknown(word, known)


def _several(word: str, alike: Sequence[Path]) -> Problem:
    mend = f"say more of it, or {word}* for all of them: {_shown([path.name for path in alike])}"
    return Problem(f"{len(alike)} runs begin or end with '{word}'", f"runs=[{word}]", mend)


def _unknown(word: str, known: Sequence[Path]) -> Problem:
    names = [path.name for path in known if not path.name.startswith(tuple(f"{job}-" for job in WITHOUT_SCORE))]
    if not names:
        mend = "train some first, or name folders by their paths: runs=[DIR,DIR]"
        return Problem("there are no runs here yet", f"runs=[{word}]", mend)
    kind = "no run fits this pattern" if _is_pattern(word) else "there is no such run"
    return Problem(kind, f"runs=[{word}]", _offer(Path(word).name, names))


def _offer(word: str, names: Sequence[str]) -> str:
    parts = [part for name in names for part in set(name.split("-"))]
    only = {part: name for name in names for part in name.split("-") if parts.count(part) == 1}
    alike = closest(word, names) or only.get(closest(word, only) or "")
    return f"did you mean runs=[{alike}]?" if alike else f"choose among {_shown(names)}"


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more
