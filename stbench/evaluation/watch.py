"""Progress of an evaluation: counts the texts that pass through the model, whatever evaluator sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any


@contextmanager
def counting(model: Callable[[], Any], total: int, advance: Callable[..., None]) -> Iterator[None]:
    """Calls `advance(done, total=total)` after each batch of `model()`."""
    done = 0

    def count(_module: Any, inputs: tuple[Any, ...], _output: Any) -> None:
        nonlocal done
        done += _batch_size(inputs[0]) if inputs else 0
        advance(min(done, total), total=total)

    hook = next(iter(model().children())).register_forward_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _batch_size(features: Any) -> int:
    for name in ("offsets", "attention_mask", "input_ids"):
        if name in features:
            return int(features[name].shape[0])
    return 0


def behind(advance: Callable[..., None]) -> Callable[[Any, int, str], AbstractContextManager[None]]:
    """Shows a miner, a rescorer or a teacher at work behind the bar that `advance` moves."""

    @contextmanager
    def at_work(model: Any, texts: int, what: str) -> Iterator[None]:
        with counting(lambda: model, texts, partial(advance, text=what)):
            yield

    return at_work
