"""Two losses of the same batch, added up."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Summed(nn.Module):
    """A loss and a regulariser that reads the same texts; each part is logged under its own name."""

    def __init__(self, loss: nn.Module, regularizer: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.regularizer = regularizer

    def forward(self, sentence_features: Any, labels: Tensor | None) -> dict[str, Tensor]:
        features = list(sentence_features)
        # Each part runs the model on copies: its outputs are written into the features.
        first = self.loss([dict(item) for item in features], labels)
        second = self.regularizer([dict(item) for item in features], labels)
        return {**_named(first, "loss"), **_named(second, "regularizer")}

    def get_config_dict(self) -> dict[str, Any]:
        return {"loss": type(self.loss).__name__, "regularizer": type(self.regularizer).__name__}


def _named(value: Tensor | dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return value if isinstance(value, dict) else {name: value}
