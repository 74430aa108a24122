"""What to try next, from what the run has measured: a few rules, the strongest first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stbench.verdict.facts import NO_HARD_NEGATIVES, Facts

AT_MOST = 3
AT_MOST_AFTER_WIN = 2
# A checkpoint from the first quarter means that three quarters of the training went the wrong way.
EARLY = 0.25
LATE = 0.8
FLAT = 0.05
ROSE = 1.05
UNUSUAL = 10.0
"""Times the usual learning rate."""
LEARNT = 0.8
"""The loss fell to this share of what it was at the best checkpoint, or below."""
LOST = 0.1
"""Share of what the best checkpoint had gained that the last one has lost again."""
EASY = 0.05
"""Share of the loss of guessing, or of the first loss, from which on there is nothing to learn."""
TRUNCATED, BADLY = 0.05, 0.25
"""Shares of texts that are cut: from there on worth a word, and before all that is about training."""
# Healthy sparse vectors have 30 to 250 active dimensions.
DENSE, EMPTY = 1000.0, 1.0
MOST_HELD_OUT, HOPELESS = 3, 4
"""1 in so many rows can be held out for the test; where so many times as many are needed, they settle nothing."""


@dataclass(frozen=True)
class Advice:
    """One thing to try: `overrides` is appended to the command that was run."""

    overrides: str
    reason: str


def advise(facts: Facts) -> list[Advice]:
    """At most three things to try, the strongest first; after a WIN two. No two set the same option."""
    chosen: list[Advice] = []
    spoken: set[str] = set()
    for advice in filter(None, (rule(facts) for rule in RULES)):
        options = {override.partition("=")[0] for override in advice.overrides.split()}
        if not options & spoken:
            chosen.append(advice)
            spoken |= options
    return chosen[: AT_MOST_AFTER_WIN if facts.outcome == "WIN" else AT_MOST]


def sparsity(facts: Facts) -> Advice | None:
    """It alone can deny a WIN, whatever the score."""
    for side, dims in (facts.active_dims or {}).items():
        measured = f"{side} vectors have {dims:,.4g} active dimensions"
        if dims > DENSE:
            why = "too few steps for the ramp of the regularisers, or loss.regularizers too small"
            return Advice(_epochs(facts.epochs * 2), f"{measured}: {why}")
        if dims < EMPTY:
            why = "the regularisers emptied them before the ranking loss could act"
            return Advice(_rate(facts.learning_rate / 2), f"{measured}: {why}")
    return None


def rate_too_high(facts: Facts) -> Advice | None:
    """The model was torn apart: it forgets what it could do, or what it has just learnt."""
    reason = _forgot(facts) or _rose(facts) or _unusual(facts)
    return Advice(_rate(facts.lower_rate), reason) if reason else None


def _forgot(facts: Facts) -> str:
    if facts.best is None or facts.untouched is None or facts.best >= facts.untouched:
        return ""
    return (
        f"no checkpoint reached the untouched model on the selection split ({abs(facts.best):.4f} at best, it has"
        f" {abs(facts.untouched):.4f}): a learning rate of {facts.learning_rate:.2g} makes it forget what it knew"
    )


def _rose(facts: Facts) -> str:
    first, last = facts.course or (0.0, 0.0)
    if last <= ROSE * first:
        return ""
    return (
        f"the training loss rose ({first:.4g} to {last:.4g}): a learning rate of {facts.learning_rate:.2g} is too high"
    )


def _unusual(facts: Facts) -> str:
    usual = facts.usual_rate
    if usual is None or facts.learning_rate < UNUSUAL * usual:
        return ""
    return (
        f"a learning rate of {facts.learning_rate:.2g} is {facts.learning_rate / usual:.0f} times what is usual for this"
        " base model and loss"
    )


def flat_loss(facts: Facts) -> Advice | None:
    if facts.course is None:
        return None
    first, last = facts.course
    if abs(last - first) > FLAT * abs(first):
        return None
    if facts.outcome == "WIN" and facts.higher_rate != facts.usual_rate:
        return None
    return Advice(
        _rate(facts.higher_rate),
        f"the training loss hardly moved ({first:.4g} to {last:.4g} in {facts.last_step:,} steps): "
        f"a learning rate of {facts.learning_rate:.2g} is too low, or the columns play the wrong roles",
    )


def overfitting(facts: Facts) -> Advice | None:
    """What is learnt after the best checkpoint is learnt by heart; only more rows mend that, fewer passes save time."""
    best, last, at_best = facts.best, facts.last_loss, facts.loss_at_best
    if not _before(facts, LATE) or best is None or last is None or at_best is None or last > LEARNT * at_best:
        return None
    end = facts.selection[-1][1]
    if best - end <= LOST * abs(best - (end if facts.untouched is None else facts.untouched)):
        return None
    sooner = max(1, math.ceil(facts.epochs * (facts.best_step or 0) / facts.last_step))
    if not facts.limited and sooner >= facts.epochs:
        return None
    return Advice(
        "dataset.limit=null" if facts.limited else _epochs(sooner),
        f"after step {facts.best_step:,} of {facts.last_step:,} the training loss went on falling ({at_best:.2g} to"
        f" {last:.2g}) while the selection score fell too ({abs(best):.4f} to {abs(end):.4f}): {facts.train_rows:,} rows"
        f" were learnt by heart{'' if facts.limited else '; more passes only cost time, more rows would help'}",
    )


def peaked_early(facts: Facts) -> Advice | None:
    # Where rows are learnt by heart, no learning rate helps.
    if not _before(facts, EARLY) or overfitting(facts):
        return None
    fewer = f" {_epochs(facts.epochs / 2)}" if facts.epochs > 1 else ""
    return Advice(
        _rate(facts.learning_rate / 2) + fewer,
        f"the best checkpoint is an early one (step {facts.best_step:,} of {facts.last_step:,}): "
        f"a learning rate of {facts.learning_rate:.2g} made the model worse from there on",
    )


def _before(facts: Facts, share: float) -> bool:
    """Whether the best checkpoint stands in the first `share` of the training."""
    return facts.best_step is not None and facts.last_step > 0 and facts.best_step <= share * facts.last_step


def still_improving(facts: Facts) -> Advice | None:
    if not facts.last_step or facts.best_step != facts.last_step:
        return None
    longer = f"training.max_steps={2 * facts.max_steps}" if facts.max_steps else _epochs(facts.epochs * 2)
    return Advice(
        longer,
        f"the best checkpoint is the last one (step {facts.best_step:,} of {facts.last_step:,}): "
        "the model was still improving",
    )


def easy_negatives(facts: Facts) -> Advice | None:
    """A loss near zero has nothing left to teach."""
    last, first = facts.last_loss, facts.first_loss
    if last is None or first is None:
        return None
    # All rows in one batch: whoever reads them often enough knows them by heart.
    if facts.train_rows <= facts.batch_size:
        return None
    if facts.in_batch and last < EASY * facts.guessing:
        told = f"among {facts.rivals + 1:,} documents of a batch, where guessing gives {facts.guessing:.2g}"
    elif not facts.in_batch and facts.negatives not in NO_HARD_NEGATIVES and last < EASY * first:
        told = f"from {first:.2g}"
    else:
        return None
    return Advice(_harder(facts), f"the training loss came down to {last:.2g} {told}: the negatives are too easy")


def _harder(facts: Facts) -> str:
    if facts.negatives in NO_HARD_NEGATIVES:
        return "negatives=mined"
    return "negatives.range_min=0" if facts.range_min else "negatives.relative_margin=null"


def few_samples(facts: Facts) -> Advice | None:
    if facts.outcome == "WIN" or facts.needed is None or facts.needed <= facts.n or facts.carvable is None:
        return None
    most = facts.carvable // MOST_HELD_OUT
    if most <= facts.n or facts.needed > HOPELESS * most:
        return None
    there = "" if facts.needed <= most else f", of which a third of the {facts.carvable:,} rows can be had"
    return Advice(
        f"dataset.test_size={min(facts.needed, most)}",
        f"the verdict rests on {facts.n:,} samples; the smallest gain that counts needs {facts.needed:,}{there}",
    )


def hard_negatives(facts: Facts) -> Advice | None:
    if not facts.in_batch or facts.negatives not in NO_HARD_NEGATIVES:
        return None
    return Advice(
        "negatives=mined",
        f"{facts.loss} saw only the {facts.rivals:,} chance negatives of a batch; hard ones teach more",
    )


def truncation(facts: Facts) -> Advice | None:
    if facts.truncated_share <= TRUNCATED or not facts.longer:
        return None
    return Advice(
        facts.longer, f"{facts.truncated_share:.0%} of the texts were cut off: the model never saw how they end"
    )


def bad_truncation(facts: Facts) -> Advice | None:
    return truncation(facts) if facts.truncated_share > BADLY else None


RULES: tuple[Callable[[Facts], Advice | None], ...] = (
    sparsity,
    rate_too_high,
    flat_loss,
    bad_truncation,
    overfitting,
    still_improving,
    peaked_early,
    easy_negatives,
    few_samples,
    hard_negatives,
    truncation,
)


def _rate(rate: float) -> str:
    return f"training.learning_rate={rate:.2g}"


def _epochs(epochs: float) -> str:
    return f"training.epochs={max(1, math.ceil(epochs))}"
