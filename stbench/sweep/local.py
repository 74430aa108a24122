"""Runs jobs on this machine, as many at a time as it has room for, and shows them while they run."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stbench import console
from stbench.errors import Interrupted, Refused
from stbench.jobs.lifecycle import terminable
from stbench.records.tracker import PARENT_VARIABLE
from stbench.sweep.board import Board
from stbench.sweep.pool import Pool, Ready
from stbench.sweep.slots import slots
from stbench.task import Ending

PATIENCE_SECONDS = 0.25
"""How long it waits for what jobs say before the table is drawn anew."""
STOPPING = "stopping; once more kills what still runs"
STOPPED = Ending(Interrupted.exit_code, "not started: the sweep was stopped")


@dataclass(frozen=True)
class Waiting:
    """A job that is to run."""

    number: int
    label: str
    compose: Callable[[], Ready]
    """Raises `Refused`."""


def run_all(jobs: Sequence[Waiting], places: int | None) -> dict[int, Ending]:
    """How each job ended, by number.

    Ctrl-C or a termination signal lets the jobs at work save what they have, and starts no other; a second one kills them.
    """
    found = {job.number: STOPPED for job in jobs}
    room = slots(places, len(jobs))
    pool, board = Pool(room, passed_on()), Board(len(jobs), len(room))
    waiting = deque(jobs)
    with terminable(), console.live(board.table) as draw:
        while waiting or pool.running:
            try:
                _start(waiting, pool, board, found)
                for job, message in pool.wait(PATIENCE_SECONDS):
                    board.heard(job, message)
                    if isinstance(message, Ending):
                        found[job.number] = message
                draw()
            except (KeyboardInterrupt, Interrupted):
                waiting.clear()
                board.note(STOPPING)
                pool.stop()
    return found


def _start(waiting: deque[Waiting], pool: Pool, board: Board, found: dict[int, Ending]) -> None:
    while waiting and pool.has_room:
        one = waiting.popleft()
        try:
            ready = one.compose()
        except Refused as problem:
            found[one.number] = Ending(problem.exit_code, problem.in_one_line())
            continue
        pool.start(one.number, one.label or ready.folder.name, ready)
        board.started(pool.running[one.number])


def passed_on() -> dict[str, str]:
    """Variables that were set after the process began that jobs are forked from."""
    return {PARENT_VARIABLE: os.environ.get(PARENT_VARIABLE, "")}
