"""Students made of some layers of their teacher: the others are taken out of the transformer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stbench.errors import Failed

if TYPE_CHECKING:
    from torch import nn


def keep_layers(transformer: Any, keep: Sequence[int]) -> None:
    """Leave only the layers `keep` (from 0, in order) in a model of transformers, and say so in its config.

    Raises `Failed` when the model has no list of as many layers as its config says.
    """
    from torch import nn

    config = transformer.config
    total = config.num_hidden_layers
    name, stack = _stack(transformer, total)
    transformer.set_submodule(name, nn.ModuleList(stack[index] for index in keep))
    # Some architectures say for each layer which kind of attention it has.
    for option, value in vars(config).copy().items():
        if isinstance(value, list) and len(value) == total and option != "architectures":
            setattr(config, option, [value[index] for index in keep])
    config.num_hidden_layers = len(keep)


@contextmanager
def first_layers(transformer: Any, count: int | None) -> Iterator[None]:
    """A model of transformers with its first `count` layers alone, whole again afterwards; None: as it is."""
    if transformer is None or count is None or count >= transformer.config.num_hidden_layers:
        yield
        return
    name, stack = _stack(transformer, transformer.config.num_hidden_layers)
    before = dict(vars(transformer.config))
    keep_layers(transformer, range(count))
    try:
        yield
    finally:
        transformer.set_submodule(name, stack)
        vars(transformer.config).update(before)


def _stack(transformer: nn.Module, total: int) -> tuple[str, nn.ModuleList]:
    from torch import nn

    for name, module in transformer.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == total:
            return name, module
    raise Failed(f"base_model.layers: {type(transformer).__name__} keeps its {total} layers in no list")
