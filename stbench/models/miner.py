"""The models that find hard negatives and first-stage candidates; loaded only when the cache cannot answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stbench.errors import Problem, Refused
from stbench.models.base import Base
from stbench.models.digest import weights_digest

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

Watch = Callable[[Any, int, str], AbstractContextManager[None]]
"""Shows a model at work: (model, texts that will pass through it, what it does)."""


def unwatched(model: Any, texts: int, what: str) -> AbstractContextManager[None]:
    return nullcontext()


@contextmanager
def reading(model: Any, tokens: int | None) -> Iterator[None]:
    """`model` reads at most so many tokens for a while; static embeddings read everything all the same."""
    own = model.max_seq_length if tokens else None
    if not isinstance(own, int):
        yield
        return
    model.max_seq_length = min(own, tokens or own)
    try:
        yield
    finally:
        model.max_seq_length = own


@dataclass
class Miner:
    """A bi-encoder by its files; `digest` is that of its weights, so that two local models are never confused."""

    base: Base
    device: str
    watch: Watch = unwatched
    _model: SentenceTransformer | None = field(default=None, repr=False)

    @cached_property
    def digest(self) -> str:
        return weights_digest(self.base)

    @property
    def batch_size(self) -> int:
        """Texts at a time: a lookup of token vectors takes far more of them than a transformer."""
        return 256 if self.base.architecture == "static" else 32

    def load(self) -> SentenceTransformer:
        from stbench.models.build import bi_encoder

        if self._model is None:
            self._model = bi_encoder(self.base, self.device)
        return self._model


@dataclass
class Rescorer:
    """A cross-encoder that scores what the miner has found, by its files."""

    base: Base
    device: str
    watch: Watch = unwatched
    _model: Any = field(default=None, repr=False)

    @cached_property
    def digest(self) -> str:
        return weights_digest(self.base)

    def load(self) -> Any:
        if self._model is None:
            self._model = reranker(self.base, self.device, "negatives.rescore")
        return self._model


def reranker(base: Base, device: str, option: str) -> CrossEncoder:
    """A trained cross-encoder as it is.

    Raises `Refused`, naming the `option` that chose it, when it gives several classes instead of one score.
    """
    from sentence_transformers import CrossEncoder

    from stbench.models.parts import ensure_padding, fp32

    model = CrossEncoder(base.location, device=device, revision=base.revision, model_kwargs=fp32())
    if base.architecture == "decoder":
        ensure_padding(model, base, "cross_encoder")
    if model.num_labels != 1:
        what = f"{base.name} gives {model.num_labels} classes, not one score"
        raise Refused(Problem(what, option, "name a cross-encoder with one label (a reranker)"))
    return model.float()
