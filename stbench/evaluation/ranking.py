"""Rankings: the metrics of every query, whether it searches a corpus or puts a list of its own in order."""

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


def per_reranked_list(base: type[BaseEvaluator]) -> type[Any]:
    """Lists that a cross-encoder puts in order: MRR, nDCG and AP of each."""

    class PerRerankedList(recording(base)):  # type: ignore[misc]
        def watched(self, model: Any) -> Any:
            self._rows: list[tuple[float, float, float]] = []
            return model

        def compute_metrics(self, y_true: Any, y_pred: Any) -> tuple[float, float, float]:
            row: tuple[float, float, float] = super().compute_metrics(y_true, y_pred)
            self._rows.append(row)
            return row

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            # With first-stage documents the library scores their order first, then the reranked lists.
            reranked = np.array(self._rows[-len(self.sample_ids) :], dtype=np.float64)
            mrr, ndcg, ap = reranked.T
            self.outcomes.update({f"ndcg@{self.at_k}": ndcg, f"mrr@{self.at_k}": mrr, "map": ap})

    return PerRerankedList


def per_list(base: type[BaseEvaluator]) -> type[Any]:
    """Lists put in order by the similarity of embeddings, which the library computes for one list at a time.

    The similarity is the model's own, where the library would take the cosine of every model.
    """

    class PerList(recording(base)):  # type: ignore[misc]
        samples: list[dict[str, Any]]
        _given: dict[str, Any] | None = None

        def watched(self, model: Any) -> Any:
            self.similarity_fct = lambda query, documents: model.similarity(_batch(query), documents)
            return model

        def compute_metrics(self, model: Any) -> dict[str, float]:
            samples, rows, start = self.samples, [], 0
            queries = self.embed_inputs(model, [item["query"] for item in samples], "query", False)
            texts = [text for item in samples for text in (*item["positive"], *item["negative"])]
            documents = self.embed_inputs(model, texts, "document", False)
            try:
                for number, sample in enumerate(samples):
                    end = start + len(sample["positive"]) + len(sample["negative"])
                    self.samples = [sample]
                    self._given = {"query": queries[number : number + 1], "document": documents[start:end]}
                    rows.append(super().compute_metrics(model))
                    start = end
            finally:
                self.samples, self._given = samples, None
            names = {"map": "map", "mrr": f"mrr@{self.at_k}", "ndcg": f"ndcg@{self.at_k}"}
            for short, name in names.items():
                self.outcomes[name] = np.array([row[short] for row in rows], dtype=np.float64)
            return {short: float(self.outcomes[name].mean()) for short, name in names.items()}

        def embed_inputs(self, model: Any, sentences: Any, encode_fn_name: str = "", *args: Any, **kwargs: Any) -> Any:
            if self._given is not None:
                return self._given[encode_fn_name]
            return super().embed_inputs(model, sentences, encode_fn_name, *args, **kwargs)

    return PerList


def _batch(query: Any) -> Any:
    """A batch of one, where the library hands over a bare vector."""
    import torch

    return query.unsqueeze(0) if isinstance(query, torch.Tensor) and query.ndim == 1 else query
