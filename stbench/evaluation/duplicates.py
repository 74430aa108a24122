"""Paraphrase mining: how early each duplicate comes among the most similar pairs of all texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.evaluation.recording import Watched, recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator

BETWEEN = " = "
"""Stands between the ids of the two texts in the id of a pair."""


def per_duplicate(base: type[BaseEvaluator]) -> type[Any]:
    """For each true pair the precision at its rank, 0 for one that was not mined; their mean is average precision."""

    class PerDuplicate(recording(base)):  # type: ignore[misc]
        def watched(self, model: Any) -> Any:
            return Watched(model, "encode")

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            from sentence_transformers.util import paraphrase_mining_embeddings

            mined = paraphrase_mining_embeddings(
                model.results[0], query_chunk_size=self.query_chunk_size, corpus_chunk_size=self.corpus_chunk_size,
                max_pairs=self.max_pairs, top_k=self.top_k,
            )  # fmt: skip
            names = [BETWEEN.join(sorted((self.ids[first], self.ids[second]))) for _, first, second in mined]
            found = precisions([score for score, *_ in mined], names, set(self.sample_ids))
            self.outcomes["average_precision"] = np.array([found.get(pair, 0.0) for pair in self.sample_ids])

    return PerDuplicate


def precisions(scores: Sequence[float], names: Sequence[str], true: set[str]) -> dict[str, float]:
    """Precision among all pairs down to the score of each true pair; `scores` in descending order."""
    right = np.array([name in true for name in names], dtype=bool)
    ranks = np.arange(1, len(names) + 1)
    # Pairs of one score share the place of the last of them.
    last = np.searchsorted(-np.asarray(scores, dtype=np.float64), -np.asarray(scores), side="right") - 1
    at_rank = np.cumsum(right) / ranks
    return {names[place]: float(at_rank[last[place]]) for place in np.flatnonzero(right).tolist()}
