"""Pairs of texts: what the model says of each, beside what it should say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.evaluation.recording import Watched, recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator


def per_pair(base: type[BaseEvaluator]) -> type[Any]:
    """Similarity and binary classification of embeddings: the similarity of every pair, beside its target."""

    class PerPair(recording(base)):  # type: ignore[misc]
        def watched(self, model: Any) -> Any:
            self._by_text: dict[str, Any] = {}
            return model

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            first = self._stacked(self.sentences1)
            similarity = model.similarity_pairwise(first, self._stacked(self.sentences2))
            self.outcomes["prediction"] = similarity.float().cpu().numpy().astype(np.float64)
            self.outcomes["target"] = _targets(self)
            self._by_text.clear()

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

    class PerPrediction(recording(base)):  # type: ignore[misc]
        def watched(self, model: Any) -> Any:
            return Watched(model, "predict")

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            (predictions,) = model.results
            predicted = np.asarray(predictions, dtype=np.float64)
            self.outcomes["prediction"] = predicted.argmax(axis=1) if predicted.ndim == 2 else predicted
            self.outcomes["target"] = _targets(self)

    return PerPrediction


def _targets(evaluator: Any) -> Any:
    return np.asarray(evaluator.labels if hasattr(evaluator, "labels") else evaluator.scores, dtype=np.float64)


def _like(embedded: Any, restored: list[Any]) -> Any:
    import torch

    if isinstance(embedded, torch.Tensor):
        return torch.stack(restored)
    return np.stack(restored) if isinstance(embedded, np.ndarray) else restored
