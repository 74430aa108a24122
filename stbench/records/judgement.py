"""How a run was judged, as its folder keeps it: what tells whether two runs can be held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from stbench.evaluation.scores import Scores

KEY = "judged"
"""Where metrics.json keeps it."""


@dataclass(frozen=True)
class Judgement:
    """The metric that decided, and the digest of what was asked."""

    metric: str
    """Without the similarity that a model compares by: ndcg@10, of dense and of sparse vectors."""
    statistic: str
    """How the outcomes of samples become that metric: a name in `stbench.verdict.statistics.STATISTICS`."""
    greater_is_better: bool
    content: str

    @classmethod
    def of(cls, scores: Scores) -> Judgement:
        return cls(scores.metric or scores.primary, scores.statistic, scores.greater_is_better, scores.judged)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Judgement:
        """The inverse of `as_dict`. Raises KeyError for a missing name."""
        return cls(**{one.name: kept[one.name] for one in fields(cls)})

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
