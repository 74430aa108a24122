"""What a trial does in tests of pruning: it climbs in a process of its own, and hears at each score whether to go on."""

from __future__ import annotations

from multiprocessing.connection import Connection

from sweep.small_search import STEPS, compose, finish, values_of

from stbench.sweep.child import Order
from stbench.sweep.messages import Score, Stage
from stbench.task import Ending


def climb(order: Order, pipe: Connection) -> None:
    """To its learning rate in five steps; `order.config` are its words."""
    height = float(values_of(order.config)["rate"])
    pipe.send(Stage("training", 0, STEPS, ""))
    scores = [(20 * part, height * part / 5) for part in range(1, 6)]
    for step, score in scores:
        pipe.send(Score(step, score, STEPS))
        reply = pipe.recv()
        if reply.stop:
            pipe.send(Ending(130, reply.stop))
            return
    finish(compose(order.config).folder, scores)
    pipe.send(Ending(0))
