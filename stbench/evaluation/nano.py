"""NanoBEIR: small retrieval data sets from the Hub, each query kept apart, each data set counting as much as the others."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.cache import key_of
from stbench.config.suggest import did_you_mean
from stbench.data.collection import Collection, texts_digest
from stbench.data.splits import content_hash
from stbench.errors import Problem, Refused
from stbench.evaluation.ranking import per_query
from stbench.evaluation.recording import Recorder, recording
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator


class AsPublished(Collection):
    """Queries that are documents find themselves, as they do in the published figures."""

    @property
    def itself(self) -> dict[str, str]:
        return {}


def per_data_set(base: type[BaseEvaluator]) -> type[Any]:
    """Every metric of every query of every data set; `group` is the number of the data set."""

    class PerDataSet(recording(base)):  # type: ignore[misc]
        def _load_dataset(self, *args: Any, **kwargs: Any) -> Any:
            return keeping(super()._load_dataset(*args, **kwargs))

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            parts = [one.outcomes for one in self.evaluators]
            for name in parts[0].keys() - {"id", "value"}:
                self.outcomes[name] = np.concatenate([part[name] for part in parts])
            sizes = [len(one.sample_ids) for one in self.evaluators]
            base = f"{self.name}_base_{self.deciding}"
            self.references = {"BM25, not reranked": float(metrics[base])} if base in metrics else {}
            self.outcomes["group"] = np.repeat(np.arange(len(sizes), dtype=np.float64), sizes)

    return PerDataSet


def keeping(evaluator: Any) -> Any:
    """The library's evaluator of one data set, from now on one that keeps the outcomes of its queries."""
    evaluator.references = {}
    if hasattr(evaluator, "samples"):
        evaluator.__class__ = _per_sample(type(evaluator))
        evaluator.sample_ids = [content_hash(sample["query"]) for sample in evaluator.samples]
        return evaluator
    grades = {query: dict.fromkeys(found, 1.0) for query, found in evaluator.relevant_docs.items()}
    queries = dict(zip(evaluator.queries_ids, evaluator.queries, strict=True))
    evaluator.__class__ = per_query(type(evaluator))
    evaluator.collection = AsPublished(dict(zip(evaluator.corpus_ids, evaluator.corpus, strict=True)), queries, grades)
    evaluator.sample_ids = list(evaluator.queries_ids)
    return evaluator


def _per_sample(base: type[BaseEvaluator]) -> type[Any]:
    """Lists that a cross-encoder puts in order, as the library scores them."""

    class PerSample(recording(base)):  # type: ignore[misc]
        def watched(self, model: Any) -> Any:
            self._rows: list[tuple[float, float, float]] = []
            return model

        def compute_metrics(self, y_true: Any, y_pred: Any) -> tuple[float, float, float]:
            row: tuple[float, float, float] = super().compute_metrics(y_true, y_pred)
            self._rows.append(row)
            return row

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            # The library scores the order of BM25 first, then that of the model.
            mrr, ndcg, ap = np.array(self._rows[-len(self.samples) :], dtype=np.float64).T
            self.outcomes.update({f"ndcg@{self.at_k}": ndcg, f"mrr@{self.at_k}": mrr, "map": ap})

    return PerSample


def built(cls: type[Any], plan: EvaluatorPlan, split: str) -> Recorder:
    """The evaluator with its data sets, which the libraries fetch from the Hub or have kept.

    Raises `Refused` when one of them cannot be had.
    """
    try:
        with _quiet():
            evaluator: Any = cls(**plan.arguments, batch_size=plan.batch_size, show_progress_bar=False, write_csv=False)
    except ValueError as error:
        raise Refused(unreachable(plan, str(error))) from None
    if plan.decides:
        for one in evaluator.evaluators:
            _halve(one, split)
    evaluator.sample_ids = [f"{one.name}:{key}" for one in evaluator.evaluators for key in one.sample_ids]
    evaluator.references = {}
    evaluator.content = evaluator.judged = key_of(*[_content(one) for one in evaluator.evaluators])
    evaluator.work = sum(map(_texts, evaluator.evaluators))
    found: Recorder = evaluator
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """The library draws bars, whatever it is told, and `datasets` warns of each part that it has kept."""
    from datasets.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        logging.set_verbosity(before)


def unreachable(plan: EvaluatorPlan, why: str) -> Problem:
    return Problem(
        f"{plan.arguments['dataset_id']} cannot be had: {why}", f"evaluator={plan.name}",
        "another evaluator, such as evaluator=auto, judges the held-out rows; once fetched it is kept for later runs",
    )  # fmt: skip


def check(plans: Iterable[EvaluatorPlan]) -> list[Problem]:
    """Names of data sets that there are not; after the heavy imports."""
    problems = []
    for plan in plans:
        if plan.kind == "nano_beir":
            from sentence_transformers.sentence_transformer.evaluation import NanoBEIREvaluator

            known = sys.modules[NanoBEIREvaluator.__module__].DATASET_NAME_TO_HUMAN_READABLE
            problems += [
                Problem(f"NanoBEIR has no data set '{name}'", "evaluator.datasets", did_you_mean(name, known))
                for name in plan.arguments.get("dataset_names") or ()
                if name not in known
            ]
    return problems


def _halve(evaluator: Any, split: str) -> None:
    """Leaves one half of the queries, chosen by content: those that select, or those that give the verdict."""
    texts = [sample["query"] for sample in evaluator.samples] if hasattr(evaluator, "samples") else evaluator.queries
    order = sorted(range(len(texts)), key=lambda place: content_hash(texts[place]))
    kept = sorted(order[0 if split == "test" else 1 :: 2])
    for name in ("samples", "queries", "queries_ids", "sample_ids"):
        if hasattr(evaluator, name):
            setattr(evaluator, name, [getattr(evaluator, name)[place] for place in kept])


def _content(evaluator: Any) -> list[object]:
    """What could change the score."""
    if hasattr(evaluator, "samples"):
        lists = [
            [sample["query"], sorted(sample["positive"]), list(sample["documents"])] for sample in evaluator.samples
        ]
        return [evaluator.name, lists]
    found = evaluator.collection
    relevant = {query: sorted(keys) for query, keys in found.relevant.items()}
    return [evaluator.name, texts_digest(found.corpus.items()), list(evaluator.queries), relevant]


def _texts(evaluator: Any) -> int:
    if hasattr(evaluator, "samples"):
        return sum(len(sample["documents"]) for sample in evaluator.samples)
    return len(evaluator.queries) + len(evaluator.corpus)
