"""What is to be built: the base model, the architecture around it, and how large the whole becomes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import prod
from typing import Any, Literal

from stbench.config.sentence import ModelType
from stbench.models.base import Base, layer_of
from stbench.models.prompts import NO_PROMPTS, Prompts

TOKEN_DIMENSIONS = 128
"""Size of token vectors of a multi-vector encoder where nothing else is said; the library's own."""


@dataclass(frozen=True)
class AdapterChoice:
    """A LoRA adapter beside the frozen weights."""

    rank: int
    alpha: float
    dropout: float
    targets: tuple[str, ...] | None = None
    """Names of the linear modules that get one; None: all inside the layers."""
    dora: bool = False
    """Magnitude and direction apart (Liu et al. 2024, arXiv:2402.09353)."""
    rslora: bool = False
    """Scaled by the square root of the rank (Kalajdzievski 2023, arXiv:2312.03732)."""
    bits: Literal[4] | None = None
    """Bits of the frozen weights of the layers; None: 32."""


@dataclass(frozen=True)
class Blueprint:
    """Everything that decides what is built."""

    type: ModelType
    base: Base
    device: str
    max_seq_length: int | None = None
    pooling: str | None = None
    num_labels: int = 1
    activation: Literal["identity", "sigmoid"] = "identity"
    architecture: Literal["splade", "csr"] = "splade"
    embedding_dim: int | None = None
    normalize: bool | None = None
    """Whether vectors have length 1; None: as the base model does."""
    projection: int | None = None
    """Size to which a new dense layer brings the vectors."""
    layers: tuple[int, ...] | None = None
    """Transformer layers that are kept, counted from 0; None: all."""
    similarity: Literal["cosine", "dot"] | None = None
    """By which vectors are compared; None: as the base model does."""
    adapter: AdapterChoice | None = None
    prompts: Prompts = NO_PROMPTS
    """Those that are put on the model; its own stay where nothing is said."""

    @property
    def num_layers(self) -> int:
        return self.base.layers if self.layers is None else len(self.layers)

    @property
    def width(self) -> int:
        """Size of the pooled vector before a new projection."""
        projected = self.base.projected if self.base.modules_for("sentence_transformer") else None
        return projected or self.base.dimensions

    @property
    def dimensions(self) -> int:
        """Size of the vectors that come out: of a text, or of each token of a multi-vector encoder."""
        if self.type == "multi_vector_encoder":
            return (self.base.projected if self.base.type else None) or self.embedding_dim or TOKEN_DIMENSIONS
        if self.type == "sparse_encoder":
            return 4 * self.width if self.architecture == "csr" else self.base.vocabulary
        return self.projection or self.width

    @property
    def parameters(self) -> int:
        """Parameters of the base model that are kept, and of a new projection; 0 where its files do not tell."""
        if not self.base.parameters:
            return 0
        dropped = sum(prod(shape) for name, shape in self.base.tensors.items() if not self.keeps(name))
        return self.base.parameters - dropped + self.width * (self.projection or 0)

    def keeps(self, tensor: str) -> bool:
        """Whether its layer is one of those that are kept."""
        layer = layer_of(tensor)
        return self.layers is None or layer is None or layer in self.layers

    def identity(self) -> list[Any]:
        """What of it, beside the base model's weights, decides how the untrained model scores."""
        # An untrained adapter changes nothing, but weights in 4 bits do.
        named = [field.name for field in fields(self) if field.name not in ("base", "adapter")]
        bits = self.adapter.bits if self.adapter else None
        return [*([name, _plain(getattr(self, name))] for name in named), ["bits", bits]]


def _plain(value: Any) -> Any:
    if isinstance(value, Prompts):
        return value.identity()
    return list(value) if isinstance(value, tuple) else value
