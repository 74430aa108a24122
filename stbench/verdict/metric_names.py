"""Names of metrics as the library writes them, and as a sentence says them."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHOWN = ("ndcg@10", "mrr@10", "map@100", "map", "accuracy@1", "recall@10")
"""Of the many metrics of a ranking evaluator, those on the console; the report has all."""
_SIMILARITY = re.compile(
    r"\b(?:cosine|dot|euclidean|manhattan|maxsim|meanmaxsim)_|_(?:cosine|dot|euclidean|manhattan)\b"
)


def without_similarity(key: str) -> str:
    """`cosine_ndcg@10` and `dot_ndcg@10` become `ndcg@10`: the metric is one, models compare their vectors by their own."""
    return _SIMILARITY.sub("", key)


def plain_names(keys: Iterable[str]) -> dict[str, str]:
    """Each key with its plain name, or as it is where several keys would get the same one."""
    keys = list(keys)
    plain = [without_similarity(key) for key in keys]
    return {key: name if plain.count(name) == 1 else key for key, name in zip(keys, plain, strict=True)}
