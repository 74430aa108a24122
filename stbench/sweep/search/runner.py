"""Who runs the trials: processes of this machine, which can be stopped half-way, or another launcher, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from stbench import console
from stbench.errors import Interrupted
from stbench.sweep.board import Board
from stbench.sweep.grid import Launch, ending_of
from stbench.sweep.local import PATIENCE_SECONDS, STOPPING, passed_on
from stbench.sweep.messages import Message
from stbench.sweep.pool import Pool
from stbench.sweep.search.compose import Composed
from stbench.sweep.slots import slots
from stbench.task import Ending

STOPPED = Ending(Interrupted.exit_code, "the search was stopped")


class Runner(Protocol):
    """Runs jobs under numbers, and tells what they say."""

    @property
    def has_room(self) -> bool: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def is_idle(self) -> bool: ...

    def start(self, number: int, label: str, job: Composed) -> None: ...

    def wait(self) -> Iterator[tuple[int, Message]]:
        """What jobs say; an `Ending` is the last of each."""
        ...

    def reply(self, number: int, stop: str = "") -> None:
        """To a job that has told a score: it goes on, or ends for the reason `stop`."""
        ...

    def stop(self) -> None:
        """Asks all jobs to end where they can go on later, and starts no other."""
        ...

    def tell(self, code: int, text: str) -> None:
        """One line for a trial that has ended, as a process ends with `code`."""
        ...


class PoolRunner:
    """Runs in `stbench.sweep.pool`; `waits`: whether jobs wait for a reply at each score."""

    def __init__(self, pool: Pool, board: Board, draw: Callable[[], None], waits: bool) -> None:
        self._pool = pool
        self._board = board
        self._draw = draw
        self._waits = waits
        self._stopping = False

    @property
    def has_room(self) -> bool:
        return self._pool.has_room

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def is_idle(self) -> bool:
        return not self._pool.running

    def start(self, number: int, label: str, job: Composed) -> None:
        self._pool.start(number, label, job.ready)
        self._board.started(self._pool.running[number])

    def wait(self) -> Iterator[tuple[int, Message]]:
        for job, message in self._pool.wait(PATIENCE_SECONDS):
            if isinstance(message, Ending):
                self._board.left(job)
            yield job.number, message
        self._draw()

    def reply(self, number: int, stop: str = "") -> None:
        if self._waits and number in self._pool.running:
            self._pool.reply(self._pool.running[number], stop)

    def stop(self) -> None:
        self._stopping = True
        self._board.note(STOPPING)
        self._pool.stop()

    def tell(self, code: int, text: str) -> None:
        self._board.tell(code, text)


class BatchRunner:
    """Hands `size` jobs at a time to a launcher of Hydra, which returns when all of them have ended."""

    def __init__(self, launch: Launch, size: int, board: Board) -> None:
        self._launch = launch
        self._size = size
        self._board = board
        self._waiting: dict[int, Sequence[str]] = {}
        self._launched = 0
        self._stopping = False

    @property
    def has_room(self) -> bool:
        return len(self._waiting) < self._size and not self._stopping

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def is_idle(self) -> bool:
        return not self._waiting

    def start(self, number: int, label: str, job: Composed) -> None:
        self._waiting[number] = job.words

    def wait(self) -> Iterator[tuple[int, Message]]:
        endings = dict.fromkeys(self._waiting, STOPPED) if self._stopping else self._ran()
        # Ctrl-C reaches jobs of this process first, which end by it like any other.
        self._stopping |= any(ending.code == Interrupted.exit_code for ending in endings.values())
        self._waiting.clear()
        yield from endings.items()

    def _ran(self) -> Mapping[int, Ending]:
        jobs, first = list(self._waiting.values()), self._launched
        self._launched += len(jobs)
        returned: Sequence[Any] = self._launch(jobs, first)
        return {number: ending_of(one) for number, one in zip(self._waiting, returned, strict=True)}

    def reply(self, number: int, stop: str = "") -> None:
        """Nobody waits for it."""

    def stop(self) -> None:
        self._stopping = True

    def tell(self, code: int, text: str) -> None:
        self._board.tell(code, text)


@contextmanager
def on_this_machine(places: int | None, trials: int, waits: bool) -> Iterator[PoolRunner]:
    """As many at a time as there is room for; a table of those at work on the console."""
    room = slots(places, trials)
    board = Board(trials, len(room))
    with console.live(board.table) as draw:
        yield PoolRunner(Pool(room, passed_on(), searched=waits), board, draw, waits)


@contextmanager
def in_batches(launch: Launch, size: int | None, trials: int, waits: bool) -> Iterator[BatchRunner]:
    """By a launcher of Hydra; None: as many at a time as there are cores."""
    room = size or len(slots(None, trials))
    yield BatchRunner(launch, room, Board(trials, room))
