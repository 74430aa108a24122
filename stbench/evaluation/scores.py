"""What an evaluation hands on: every metric, and the outcome of every sample behind the one that decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def is_reference(key: str) -> bool:
    """Whether `key` is a metric of the first stage's order, which the library reports beside those of the model."""
    return "_base_" in key


@dataclass(frozen=True)
class Scores:
    """The result of one evaluation of one model on one split.

    `samples` maps column names to arrays of one length, one entry a sample (a query, or a pair of texts):
    always `id`; for a `statistic` of "mean" one column for each per-sample metric, `value` being the one whose mean
    is the primary metric; for set-level statistics (spearman, average_precision, macro_f1) `prediction` and `target`.
    """

    primary: str
    """Key of the deciding metric in `metrics`."""
    metrics: dict[str, float]
    """Every metric under the library's own key."""
    statistic: str
    """How `samples` become the primary metric: a name in `stbench.verdict.statistics.STATISTICS`."""
    samples: dict[str, np.ndarray]
    greater_is_better: bool = True
    references: dict[str, float] = field(default_factory=dict)
    """Scores of other systems on the same samples, for comparison only (first-stage order, BM25 …)."""
    seconds: float = 0.0
    metric: str = ""
    """Name of the deciding metric as a sentence says it, without the model's similarity: ndcg@10."""
    judged: str = ""
    """Digest of what was judged: texts, candidates, targets."""

    @property
    def score(self) -> float:
        return self.metrics[self.primary]
