"""Triplets: whether the positive of each lies closer to the anchor than its negative."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.evaluation.recording import recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator


def per_triplet(base: type[BaseEvaluator]) -> type[Any]:
    """1 for each triplet in the right order, else 0, by the model's own similarity."""

    class PerTriplet(recording(base)):  # type: ignore[misc]
        def _get_similarity_functions(self) -> dict[str, Callable[..., Any]]:
            functions = super()._get_similarity_functions()
            return {name: self._keeping(name, function) for name, function in functions.items()}

        def _keeping(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
            def compared(*embeddings: Any) -> Any:
                positive, negative = function(*embeddings)
                right = positive > negative + self.margin[name]
                self.outcomes["accuracy"] = np.asarray(right.cpu().tolist(), dtype=np.float64)
                return positive, negative

            return compared

    return PerTriplet
