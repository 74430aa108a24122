"""Embeddings held against other embeddings: those of a teacher, or those of the same sentence in another language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.evaluation.recording import recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator


class GivenTeacher:
    """Stands where the library expects a teacher: its embeddings are those that the rows brought along."""

    def __init__(self, embeddings: Sequence[Sequence[float]]) -> None:
        self._embeddings = np.asarray(embeddings, dtype=np.float32)

    def encode(self, sentences: Sequence[str], convert_to_numpy: bool = False, **_: Any) -> Any:
        import torch

        assert len(sentences) == len(self._embeddings)
        return self._embeddings if convert_to_numpy else torch.from_numpy(self._embeddings)

    def sparsity(self, embeddings: Any) -> dict[str, float]:
        from sentence_transformers import SparseEncoder

        found: dict[str, float] = SparseEncoder.sparsity(embeddings)
        return found


def per_vector(base: type[BaseEvaluator]) -> type[Any]:
    """The squared distance of each embedding from its teacher's: times -100, averaged over the dimensions."""

    class PerVector(recording(base)):  # type: ignore[misc]
        def embed_inputs(self, model: Any, sentences: Any, **kwargs: Any) -> Any:
            self._embedded = super().embed_inputs(model, sentences, **kwargs)
            return self._embedded

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            difference = np.asarray(self.source_embeddings, dtype=np.float64) - np.asarray(self._embedded)
            self.outcomes["negative_mse"] = -100 * (difference**2).mean(axis=1)

    return PerVector


def per_translation(base: type[BaseEvaluator]) -> type[Any]:
    """Whether each sentence finds its translation, each translation its sentence, and the mean of the two."""

    class PerTranslation(recording(base)):  # type: ignore[misc]
        def watched(self, model: Any) -> Any:
            self._embedded: list[Any] = []
            return model

        def embed_inputs(self, model: Any, sentences: Any, **kwargs: Any) -> Any:
            self._embedded.append(super().embed_inputs(model, sentences, **kwargs))
            return self._embedded[-1]

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            import torch
            from sentence_transformers.util import cos_sim

            similarity = cos_sim(*map(torch.stack, self._embedded)).detach().cpu().numpy()
            self._embedded.clear()
            there = _found(similarity, self.target_sentences)
            back = _found(similarity.T, self.source_sentences)
            self.outcomes.update(src2trg_accuracy=there, trg2src_accuracy=back, mean_accuracy=(there + back) / 2)

    return PerTranslation


def _found(similarity: Any, texts: Sequence[str]) -> np.ndarray:
    """1 where the most similar text is the right one; a repeated text is right wherever it stands."""
    nearest = similarity.argmax(axis=1)
    return np.array([texts[hit] == texts[place] for place, hit in enumerate(nearest)], dtype=np.float64)
