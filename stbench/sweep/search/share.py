"""How far a training is when it is scored: in percent, so that trainings of other lengths can be held against each other.

Trials differ in their number of steps as soon as the batch size is searched, and schedules of the learning rate go by the
whole. What a pruner calls a step is therefore a percent.
"""

from __future__ import annotations

import math

WHOLE = 100


def share(step: int, total: int, eval_steps: float) -> int:
    """Percent of `total` steps, in multiples of what is planned: `eval_steps` is a share of them (below 1) or a number.

    Evaluations come at whole steps, so that the first of five is at 20 % of one training and at 22 % of another: both are at
    20 % here, since a pruner compares what it is told under one number.
    """
    if step >= total:
        return WHOLE
    planned = eval_steps if eval_steps < 1 else eval_steps / total
    multiple = max(1, math.floor(step / total / planned + 0.5))
    return max(1, min(WHOLE - 1, round(WHOLE * planned * multiple)))


def is_last(step: int, total: int, eval_steps: float) -> bool:
    """Whether next to nothing is left of the training: a sampler may yield fewer batches than it announced."""
    return total - step < interval_of(total, eval_steps) / 2


def interval_of(total: int, eval_steps: float) -> int:
    """Steps between two evaluations, as the trainer counts them."""
    return max(1, math.ceil(total * eval_steps) if eval_steps < 1 else int(eval_steps))
