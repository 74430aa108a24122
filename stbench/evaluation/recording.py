"""The library's evaluators, extended so that they keep the outcome of every sample beside the means they return.

Each function takes an evaluator class of the library and returns a subclass whose instances have `outcomes` after a
call: `id`, and what `stbench.verdict.statistics` needs to compute the deciding metric again on a resample.
They also run inside the autocast context of the run, whether the trainer calls them or stbench does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stbench.plan.hardware import Mode

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator

Outcomes = dict[str, np.ndarray]
_SHOWN_AT = ("ndcg@k", "mrr@k", "map@k", "accuracy@k", "precision@k", "recall@k")


class Recorder(Protocol):
    """An evaluator that keeps what it saw."""

    outcomes: Outcomes
    primary_metric: str | None
    greater_is_better: bool
    sample_ids: list[str]
    autocast_mode: Mode
    work: int

    def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]: ...


def autocast(precision: Mode, device_type: str) -> AbstractContextManager[Any]:
    """The mixed-precision context of the run; nothing for fp32."""
    import torch

    if precision == "fp32":
        return nullcontext()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device_type, dtype=dtype)


def _recording(base: type[BaseEvaluator]) -> type[Any]:
    """What all recorders share."""

    class Recording(base):  # type: ignore[misc]
        outcomes: Outcomes
        sample_ids: list[str]
        # Not "precision": the library's similarity evaluator has an attribute of that name.
        autocast_mode: Mode = "fp32"
        work: int = 0
        # Some evaluators of the library never set it.
        greater_is_better: bool = True

        def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            self.outcomes = {}
            with autocast(self.autocast_mode, model.device.type):
                metrics: dict[str, float] = super().__call__(model, *args, **kwargs)
            self.outcomes["id"] = np.array(self.sample_ids)
            return metrics

        @property
        def description(self) -> str:
            return str(base.description.fget(self))

    return Recording


def per_query(base: type[BaseEvaluator]) -> type[Any]:
    """Retrieval: every metric of the library for every query, by asking the library one query at a time."""

    class PerQuery(_recording(base)):  # type: ignore[misc]
        queries_ids: list[str]
        queries: list[str]

        def compute_metrics(self, queries_result_list: list[Any]) -> dict[str, dict[int, float]]:
            ids, queries = self.queries_ids, self.queries
            rows = []
            try:
                for index, hits in enumerate(queries_result_list):
                    self.queries_ids, self.queries = [ids[index]], [queries[index]]
                    rows.append(super().compute_metrics([hits]))
            finally:
                self.queries_ids, self.queries = ids, queries
            self.sample_ids = list(ids)
            means: dict[str, dict[int, float]] = {}
            for name in rows[0]:
                for k in rows[0][name]:
                    values = np.array([row[name][k] for row in rows], dtype=np.float64)
                    means.setdefault(name, {})[k] = float(values.mean())
                    if name in _SHOWN_AT:
                        self.outcomes[name.replace("@k", f"@{k}")] = values
            self.outcomes["value"] = self.outcomes[f"ndcg@{max(self.ndcg_at_k)}"]
            return means

    return PerQuery


def per_list(base: type[BaseEvaluator]) -> type[Any]:
    """Reranking: MRR, nDCG and AP of every list."""

    class PerList(_recording(base)):  # type: ignore[misc]
        def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            self._rows: list[tuple[float, float, float]] = []
            metrics: dict[str, float] = super().__call__(model, *args, **kwargs)
            # With first-stage documents the library scores their order first, then the reranked lists.
            reranked = np.array(self._rows[-len(self.sample_ids) :], dtype=np.float64)
            mrr, ndcg, ap = reranked.T
            named = {f"ndcg@{self.at_k}": ndcg, f"mrr@{self.at_k}": mrr, "map": ap}
            self.outcomes.update(named, value=ndcg)
            return metrics

        def compute_metrics(self, y_true: Any, y_pred: Any) -> tuple[float, float, float]:
            row: tuple[float, float, float] = super().compute_metrics(y_true, y_pred)
            self._rows.append(row)
            return row

    return PerList


def per_pair(base: type[BaseEvaluator]) -> type[Any]:
    """Similarity and binary classification of embeddings: the similarity of every pair, beside its target."""

    class PerPair(_recording(base)):  # type: ignore[misc]
        def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            self._by_text: dict[str, Any] = {}
            metrics: dict[str, float] = super().__call__(model, *args, **kwargs)
            first = self._stacked(self.sentences1)
            similarity = model.similarity_pairwise(first, self._stacked(self.sentences2))
            self.outcomes["prediction"] = similarity.float().cpu().numpy().astype(np.float64)
            targets = self.labels if hasattr(self, "labels") else self.scores
            self.outcomes["target"] = np.asarray(targets, dtype=np.float64)
            self._by_text.clear()
            return metrics

        def embed_inputs(self, model: Any, sentences: Any, **kwargs: Any) -> Any:
            # The library may pass a set, whose order (and so the batches, and so the last digits) changes by process.
            order = sorted(range(len(sentences)), key=sentences.__getitem__)
            embedded = super().embed_inputs(model, [sentences[index] for index in order], **kwargs)
            place = {index: rank for rank, index in enumerate(order)}
            restored = [embedded[place[index]] for index in range(len(order))]
            self._by_text.update(zip(sentences, restored, strict=True))
            return _like(embedded, restored)

        def _stacked(self, texts: list[str]) -> Any:
            import torch

            return torch.stack([torch.as_tensor(self._by_text[text]).float() for text in texts])

    return PerPair


def per_prediction(base: type[BaseEvaluator]) -> type[Any]:
    """Scores or classes that a cross-encoder predicts for every pair, beside their targets."""

    class PerPrediction(_recording(base)):  # type: ignore[misc]
        def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            watched = _Watched(model)
            metrics: dict[str, float] = super().__call__(watched, *args, **kwargs)
            predicted = np.asarray(watched.predicted, dtype=np.float64)
            self.outcomes["prediction"] = predicted.argmax(axis=1) if predicted.ndim == 2 else predicted
            targets = self.labels if hasattr(self, "labels") else self.scores
            self.outcomes["target"] = np.asarray(targets, dtype=np.float64)
            return metrics

    return PerPrediction


class _Watched:
    """A cross-encoder whose predictions can be read afterwards."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.predicted: Any = None

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        self.predicted = self._model.predict(*args, **kwargs)
        return self.predicted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _like(embedded: Any, restored: list[Any]) -> Any:
    import torch

    if isinstance(embedded, torch.Tensor):
        return torch.stack(restored)
    return np.stack(restored) if isinstance(embedded, np.ndarray) else restored


RECORDERS: dict[str, Callable[[type[Any]], type[Any]]] = {
    "retrieval": per_query,
    "reranking": per_list,
    "similarity": per_pair,
    "binary": per_pair,
    "correlation": per_prediction,
    "classes": per_prediction,
}
