"""One job in a process of its own: forked with the libraries in memory, on its own cores, gone when its sweep is."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any

from stbench import watched
from stbench.errors import Pruned
from stbench.libraries import use_threads
from stbench.sweep.messages import Message, Reply, Score, Stage
from stbench.sweep.slots import Slot
from stbench.task import Ending, Task

PAUSE_SECONDS = 0.2
"""Between two messages about the same stage."""


@dataclass(frozen=True)
class Order:
    """What one process is to do."""

    config: Any
    """The composed sentence, `hydra` in it."""
    slot: Slot
    output: Path
    """What the job would print."""
    environment: Mapping[str, str]
    searched: bool
    """Whether a search decides at each score if the job goes on."""


def run(order: Order, pipe: connection.Connection) -> None:
    """Runs the job and tells of it; never raises."""
    os.setsid()
    _end_with_the_sweep()
    _print_to(order.output)
    _settle(order)
    watched.watch(Told(pipe, order.searched))
    pipe.send(_ending(order))
    pipe.close()


def _ending(order: Order) -> Ending:
    from hydra.core.hydra_config import HydraConfig

    from stbench.sweep.jobs import sentence_of

    HydraConfig.instance().set_config(order.config)
    return Task()(sentence_of(order.config))


def _end_with_the_sweep() -> None:
    """A sweep that is killed leaves no job behind: what it repeats later must not meet this one at work."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for_end, args=(parent.sentinel,), daemon=True).start()


def _wait_for_end(sentinel: int) -> None:
    connection.wait([sentinel])
    os.killpg(0, signal.SIGKILL)


def _print_to(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    place = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(place, stream.fileno() if _is_real(stream) else 1)
    os.close(place)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    # Some of the preloaded libraries log to the console by themselves.
    logging.getLogger().handlers.clear()


def _is_real(stream: Any) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return int(stream.fileno()) >= 0
    return False


def _settle(order: Order) -> None:
    """On the cores and the GPU of its slot."""
    os.environ.update(order.environment)
    if order.slot.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = order.slot.gpu
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, order.slot.cores)
    use_threads(len(order.slot.cores))


class Told:
    """Sends what the job tells; a sweep that is gone hears nothing."""

    def __init__(self, pipe: connection.Connection, searched: bool) -> None:
        self._pipe = pipe
        self._searched = searched
        self._last = ("", 0.0)
        self._total: int | None = None

    def stage(self, what: str, done: int, total: int | None, text: str) -> None:
        now = time.monotonic()
        self._total = total
        if self._last[0] != what or now - self._last[1] >= PAUSE_SECONDS or done == total:
            self._last = (what, now)
            self._send(Stage(what, done, total, text))

    def score(self, step: int, value: float) -> None:
        """Raises `Pruned` where the search has no hope for the job."""
        self._send(Score(step, value, self._total))
        if not self._searched:
            return
        reply = self._pipe.recv()
        if isinstance(reply, Reply) and reply.stop:
            raise Pruned(reply.stop)

    def _send(self, message: Message) -> None:
        with suppress(OSError):
            self._pipe.send(message)
