"""How every job begins and ends: shown again when it is done, stopped by a signal, gated by its verdict."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stbench import console
from stbench.config.sentence import Sentence
from stbench.errors import Interrupted
from stbench.records.folder import RunFolder

GATED = {"never": (), "regression": ("REGRESSION",), "not_win": ("REGRESSION", "MARGINAL")}
"""Outcomes that end with exit code 3, by `verdict.fail_on`."""


def exit_code(outcome: str, sentence: Sentence) -> int:
    """3 where the sentence asks to fail on this outcome, else 0."""
    return 3 if outcome in GATED[sentence.verdict.fail_on] else 0


def is_done(folder: RunFolder, sentence: Sentence) -> bool:
    return folder.state() == "finished" and not sentence.force


def finished(folder: RunFolder, sentence: Sentence) -> int:
    """Shows the last line of a run that is already there. Returns its exit code."""
    folder.tidy()
    kept = folder.read("verdict.json")
    lines = [kept[name] for name in ("score_line", "line") if name in kept]
    console.show_finished(folder.name, lines, kept["outcome"], str(folder.report), changed_inputs(folder))
    return exit_code(kept["outcome"], sentence)


def changed_inputs(folder: RunFolder) -> list[str]:
    """Files that the run read and that are no longer what they were."""
    return [name for name, was in (folder.read("inputs.json") or {}).items() if _changed(name, was)]


def _changed(name: str, was: Sequence[int]) -> bool:
    try:
        status = os.stat(name)
    except OSError:
        return True
    return [status.st_size, status.st_mtime_ns] != list(was)


@contextmanager
def terminable() -> Iterator[None]:
    """A termination signal ends the job the way Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        raise Interrupted("terminated; the same command goes on from where it was")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
