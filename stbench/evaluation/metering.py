"""Measures what models cost, each figure in about half a second, with the library's own calls as a user makes them.

Models that are compared take turns, call by call: whatever else the machine does then slows all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from typing import Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.evaluation.cost import BYTES_OF_ACTIVE, BYTES_OF_FLOAT, Cost, Costs, Machine
from stbench.evaluation.cost_texts import CostTexts
from stbench.models.precision import computing_in
from stbench.plan.hardware import Mode
from stbench.plan.plan import Plan

SECONDS = 0.6
"""Wall time for each of three figures of a model; a slow one takes as long as it needs for a few texts."""
BATCH = 32
MOST_ROUNDS = 10
FEWEST_CALLS, MOST_CALLS = 3, 100
"""Queries that are encoded alone."""
FEWEST_TEXTS, GROWTH = 4, 2


@dataclass(frozen=True)
class Candidate:
    """A model, and how the run computes with it."""

    model: Any
    type: ModelType
    precision: Mode


def metered(candidates: Sequence[Candidate], texts: CostTexts, seconds: float = SECONDS) -> list[Cost]:
    """The cost of each candidate, in their order.

    Throughput is that of the fastest of several calls with as many texts as fit into the time: what slows the others is
    the machine. Latency is that of calls with one text each.
    """
    documents = [_Clock(one, *_reading(one, texts)) for one in candidates]
    queries = [_Clock(one, *_asking(one, texts)) for one in candidates]
    _take_turns(documents, seconds)
    _take_turns([clock for clock in queries if clock.candidate.type != "cross_encoder"], seconds)
    _one_by_one(queries, seconds)
    return [_cost(*clocks) for clocks in zip(documents, queries, strict=True)]


def compared(
    plan: Plan, trained: Any, store: Store, texts: CostTexts, dims: tuple[Mapping[str, float], Mapping[str, float]]
) -> Costs:
    """The cost of the trained model beside that of the untouched one, which is built anew.

    `dims` are active dimensions on the whole test split, before and after; empty where vectors are dense.
    """
    from stbench.models.build import build

    # An adapter is part of the weights once the model is saved, and none is in the untouched model.
    untouched = build(replace(plan.blueprint, adapter=None), plan.seed, store)
    candidates = [Candidate(model, plan.blueprint.type, plan.precision) for model in (untouched, trained)]
    before, after = metered(candidates, texts)
    return Costs(after.with_dims(dims[1]), Machine.here(plan.device), before.with_dims(dims[0]))


def weights(model: Any) -> tuple[int, int]:
    """(bytes of all weights as they are saved, number of parameters); what is shared counts once."""
    parameters = list(model.parameters())
    saved = model.state_dict().keys()
    buffers = [buffer for name, buffer in model.named_buffers() if name in saved]
    size = sum(one.numel() * one.element_size() for one in [*parameters, *buffers])
    return size, sum(one.numel() for one in parameters)


@dataclass
class _Clock:
    """Times calls of one model."""

    candidate: Candidate
    call: Callable[[Sequence[Any]], Any]
    texts: Sequence[Any]
    together: list[float] = field(default_factory=list)
    """Seconds of calls with all texts."""
    alone: list[float] = field(default_factory=list)
    """Seconds of calls with one text."""
    vectors: Any = None
    """Of all texts."""

    def seconds(self, texts: Sequence[Any]) -> float:
        one = self.candidate
        with computing_in(one.precision, one.model):
            start = time.perf_counter()
            encoded = self.call(texts)
            _finish(encoded)
            taken = time.perf_counter() - start
        if texts is self.texts:
            self.vectors = encoded
        return taken

    @property
    def rate(self) -> float | None:
        return len(self.texts) / min(self.together) if self.together else None


def _reading(one: Candidate, texts: CostTexts) -> tuple[Callable[..., Any], Sequence[Any]]:
    """How documents go through the model; a cross-encoder reads them with a query."""
    settings = {"batch_size": BATCH, "show_progress_bar": False}
    if one.type == "cross_encoder":
        return partial(one.model.predict, **settings), texts.pairs
    return partial(one.model.encode_document, **settings), texts.documents


def _asking(one: Candidate, texts: CostTexts) -> tuple[Callable[..., Any], Sequence[Any]]:
    if one.type == "cross_encoder":
        return _reading(one, texts)
    return partial(one.model.encode_query, batch_size=BATCH, show_progress_bar=False), texts.queries


def _take_turns(clocks: Sequence[_Clock], seconds: float) -> None:
    """Models of one type read the same texts: as many as the first of them manages."""
    fitting: dict[ModelType, int] = {}
    for clock in clocks:
        clock.seconds(clock.texts[:1])
        if (type_ := clock.candidate.type) not in fitting:
            fitting[type_] = _fitting(clock, seconds)
        clock.texts = clock.texts[: fitting[type_]]
    for _ in range(MOST_ROUNDS):
        for clock in clocks:
            clock.together.append(clock.seconds(clock.texts))
        if sum(sum(clock.together) for clock in clocks) >= seconds * len(clocks):
            return


def _fitting(clock: _Clock, seconds: float) -> int:
    """How many texts one call can have, found by trying more and more of them until the time is over."""
    number, spent = FEWEST_TEXTS, 0.0
    while number < len(clock.texts) and (spent := spent + clock.seconds(clock.texts[:number])) < seconds:
        number *= GROWTH
    return min(number, len(clock.texts))


def _one_by_one(clocks: Sequence[_Clock], seconds: float) -> None:
    for clock in clocks:
        clock.seconds(clock.texts[:1])
    for number, place in enumerate(cycle(range(min(len(clock.texts) for clock in clocks)))):
        over = sum(sum(clock.alone) for clock in clocks) >= seconds * len(clocks)
        if number >= MOST_CALLS or (number >= FEWEST_CALLS and over):
            return
        for clock in clocks:
            clock.alone.append(clock.seconds(clock.texts[place : place + 1]))


def _finish(encoded: Any) -> None:
    """Vectors that are left on a GPU may still be under way."""
    import torch

    if str(getattr(encoded, "device", "")).startswith("cuda"):
        torch.cuda.synchronize()


def _cost(documents: _Clock, queries: _Clock) -> Cost:
    import numpy as np

    one = documents.candidate
    size, parameters = weights(one.model)
    middle, high = np.percentile(queries.alone, [50, 95]) * 1000
    return Cost(
        texts_per_second=documents.rate or 0.0, queries_per_second=queries.rate, query_ms_median=float(middle),
        query_ms_p95=float(high), model_bytes=size, parameters=parameters,
        index_bytes_per_document=_index_bytes(one, documents.vectors), active_dims=_active(one, documents.vectors),
        query_active_dims=_active(one, queries.vectors), measured_on=len(documents.texts),
    )  # fmt: skip


def _active(one: Candidate, vectors: Any) -> float | None:
    return float(one.model.sparsity(vectors)["active_dims"]) if one.type == "sparse_encoder" else None


def _index_bytes(one: Candidate, vectors: Any) -> float | None:
    """Of one document in an index without compression; a cross-encoder has none."""
    if one.type == "cross_encoder":
        return None
    if one.type == "sparse_encoder":
        return BYTES_OF_ACTIVE * (_active(one, vectors) or 0.0)
    if one.type == "multi_vector_encoder":
        numbers = sum(found.shape[0] * found.shape[1] for found in vectors)
        return float(BYTES_OF_FLOAT * numbers / len(vectors))
    return float(BYTES_OF_FLOAT * vectors.shape[1])
