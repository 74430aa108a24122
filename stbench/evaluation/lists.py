"""Lists put in order: the metrics of each, with grades as gains, and relevant documents that a list lacks as missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.evaluation.first_stage import documents_of
from stbench.evaluation.gain import of_sample
from stbench.evaluation.recording import recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator


def per_reranked_list(base: type[BaseEvaluator]) -> type[Any]:
    """Lists that a cross-encoder puts in order: MRR, nDCG and AP of each."""

    class PerRerankedList(recording(base)):  # type: ignore[misc]
        samples: list[dict[str, Any]]
        always_rerank_positives: bool

        def watched(self, model: Any) -> Any:
            names = (f"ndcg@{self.at_k}", f"mrr@{self.at_k}", "map")
            # A list without any relevant document is never scored.
            self.outcomes.update({name: np.zeros(len(self.samples)) for name in names})
            self._calls = self._expected()
            return model

        def _expected(self) -> Iterator[tuple[int, list[str], bool]]:
            """(sample, documents, whether they are reranked) of each call that the library makes, in its order."""
            first = [(index, sample["documents"]) for index, sample in enumerate(self.samples) if "documents" in sample]
            again = [
                (index, documents_of(sample, self.always_rerank_positives)) for index, sample in enumerate(self.samples)
            ]
            for reranked, lists in ((False, first), (True, again)):
                for index, documents in lists:
                    if set(documents) & set(self.samples[index]["positive"]):
                        yield index, documents, reranked

        def compute_metrics(self, y_true: Any, y_pred: Any) -> tuple[float, float, float]:
            index, documents, reranked = next(self._calls)
            # The library adds what the first stage has missed to the end of its order.
            found = of_sample(self.samples[index], documents, y_pred[: len(documents)], self.at_k)
            if reranked:
                for name, value in found.items():
                    self.outcomes[name][index] = value
            return found[f"mrr@{self.at_k}"], found[f"ndcg@{self.at_k}"], found["map"]

    return PerRerankedList


def per_list(base: type[BaseEvaluator]) -> type[Any]:
    """Lists put in order by the similarity of embeddings, the model's own where the library would take the cosine."""

    class PerList(recording(base)):  # type: ignore[misc]
        add_missed = False

        def __init__(self, samples: list[dict[str, Any]], **kwargs: Any) -> None:
            # The library drops lists without irrelevant documents, and those in which nothing is relevant.
            super().__init__(samples=[], **kwargs)
            self.samples = [{"negative": [], **sample} for sample in samples]

        def watched(self, model: Any) -> Any:
            self.similarity_fct: Any = lambda query, documents: model.similarity(_batch(query), documents)
            return model

        def compute_metrics(self, model: Any) -> dict[str, float]:
            lists = [documents_of(sample, self.add_missed) for sample in self.samples]
            place = {text: index for index, text in enumerate(dict.fromkeys(text for texts in lists for text in texts))}
            queries = self.embed_inputs(model, [item["query"] for item in self.samples], "query", False)
            documents = self.embed_inputs(model, list(place), "document", False)
            rows = []
            for sample, texts, query in zip(self.samples, lists, queries, strict=True):
                scores = self.similarity_fct(query, _picked(documents, [place[text] for text in texts]))
                rows.append(of_sample(sample, texts, scores.flatten().float().cpu().tolist(), self.at_k))
            self.outcomes.update({name: np.array([row[name] for row in rows]) for name in rows[0]})
            names = {"map": "map", "mrr": f"mrr@{self.at_k}", "ndcg": f"ndcg@{self.at_k}"}
            return {short: float(self.outcomes[name].mean()) for short, name in names.items()}

    return PerList


def _picked(vectors: Any, places: Sequence[int]) -> Any:
    """Dense vectors are one tensor, sparse and token vectors a list."""
    return [vectors[place] for place in places] if isinstance(vectors, list) else vectors[list(places)]


def _batch(query: Any) -> Any:
    """A batch of one, where the library hands over a bare vector."""
    import torch

    return query.unsqueeze(0) if isinstance(query, torch.Tensor) and query.ndim == 1 else query
