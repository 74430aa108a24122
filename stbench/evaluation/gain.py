"""What an order of documents is worth, with grades as gains and with relevant documents that are not in the list at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def measured(gains: Sequence[float], scores: Sequence[float], ideal: Sequence[float], k: int) -> dict[str, float]:
    """nDCG@k, MRR@k and AP of a list: `gains` are the grades of its documents, `scores` what puts them in order.

    `ideal` are the grades of all relevant documents: those that the list lacks count as missed. The library's
    evaluators count them in the ideal only where the list is not reranked.
    """
    from sklearn.metrics import average_precision_score, ndcg_score

    names = (f"ndcg@{k}", f"mrr@{k}", "map")
    if not any(gain > 0 for gain in gains):
        return dict.fromkeys(names, 0.0)
    order = np.argsort(scores)[::-1][:k]
    rank = next((rank for rank, place in enumerate(order, 1) if gains[place] > 0), None)
    # An irrelevant document at the end changes nothing; scikit-learn refuses lists of one.
    padded = [*gains, 0.0], [*scores, min(scores) - 1]
    relevant = [gain > 0 for gain in padded[0]]
    found = sum(relevant) / sum(grade > 0 for grade in ideal)
    ndcg = ndcg_score([padded[0]], [padded[1]], k=k) * best(gains, k) / best(ideal, k)
    values = (ndcg, 1 / rank if rank else 0.0, average_precision_score(relevant, padded[1]) * found)
    return dict(zip(names, map(float, values), strict=True))


def best(gains: Sequence[float], k: int) -> float:
    """Discounted cumulative gain of the best order (Järvelin & Kekäläinen 2002)."""
    ranked = sorted(gains, reverse=True)[:k]
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(ranked, 1)))


def mean_of_orders(samples: Sequence[Mapping[str, Any]], orders: Sequence[Sequence[str]], metric: str, k: int) -> float:
    """Mean of `metric` over samples whose documents are ordered as `orders` say."""
    values = [
        of_sample(sample, order, range(len(order), 0, -1), k)[metric]
        for sample, order in zip(samples, orders, strict=True)
    ]
    return float(np.mean(values))


def of_sample(sample: Mapping[str, Any], documents: Sequence[str], scores: Sequence[float], k: int) -> dict[str, float]:
    """What `scores` make of `documents` by the grades of `sample`."""
    gains: Mapping[str, float] = sample["gains"]
    ideal = [grade for grade in gains.values() if grade > 0]
    return measured([gains.get(text, 0.0) for text in documents], list(scores), ideal, k)
