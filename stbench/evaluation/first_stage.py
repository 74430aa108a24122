"""Two stages: a retriever finds candidates for each query, and what is judged puts them in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stbench.cache import Store
from stbench.data.collection import Collection
from stbench.data.mining import candidates
from stbench.evaluation import bm25
from stbench.evaluation.gain import mean_of_orders
from stbench.models.miner import Miner
from stbench.plan.plan import EvaluatorPlan

Rankings = dict[str, list[str]]
"""Ids of documents by query, best first."""


def rankings(collection: Collection, plan: EvaluatorPlan, retriever: Miner | None, store: Store) -> Rankings:
    """The `plan.depth` documents that the first stage finds for each query: BM25, or a bi-encoder's `retriever`."""
    if retriever is None:
        return bm25.rankings_of(collection, plan.depth, plan.language, store)
    keys, queries = list(collection.corpus), list(collection.queries.values())
    ranks = candidates(queries, list(collection.corpus.values()), plan.depth, retriever, store)
    return {query: [keys[place] for place in places] for query, places in zip(collection.queries, ranks, strict=True)}


def samples(collection: Collection, found: Rankings) -> Iterator[dict[str, Any]]:
    """One sample a query, as the library's reranking evaluators read it; `gains` are the grades by text."""
    for key, query in collection.queries.items():
        texts = _texts(collection, key, found[key])
        gains = {collection.corpus[document]: grade for document, grade in collection.grades[key].items()}
        positive = [text for text, grade in gains.items() if grade > 0]
        yield {"query": query, "positive": positive, "documents": texts or _nothing(collection, gains), "gains": gains}


def documents_of(sample: Mapping[str, Any], add_missed: bool) -> list[str]:
    """What is put in order: the candidates, or the list's own documents."""
    own = [*sample["positive"], *sample.get("negative", [])]
    if "documents" not in sample:
        return own
    return list(dict.fromkeys([*own, *sample["documents"]])) if add_missed else list(sample["documents"])


def references(
    lists: Sequence[Mapping[str, Any]],
    collection: Collection,
    plan: EvaluatorPlan,
    retriever: Miner | None,
    store: Store,
) -> dict[str, float]:
    """What the order of the first stage is worth by the metric of `plan`, and that of BM25 where it is another."""
    orders = {f"{plan.first_stage_name}, not reranked": [sample["documents"] for sample in lists]}
    if plan.bm25 and retriever is not None:
        found = bm25.rankings_of(collection, plan.depth, plan.language, store)
        orders[bm25.NAME] = [_texts(collection, query, found[query]) for query in collection.queries]
    k = int(plan.arguments.get("at_k", 10))
    return {name: mean_of_orders(lists, order, plan.metric, k) for name, order in orders.items()}


def _texts(collection: Collection, query: str, ranking: Sequence[str]) -> list[str]:
    """Texts of a ranking, each once, without the query where it is a document itself."""
    itself = collection.itself.get(query)
    return list(dict.fromkeys(collection.corpus[key] for key in ranking if key != itself))


def _nothing(collection: Collection, gains: Mapping[str, float]) -> list[str]:
    """The library needs a document even where nothing was found: any that is not relevant scores the same zero."""
    return [next((text for text in collection.corpus.values() if not gains.get(text)), "")]
