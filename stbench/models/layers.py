"""Students made of some layers of their teacher: the others are taken out of the transformer."""

from __future__ import annotations

from collections.abc import Sequence
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


def _stack(transformer: nn.Module, total: int) -> tuple[str, nn.ModuleList]:
    from torch import nn

    for name, module in transformer.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == total:
            return name, module
    raise Failed(f"base_model.layers: {type(transformer).__name__} keeps its {total} layers in no list")
