"""What the time of a run went into."""

from __future__ import annotations

from collections.abc import Mapping

SCORING = ("baseline", "selection", "final score", "sizes")
"""Stages in which models are scored."""
DEAR = 0.3
WORTH_SECONDS = 60
"""Shorter scoring is not worth a word."""


def scoring_share(seconds: Mapping[str, float]) -> float:
    """Share of the time so far that scoring has taken."""
    whole = sum(value for name, value in seconds.items() if name != "in all")
    return sum(seconds.get(name, 0.0) for name in SCORING) / whole if whole else 0.0


def too_dear(seconds: Mapping[str, float], eval_steps: float) -> str:
    """What is told when training ends, where scoring has taken more of the time than it should; empty otherwise.

    `eval_steps`: share of the steps, or number of steps, between two evaluations.
    """
    share = scoring_share(seconds)
    if share <= DEAR or sum(seconds.get(name, 0.0) for name in SCORING) < WORTH_SECONDS:
        return ""
    rarer = min(0.5, 2 * eval_steps) if eval_steps < 1 else 2 * eval_steps
    return f"scoring took {share:.0%} of the time; training.eval_steps={rarer:g} scores less often"
