"""What a person sees of a sweep while it runs: a table of the jobs at work, and a line for each that has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stbench import console
from stbench.sweep.messages import Message
from stbench.sweep.outcome import outcome_in
from stbench.sweep.pool import Job
from stbench.task import Ending

if TYPE_CHECKING:
    from rich.table import Table

MARKS = {0: "[green]✓[/]", 3: "[green]✓[/]", 130: "[yellow]■[/]"}
FAILED = "[bold red]✗[/]"


class Board:
    """Keeps what jobs have said."""

    def __init__(self, number: int, places: int) -> None:
        self._number = number
        self._places = places
        self._running: dict[int, Job] = {}
        self._seconds: list[float] = []
        """Of the jobs that ran."""
        self._done = 0
        self._failed = 0
        self._start = time.monotonic()
        self._note = ""

    def started(self, job: Job) -> None:
        self._running[job.number] = job

    def heard(self, job: Job, message: Message) -> None:
        """A job that has ended is told of at once, above the table."""
        if isinstance(message, Ending):
            self.left(job)
            said = message.reason or outcome_in(job.folder)
            self.tell(message.code, f"{job.label}: {said} ({job.seconds:.0f} s)")

    def left(self, job: Job) -> None:
        """It runs no longer."""
        self._running.pop(job.number, None)
        self._seconds.append(job.seconds)

    def tell(self, code: int, text: str) -> None:
        """One more has ended, run or not; `code` as a process would end with."""
        self._done += 1
        self._failed += code not in MARKS
        console.show_job(MARKS.get(code, FAILED), f"{self._done}/{self._number} {text}")

    def note(self, text: str) -> None:
        self._note = text

    def table(self) -> Table:
        """Job, stage, step, selection score and time left of all that run."""
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=escape(self._title()), title_justify="left", box=None, padding=(0, 2, 0, 0))
        for name in ("job", "stage", "step", "score", "time", "left"):
            table.add_column(name, header_style="dim", justify="left" if name in ("job", "stage") else "right")
        for job in self._running.values():
            stage, spent = job.stage, time.monotonic() - job.started
            step = f"{stage.done:,}/{stage.total:,}" if stage and stage.total else ""
            score = "" if job.score is None else f"{job.score:.4f}"
            table.add_row(
                escape(job.label), stage.what if stage else "starting", step, score, _clock(spent), _left(job)
            )
        return table

    def _title(self) -> str:
        done = self._done
        waiting = self._number - done - len(self._running)
        parts = [f"{done} of {self._number} jobs done"]
        parts += [f"{self._failed} failed"] if self._failed else []
        parts += [f"{waiting} waiting"] if waiting else []
        if self._seconds and waiting:
            mean = sum(self._seconds) / len(self._seconds)
            parts.append(f"about {_clock(mean * (waiting + len(self._running) / 2) / self._places)} left")
        return ", ".join([*parts, *filter(None, [self._note])])


def _left(job: Job) -> str:
    """Of the training, whose steps are alike."""
    stage = job.stage
    if stage is None or stage.what != "training" or not stage.total or not stage.done:
        return ""
    spent = time.monotonic() - job.stage_since
    return _clock(spent / stage.done * (stage.total - stage.done))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
