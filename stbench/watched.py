"""A job of a sweep tells its sweep how far it is, and hears whether to go on; alone, nobody listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Watcher(Protocol):
    """Who wants to know."""

    def stage(self, what: str, done: int, total: int | None, text: str) -> None:
        """The stage at hand: `done` of `total`."""

    def score(self, step: int, value: float) -> None:
        """The selection score at a step of the training; may raise `Interrupted` to end the job there."""


_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> Callable[[], None]:
    """From now on `watcher` is told; returns what ends that."""
    _watchers.append(watcher)
    return lambda: _watchers.remove(watcher)


def stage(what: str, done: int = 0, total: int | None = None, text: str = "") -> None:
    for one in _watchers:
        one.stage(what, done, total, text)


def logged(entry: Mapping[str, Any], step: int) -> None:
    """An entry of the training's log: its score is told."""
    if "score" in entry:
        for one in _watchers:
            one.score(step, float(entry["score"]))
