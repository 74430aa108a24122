"""What jobs do in tests of the pool: each is run in a process of its own, in place of a sentence."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from multiprocessing.connection import Connection

from stbench.sweep.child import Order
from stbench.sweep.messages import Score, Stage
from stbench.task import Ending


def work(order: Order, pipe: Connection) -> None:
    """Does what `order.config` says."""
    globals()[order.config](order, pipe)


def good(order: Order, pipe: Connection) -> None:
    pipe.send(Stage("training", 1, 2, ""))
    pipe.send(Ending(0))


def tells_its_place(order: Order, pipe: Connection) -> None:
    variable = os.environ.get("OF_THE_SWEEP", order.environment.get("OF_THE_SWEEP", ""))
    pipe.send(Ending(1, f"{order.slot.cores} {variable}"))


def breaks(order: Order, pipe: Connection) -> None:
    ctypes.string_at(0)


def is_killed(order: Order, pipe: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leaves(order: Order, pipe: Connection) -> None:
    os._exit(7)


def needs_too_much(order: Order, pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    try:
        bytearray(2**34)
    except MemoryError as error:
        pipe.send(Ending(1, type(error).__name__))


def waits(order: Order, pipe: Connection) -> None:
    """Until a termination signal, which it takes as a run does."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    pipe.send(Stage("training", 0, None, ""))
    while not stopped:
        time.sleep(0.01)
    pipe.send(Ending(130, "terminated"))


def waits_for_ever(order: Order, pipe: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe.send(Stage("training", 0, None, ""))
    time.sleep(60)


def is_scored(order: Order, pipe: Connection) -> None:
    pipe.send(Score(10, 0.5))
    reply = pipe.recv()
    pipe.send(Ending(130 if reply.stop else 0, reply.stop))


def begins_late(order: Order, pipe: Connection) -> None:
    time.sleep(30)
