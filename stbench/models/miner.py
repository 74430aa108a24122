"""The bi-encoder that finds hard negatives and first-stage candidates; loaded only when the cache cannot answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from stbench.models.base import Base
from stbench.models.digest import weights_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass
class Miner:
    """A bi-encoder by its files; `digest` is that of its weights, so that two local models are never confused."""

    base: Base
    device: str
    _model: SentenceTransformer | None = field(default=None, repr=False)

    @cached_property
    def digest(self) -> str:
        return weights_digest(self.base)

    def load(self) -> SentenceTransformer:
        from stbench.models.build import bi_encoder

        if self._model is None:
            self._model = bi_encoder(self.base, self.device)
        return self._model
