"""Samples that a model cannot tell apart: it gives them exactly the same score."""

from __future__ import annotations

from stbench.audit.finding import Finding
from stbench.evaluation.scores import Scores

ORDERED = ("spearman", "pearson", "average_precision", "best_f1", "best_accuracy")
"""Statistics over the scores of all samples. Of rankings only the outcome of each query is kept, not its scores."""
MANY = 0.05
"""Share of tied samples from which on it is worth telling: texts that come twice are tied, too."""


def ties(baseline: Scores, final: Scores, precision: str) -> list[Finding]:
    """Test samples whose score another sample has, for each of both models."""
    found = []
    for name, whose, scores in (
        ("baseline_ties", "the untouched model", baseline),
        ("ties", "the trained model", final),
    ):
        count, of = tied(scores)
        if count > MANY * of:
            what = f"have the very score of another from {whose}, so that it puts them in no order"
            override = "precision=fp32" if precision != "fp32" else ""
            found.append(Finding(name, count, of, "test samples", what, override=override))
    return found


def tied(scores: Scores) -> tuple[int, int]:
    """(samples with a score that another one has, all samples); (0, 0) where samples are not put in one order."""
    import numpy as np

    if scores.statistic not in ORDERED:
        return 0, 0
    _, numbers = np.unique(scores.samples["prediction"], return_counts=True)
    return int(numbers[numbers > 1].sum()), int(numbers.sum())
