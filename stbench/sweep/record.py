"""What a sweep leaves: a folder of its own beside those of its runs, with tables, a page and a parent for tracking."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stbench import console
from stbench.config.secrets import redacted
from stbench.config.sentence import Sentence
from stbench.records.folder import RunFolder
from stbench.run import command

if TYPE_CHECKING:
    from stbench.records.sweep import SweepRow
    from stbench.sweep.jobs import Planned

SILENT = ("plan", "force", "cache", "tracker", "hydra", "verdict.fail_on")
"""Options that make no other sweep."""
FILE = "sweep.json"


def folder_of(overrides: Sequence[Any]) -> RunFolder:
    """Named by what is asked: which options vary, and what the others are. More values make no other sweep."""
    swept, fixed = [], []
    for one in overrides:
        key = one.get_key_element().lstrip("+~")
        if key.split(".")[0].split("/")[0] in SILENT or key in SILENT:
            continue
        swept.append(key) if one.is_sweep_override() else fixed.append(str(one.input_line))
    digest = hashlib.sha256(json.dumps([sorted(swept), sorted(fixed)]).encode()).hexdigest()[:8]
    words = [re.sub(r"[^\w.-]+", "_", key) for key in swept]
    return RunFolder("-".join(["sweep", *words, digest]))


class SweepRecord:
    """Keeps a sweep: which jobs it has while it runs, and what they came to."""

    def __init__(self, folder: RunFolder, sentence: Sentence, said: str, swept: Sequence[str]) -> None:
        self.folder = folder
        self._sentence = sentence
        self._said = said
        self._swept = swept

    def start(self, number: int) -> None:
        """Jobs are about to run."""

    def end(self, rows: Sequence[SweepRow]) -> None:
        """Ranks what has finished, writes the page, tells of all of it."""
        from stbench.jobs.gathered import statistics_of
        from stbench.records import sweep_text as words
        from stbench.records.sweep import sweep_result
        from stbench.records.sweep_report import write_sweep

        with console.progress("ranking"):
            title = f"Sweep over {', '.join(self._swept)}" if self._swept else "Sweep"
            found = sweep_result(rows, statistics_of(self._sentence), command=self._said, title=title)
            self.folder.write(FILE, found.as_dict())
            write_sweep(found, self.folder.report)
        console.show_tables(words.tables(found))
        places = {"page": str(self.folder.report), "json": str(self.folder.path / FILE)}
        console.show_best(words.remarks(found), places, words.last_lines(found))


@contextmanager
def recorded(jobs: Sequence[Planned], overrides: Sequence[Any]) -> Iterator[SweepRecord]:
    """Opens the records of a sweep.

    Raises `Refused` where it is running already.
    """
    folder = folder_of(overrides)
    said = command(["-m", *(redacted(str(one.input_line)) for one in overrides)])
    swept = [one.get_key_element().lstrip("+~") for one in overrides if one.is_sweep_override()]
    sentence = next(job.sentence for job in jobs if job.sentence)
    with folder.held():
        folder.set_state("running")
        folder.write("command.txt", said + "\n")
        folder.write("config.yaml", json.dumps({"job": {"kind": "sweep"}, "training": {"trial": False}}))
        try:
            yield SweepRecord(folder, sentence, said, swept)
        except BaseException:
            folder.set_state("failed")
            raise
        folder.set_state("finished")


def left_running(folder: RunFolder, reason: str) -> None:
    """The process of a run has died: its folder tells so."""
    if folder.state() == "running":
        folder.set_state("failed", reason=reason)
