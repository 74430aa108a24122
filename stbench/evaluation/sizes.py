"""What a model scores when it is cut: to the first dimensions of its vectors, to the first layers of its transformer.

Texts are encoded once for each number of layers; a shorter vector is the beginning of the longer one, which is all that
the library's `truncate_dim` does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from stbench.models.layers import first_layers

if TYPE_CHECKING:
    from stbench.evaluation.recording import Recorder

KEPT_BYTES = 2**30
"""Embeddings that are kept to be cut again; beyond it texts are encoded anew for each dimension."""
BYTES_OF_FLOAT = 4


@dataclass(frozen=True)
class Measured:
    """One size of one model."""

    dim: int
    layers: int | None
    """Of the transformer; None for a model that has none."""
    score: float
    seconds_per_1000: float
    """Wall time to encode 1,000 of the texts that are judged."""
    parameters: int


@dataclass(frozen=True)
class Size:
    """One size of the trained model beside the same size of the untouched one, and what it costs."""

    dim: int
    layers: int | None
    score: float
    baseline: float
    bytes_per_document: int
    """Of a vector in fp32."""
    seconds_per_1000: float
    parameters: int
    """That are used at this size."""

    @property
    def name(self) -> str:
        return f"{self.dim}d" + (f".{self.layers}l" if self.layers is not None else "")


def measured(model: Any, evaluator: Recorder, dims: Sequence[int], layers: Sequence[int]) -> tuple[Measured, ...]:
    """The deciding metric of a SentenceTransformer at each of `dims` with each of `layers`, largest first.

    No dims: the full vector alone; no layers: all of them. The model is left as it was.
    """
    whole = _layers_of(model)
    counts = sorted({min(count, whole) for count in layers}, reverse=True) if whole and layers else [whole]
    return tuple(size for count in counts for size in _with_layers(model, evaluator, dims, count))


def _with_layers(model: Any, evaluator: Recorder, dims: Sequence[int], count: int | None) -> Iterator[Measured]:
    full = int(model.get_embedding_dimension())
    with first_layers(model.transformers_model, count):
        encoder = _Encoder(model)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        for dim in sorted({min(dim, full) for dim in dims} or {full}, reverse=True):
            metrics = evaluator(_Cut(encoder, dim))
            score = float(metrics[str(evaluator.primary_metric)])
            yield Measured(dim, count, score, encoder.seconds_per_1000, parameters)


def paired(before: Sequence[Measured], after: Sequence[Measured]) -> tuple[Size, ...]:
    """The same sizes of the untouched and of the trained model; the cost is that of the trained one."""
    untouched = {(one.dim, one.layers): one.score for one in before}
    return tuple(
        Size(
            one.dim, one.layers, one.score, untouched[one.dim, one.layers], BYTES_OF_FLOAT * one.dim,
            one.seconds_per_1000, one.parameters,
        )
        for one in after
    )  # fmt: skip


def _layers_of(model: Any) -> int | None:
    transformer = model.transformers_model
    return int(transformer.config.num_hidden_layers) if transformer is not None else None


class _Encoder:
    """A model that remembers what it has encoded, and how long that took."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._kept: dict[Any, Any] = {}
        self._bytes = self._texts = 0
        self._seconds = 0.0

    @property
    def seconds_per_1000(self) -> float:
        return 1000 * self._seconds / self._texts if self._texts else 0.0

    def encoded(self, method: str, texts: Any, dim: int, settings: dict[str, Any]) -> Any:
        """The embeddings at `dim` dimensions, or more where they were kept whole."""
        key = (method, tuple(texts), tuple(sorted((name, repr(value)) for name, value in settings.items())))
        if key in self._kept:
            return self._kept[key]
        keeps = self._bytes < KEPT_BYTES and not settings.get("normalize_embeddings")
        with self.model.truncate_embeddings(None if keeps else dim):
            start = time.perf_counter()
            found = getattr(self.model, method)(texts, **settings)
            self._seconds += time.perf_counter() - start
        self._texts += len(texts)
        if keeps:
            self._kept[key] = found
            self._bytes += sum(BYTES_OF_FLOAT * vector.shape[-1] for vector in found)
        return found


class _Cut:
    """The model as evaluators see it: its vectors end after `dim` dimensions."""

    # What the library would write into the model card are the scores of the whole model.
    model_card_data = SimpleNamespace(set_evaluation_metrics=lambda *_, **__: None)

    def __init__(self, encoder: _Encoder, dim: int) -> None:
        self._encoder = encoder
        self._dim = dim

    def __iter__(self) -> Iterator[Any]:
        return iter(self._encoder.model)

    @property
    def default_prompt_name(self) -> str | None:
        name: str | None = self._encoder.model.default_prompt_name
        return name

    @default_prompt_name.setter
    def default_prompt_name(self, name: str | None) -> None:
        self._encoder.model.default_prompt_name = name

    def encode(self, texts: Any, **settings: Any) -> Any:
        return self._cut("encode", texts, settings)

    def encode_query(self, texts: Any, **settings: Any) -> Any:
        return self._cut("encode_query", texts, settings)

    def encode_document(self, texts: Any, **settings: Any) -> Any:
        return self._cut("encode_document", texts, settings)

    def _cut(self, method: str, texts: Any, settings: dict[str, Any]) -> Any:
        found = self._encoder.encoded(method, texts, self._dim, settings)
        return [one[: self._dim] for one in found] if isinstance(found, list) else found[..., : self._dim]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder.model, name)
