"""Jobs in processes of their own, as many at a time as there are slots: what happens to one is no matter of the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

from stbench.errors import Interrupted
from stbench.records.folder import RunFolder
from stbench.sweep.child import Order, run
from stbench.sweep.messages import Message, Reply, Stage
from stbench.sweep.slots import Slot
from stbench.task import Ending

PRELOADED = "stbench.sweep.preload"
TRACKING = "stbench.sweep.preload_tracking"
SIGNALS = {
    signal.SIGKILL: "killed (SIGKILL): by hand, or by the system for want of memory",
    signal.SIGSEGV: "crashed (SIGSEGV): a library broke",
    signal.SIGABRT: "crashed (SIGABRT): a library gave up",
}


@dataclass(frozen=True)
class Ready:
    """A composed job."""

    config: Any
    """With Hydra's own part."""
    folder: RunFolder


@dataclass
class Job:
    """One that runs, or has run."""

    number: int
    label: str
    folder: RunFolder
    slot: Slot
    process: Any
    pipe: connection.Connection
    started: float = field(default_factory=time.monotonic)
    stage: Stage | None = None
    stage_since: float = 0.0
    score: float | None = None
    """The newest selection score."""
    ending: Ending | None = None
    seconds: float = 0.0


class Pool:
    """Starts jobs while slots are free, and tells what they say.

    `environment`: variables that each job gets. `searched`: whether jobs wait at each score for `reply`. `work`: what a
    process does with its order.
    """

    def __init__(
        self,
        places: Sequence[Slot],
        environment: Mapping[str, str] | None = None,
        searched: bool = False,
        work: Callable[[Order, connection.Connection], None] = run,
    ) -> None:
        self._free = list(places)
        self._environment = dict(environment or {})
        self._searched = searched
        self._work = work
        self._context = _context([PRELOADED])
        self._stopping = False
        self.running: dict[int, Job] = {}

    @property
    def has_room(self) -> bool:
        return bool(self._free) and not self._stopping

    def start(self, number: int, label: str, ready: Ready) -> None:
        """Raises `IndexError` where no slot is free."""
        slot = self._free.pop(0)
        ours, theirs = self._context.Pipe()
        order = Order(ready.config, slot, ready.folder.printed, self._environment, self._searched)
        process = self._context.Process(target=self._work, args=(order, theirs), name=f"stbench-job-{number}")
        process.start()
        theirs.close()
        self.running[number] = Job(number, label, ready.folder, slot, process, ours)

    def wait(self, seconds: float) -> Iterator[tuple[Job, Message]]:
        """What jobs say within `seconds`; an `Ending` is the last of each. The slot is free then."""
        by_pipe = {job.pipe: job for job in self.running.values()}
        by_sentinel = {job.process.sentinel: job for job in self.running.values()}
        for ready in connection.wait([*by_pipe, *by_sentinel], seconds):
            job = by_pipe.get(ready) or by_sentinel[ready]  # type: ignore[call-overload]
            if job.number in self.running:
                yield from self._heard(job)

    def _heard(self, job: Job) -> Iterator[tuple[Job, Message]]:
        for message in _messages(job):
            if isinstance(message, Ending):
                job.ending = message
            elif isinstance(message, Stage):
                if job.stage is None or job.stage.what != message.what:
                    job.stage_since = time.monotonic()
                job.stage = message
            else:
                job.score = message.value
            if not isinstance(message, Ending):
                yield job, message
        if job.process.exitcode is not None or job.ending is not None:
            yield job, self._ended(job)

    def _ended(self, job: Job) -> Ending:
        job.process.join()
        job.pipe.close()
        job.seconds = time.monotonic() - job.started
        del self.running[job.number]
        self._free.append(job.slot)
        job.ending = job.ending or self._silent_end(job.process.exitcode)
        return job.ending

    def _silent_end(self, exit_code: int | None) -> Ending:
        if self._stopping and exit_code == -signal.SIGTERM:
            return Ending(Interrupted.exit_code, "stopped before it had begun")
        return Ending(1, died_of(exit_code))

    def reply(self, job: Job, stop: str = "") -> None:
        """Lets a job that waits at a score go on, or says why it is to end there."""
        with suppress(OSError):
            job.pipe.send(Reply(stop))

    def stop(self) -> None:
        """Asks all jobs to end where they can go on later; a second time they are killed."""
        number = signal.SIGKILL if self._stopping else signal.SIGTERM
        self._stopping = True
        for job in self.running.values():
            with suppress(OSError):
                os.kill(job.process.pid, number)
            self.reply(job)


def _messages(job: Job) -> Iterator[Message]:
    """All that has arrived."""
    try:
        while job.pipe.poll():
            yield job.pipe.recv()
    except (EOFError, OSError):
        return


def died_of(exit_code: int | None) -> str:
    """Why a process ended that said nothing."""
    if exit_code is None or exit_code >= 0:
        return f"the process ended with exit code {exit_code} before it could say why"
    with suppress(ValueError):
        number = signal.Signals(-exit_code)
        return SIGNALS.get(number, f"killed by a signal ({number.name})")
    return f"killed by signal {-exit_code}"


def warm_up(tracked: bool) -> None:
    """Lets the process that jobs are forked from begin with its imports, while other things are done here."""
    from multiprocessing.forkserver import ensure_running

    _context([PRELOADED, TRACKING] if tracked else [PRELOADED])
    ensure_running()


def _context(modules: list[str]) -> Any:
    """What is imported before the first fork counts for all: a process that is there already stays as it is."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(modules)
    return context
