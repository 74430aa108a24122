"""What checkpoints leave out: they are for going on, not for others to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


@contextmanager
def without_cards(model: Any) -> Iterator[None]:
    """Inside, `model` is saved without a model card: writing one takes longer than many a step."""
    model.save_pretrained = partial(model.save_pretrained, create_model_card=False)
    try:
        yield
    finally:
        del model.save_pretrained
