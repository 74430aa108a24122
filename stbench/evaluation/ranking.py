"""Retrieval: the metrics of every query that searches a corpus, and those of other rankings beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.evaluation.fusion import FUSED, fused
from stbench.evaluation.recording import recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator

    from stbench.data.collection import Collection


def per_query(base: type[BaseEvaluator]) -> type[Any]:
    """Retrieval: every metric of the library for every query, by asking the library one query at a time."""

    class PerQuery(recording(base)):  # type: ignore[misc]
        queries_ids: list[str]
        queries: list[str]
        collection: Collection
        _beside: Mapping[str, Sequence[str]] | None = None
        _fusion = False

        @property
        def depth(self) -> int:
            """Hits of a query that any of the metrics looks at."""
            cuts = (self.mrr_at_k, self.ndcg_at_k, self.accuracy_at_k, self.precision_recall_at_k, self.map_at_k)
            return max(int(k) for family in cuts for k in family)

        def refer_to(self, name: str, rankings: Mapping[str, Sequence[str]], fusion: bool) -> None:
            """Scores the rankings of another system (ids by query), and later the model's fused with them."""
            self.references[name] = self._mean_of(rankings)
            self._beside, self._fusion = rankings, fusion

        def _mean_of(self, rankings: Mapping[str, Sequence[str]]) -> float:
            found = [_as_hits(rankings[query]) for query in self.queries_ids]
            return float(self.of_each(found)[self.deciding].mean())

        def compute_metrics(self, queries_result_list: list[Any]) -> dict[str, dict[int, float]]:
            values = self.of_each(queries_result_list)
            if self._beside is not None and self._fusion:
                own = dict(zip(self.queries_ids, map(_ids, queries_result_list), strict=True))
                both = {query: fused(ranking, self._beside[query]) for query, ranking in own.items()}
                self.references[FUSED] = self._mean_of(both)
            self.sample_ids = list(self.queries_ids)
            self.outcomes.update(values)
            means: dict[str, dict[int, float]] = {}
            for name, outcomes in values.items():
                family, k = name.split("@")
                means.setdefault(f"{family}@k", {})[int(k)] = float(outcomes.mean())
            return means

        def of_each(self, found: list[Any]) -> dict[str, np.ndarray]:
            """Each metric (ndcg@10 …) of every query, whose hits `found` lists as the library does."""
            ids, queries = self.queries_ids, self.queries
            rows = []
            try:
                for index, hits in enumerate(found):
                    self.queries_ids, self.queries = [ids[index]], [queries[index]]
                    rows.append(self._of_one(ids[index], hits))
            finally:
                self.queries_ids, self.queries = ids, queries
            return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}

        def _of_one(self, query: str, hits: list[Any]) -> dict[str, float]:
            itself = self.collection.itself.get(query)
            hits = [hit for hit in hits if hit["corpus_id"] != itself]
            found = super().compute_metrics([hits])
            row = {name.replace("@k", f"@{k}"): value for name, at in found.items() for k, value in at.items()}
            if self.collection.graded:
                row.update({f"ndcg@{k}": self._graded(query, hits, k) for k in self.ndcg_at_k})
            return row

        def _graded(self, query: str, hits: list[Any], k: int) -> float:
            """nDCG with the grade as gain (Järvelin & Kekäläinen 2002, as trec_eval has it); the library knows no grades."""
            grades = self.collection.grades[query]
            gains = [grades.get(key, 0.0) for key in _ids(hits)]
            ideal = sorted(grades.values(), reverse=True)
            return float(self.compute_dcg_at_k(gains, k) / self.compute_dcg_at_k(ideal, k))

    return PerQuery


def _ids(hits: Iterable[Any]) -> list[str]:
    """Documents by rank, among equals by id, as the library sorts them."""
    return [hit["corpus_id"] for hit in sorted(hits, key=lambda hit: (-hit["score"], hit["corpus_id"]))]


def _as_hits(ranking: Sequence[str]) -> list[Any]:
    return [{"corpus_id": key, "score": -rank} for rank, key in enumerate(ranking)]
