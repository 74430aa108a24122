"""What a model costs beside its score: time to encode, time for one query, bytes of its weights and of its index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

BYTES_OF_FLOAT = 4
BYTES_OF_ACTIVE = 4 + 4
"""Of an active dimension in an inverted index: its number and its weight."""


@dataclass(frozen=True)
class Cost:
    """What one model costs on the machine and in the precision of the run. None: there is no such thing for its type."""

    texts_per_second: float
    """Documents that are encoded in batches; for a cross-encoder pairs of a query and a document that are scored."""
    queries_per_second: float | None
    """Queries that are encoded in batches."""
    query_ms_median: float
    """Milliseconds for one query alone; for a cross-encoder for one pair alone."""
    query_ms_p95: float
    model_bytes: int
    """Of the weights as they are saved."""
    parameters: int
    index_bytes_per_document: float | None
    active_dims: float | None
    """Of a document's sparse vector, in the mean."""
    query_active_dims: float | None
    measured_on: int
    """Documents (or pairs) behind `texts_per_second` and the bytes of the index."""

    def with_dims(self, dims: Mapping[str, float]) -> Cost:
        """The same with `corpus_active_dims` and `query_active_dims` of the whole test split, where they are known."""
        corpus = dims.get("corpus_active_dims")
        if self.active_dims is None or corpus is None:
            return self
        query = dims.get("query_active_dims", self.query_active_dims)
        index = BYTES_OF_ACTIVE * corpus
        return replace(self, active_dims=corpus, query_active_dims=query, index_bytes_per_document=index)


@dataclass(frozen=True)
class Machine:
    """What the speed was measured on."""

    device: str
    processors: int
    load: float | None
    """Processes that wanted to compute over the last minute, this one among them; None where the system does not tell."""

    @classmethod
    def here(cls, device: str) -> Machine:
        load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
        return cls(device, os.cpu_count() or 1, load)


@dataclass(frozen=True)
class Costs:
    """The cost of the final model, and of the one that it is compared with."""

    after: Cost
    machine: Machine
    before: Cost | None = None

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values for JSON: `before` (where there is one), `after`, `machine`."""
        return {name: asdict(part) for name in ("before", "after", "machine") if (part := getattr(self, name))}

    def metrics(self) -> dict[str, float]:
        """For the tracker: `cost.NAME`, and `cost.before.NAME` of the other model."""
        sides = [("cost.", self.after), ("cost.before.", self.before)]
        values = [(prefix + name, value) for prefix, cost in sides if cost for name, value in asdict(cost).items()]
        return {name: float(value) for name, value in values if value is not None and not name.endswith("measured_on")}
