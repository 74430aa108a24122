"""What a sweep leaves: a folder of its own beside those of its runs, with tables, a page and a parent for tracking."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from stbench import console
from stbench.config.secrets import redacted
from stbench.config.sentence import Sentence
from stbench.records.folder import RunFolder
from stbench.records.tracker import PARENT_VARIABLE
from stbench.run import command

if TYPE_CHECKING:
    from stbench.records.comparison_text import TextTable
    from stbench.records.sweep import SweepResult, SweepRow
    from stbench.sweep.jobs import Planned

SILENT = ("plan", "force", "cache", "tracker", "hydra", "verdict.fail_on")
"""Options that make no other sweep."""
FILE = "sweep.json"
LONGEST_NAME = 150


@dataclass(frozen=True)
class More:
    """What a search has to tell beside the tables of every sweep."""

    notes: tuple[str, ...]
    tables: tuple[TextTable, ...]
    lines: tuple[str, ...]
    """The last ones, in place of the sweep's own."""


def folder_of(overrides: Sequence[Any]) -> RunFolder:
    """Named by what is asked: which options vary, and what the others are. More values make no other sweep."""
    swept, fixed = [], []
    for one in overrides:
        key = one.get_key_element().lstrip("+~")
        if not is_silent(key):
            swept.append(key) if one.is_sweep_override() else fixed.append(str(one.input_line))
    return named("sweep", sorted(swept), [sorted(swept), sorted(fixed)])


def is_silent(key: str) -> bool:
    return key in SILENT or key.split(".")[0].split("/")[0] in SILENT


def named(kind: str, words: Sequence[str], asked: Any) -> RunFolder:
    """A folder that tells its `words`, and the digest of all that was asked."""
    digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:8]
    plain = "-".join([kind, *(re.sub(r"[^\w.-]+", "_", word) for word in words)])
    return RunFolder(f"{plain[:LONGEST_NAME]}-{digest}")


class SweepRecord:
    """Keeps a sweep: its parent in the tracking while jobs run, and what they came to."""

    def __init__(self, folder: RunFolder, sentence: Sentence, said: str, title: str) -> None:
        self.folder = folder
        self._sentence = sentence
        self._said = said
        self._title = title
        self._parent: str | None = None

    @property
    def _tracks(self) -> bool:
        return self._sentence.tracker.kind == "mlflow" and not self._sentence.training.trial

    @contextmanager
    def tracking(self, jobs: int) -> Iterator[None]:
        """While `jobs` run they name the sweep's own MLflow run as their parent."""
        if not self._tracks:
            yield
            return
        from stbench.records.mlflow_runs import ATTEMPT
        from stbench.records.tracked_parent import open_parent

        tracker, status = self._sentence.tracker, self.folder.read("status.json")
        tags = {ATTEMPT: status["attempt"], "stbench.job": "sweep", "stbench.command": self._said}
        with console.progress("tracking"):
            self._parent = open_parent(
                tracker.uri, tracker.experiment, self.folder.name, tags, {"jobs": jobs}, status.get("mlflow_run")
            )
        self.folder.set_state("running", mlflow_run=self._parent)
        os.environ[PARENT_VARIABLE] = self._parent or ""
        try:
            yield
        finally:
            del os.environ[PARENT_VARIABLE]

    def left_behind(self, run: RunFolder, sentence: Sentence, said: str, reason: str) -> None:
        """The process of `run`, which was to do `sentence`, has died: its folder and its tracking tell so."""
        if run.close_abandoned(reason) and self._tracks and run.read("status.json").get("attempt"):
            from stbench.records.logbook import tracked_as
            from stbench.records.tracked_parent import end_orphan

            tracker, (tags, parameters) = self._sentence.tracker, tracked_as(run, sentence, said)
            end_orphan(tracker.uri, tracker.experiment, run.name, tags, parameters, "FAILED")

    def end(self, rows: Sequence[SweepRow], more: More | None = None) -> None:
        """Ranks what has finished, writes the page, tells of all of it."""
        from stbench.jobs.gathered import statistics_of
        from stbench.records import sweep_text as words
        from stbench.records.sweep import sweep_result
        from stbench.records.sweep_report import write_sweep

        with console.progress("ranking"):
            found = sweep_result(rows, statistics_of(self._sentence), command=self._said, title=self._title)
            found = replace(found, notes=more.notes) if more else found
            self.folder.write(FILE, found.as_dict())
            write_sweep(found, self.folder.report)
            self._end_tracking(found)
        console.show_tables([*words.tables(found), *(more.tables if more else ())])
        places = {"page": str(self.folder.report), "json": str(self.folder.path / FILE)}
        console.show_best(words.remarks(found), places, more.lines if more else words.last_lines(found))

    def _end_tracking(self, found: SweepResult) -> None:
        if self._parent is None:
            return
        from stbench.records.tracked_parent import adopt, close_parent

        uri = self._sentence.tracker.uri
        before = [row.path for row in found.rows if row.reused and row.path]
        kept = [RunFolder(path.name).read("status.json").get("mlflow_run") for path in before]
        adopt(uri, self._parent, filter(None, kept))
        stopped = any(row.state == "interrupted" for row in found.rows)
        metrics: dict[str, float] = {f"jobs.{state}": number for state, number in found.counts.items()}
        if found.best is not None:
            metrics["best"] = found.best.best.spread.value
        places = [self.folder.report, self.folder.path / FILE]
        close_parent(uri, self._parent, "KILLED" if stopped else "FINISHED", metrics, places)


@contextmanager
def recorded(jobs: Sequence[Planned], overrides: Sequence[Any]) -> Iterator[SweepRecord]:
    """Opens the records of a sweep.

    Raises `Refused` where it is running already.
    """
    swept = [one.get_key_element().lstrip("+~") for one in overrides if one.is_sweep_override()]
    sentence = next(job.sentence for job in jobs if job.sentence)
    title = f"Sweep over {', '.join(swept)}" if swept else "Sweep"
    with kept(folder_of(overrides), sentence, command(["-m", *lines_of(overrides)]), title) as record:
        yield record


def lines_of(overrides: Sequence[Any]) -> list[str]:
    """What was said, without passwords."""
    return [redacted(str(one.input_line)) for one in overrides]


@contextmanager
def kept(folder: RunFolder, sentence: Sentence, said: str, title: str) -> Iterator[SweepRecord]:
    """Opens the records in `folder`.

    Raises `Refused` where another process has.
    """
    with folder.held():
        before = folder.read("status.json") or {}
        folder.set_state("running", attempt=before.get("attempt") or uuid4().hex, pid=os.getpid())
        folder.write("command.txt", said + "\n")
        folder.write("config.yaml", json.dumps({"job": {"kind": "sweep"}, "training": {"trial": False}}))
        try:
            yield SweepRecord(folder, sentence, said, title)
        except BaseException:
            folder.set_state("failed")
            raise
        folder.set_state("finished")
