"""What to try next, from what the run has measured: a few rules, the strongest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

AT_MOST = 3
AT_MOST_AFTER_WIN = 2
# A checkpoint from the first quarter means that three quarters of the training went the wrong way.
EARLY = 0.25
FLAT = 0.02
SMALL_BATCH, BIG_BATCH = 64, 128
TRUNCATED = 0.05
# Healthy sparse vectors have 30 to 250 active dimensions.
DENSE, EMPTY = 1000.0, 1.0
NO_HARD_NEGATIVES = ("none", "in_batch")


@dataclass(frozen=True)
class Advice:
    """One thing to try: `overrides` is appended to the command that was run."""

    overrides: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """What a finished run knows about itself. None: not measured. Shares are between 0 and 1."""

    outcome: str
    model_type: str
    loss: str
    negatives: str
    """Where hard negatives came from; "none" or "in_batch" when there were none."""
    n: int
    """Evaluation samples behind the verdict."""
    needed: int | None
    """Evaluation samples that would detect the smallest effect that counts."""
    best_step: int | None
    last_step: int
    first_loss: float | None
    last_loss: float | None
    learning_rate: float
    epochs: float
    train_rows: int
    batch_size: int
    truncated_share: float
    """Texts longer than the model reads."""
    active_dims: Mapping[str, float] | None
    """Mean active dimensions of a sparse model's vectors: "query", "corpus"."""
    in_batch: bool
    """Whether the loss takes the other rows of a batch as negatives."""
    max_seq_length: int | None = None
    max_steps: int | None = None
    """Where the training was cut short whatever its epochs; None: it was not."""


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


def diverged(facts: Facts) -> Advice | None:
    if facts.last_loss is None or math.isfinite(facts.last_loss):
        return None
    return Advice(
        _rate(facts.learning_rate / 10),
        f"the training loss ended as {facts.last_loss} at a learning rate of {facts.learning_rate:.2g}",
    )


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


def still_improving(facts: Facts) -> Advice | None:
    if not facts.last_step or facts.best_step != facts.last_step:
        return None
    longer = f"training.max_steps={2 * facts.max_steps}" if facts.max_steps else _epochs(facts.epochs * 2)
    return Advice(
        longer,
        f"the best checkpoint is the last one (step {facts.best_step:,} of {facts.last_step:,}): "
        "the model was still improving",
    )


def peaked_early(facts: Facts) -> Advice | None:
    if facts.best_step is None or not facts.last_step or facts.best_step > EARLY * facts.last_step:
        return None
    fewer = f" {_epochs(facts.epochs / 2)}" if facts.epochs > 1 else ""
    return Advice(
        _rate(facts.learning_rate / 2) + fewer,
        f"the best checkpoint is an early one (step {facts.best_step:,} of {facts.last_step:,}): "
        f"a learning rate of {facts.learning_rate:.2g} made the model worse from there on",
    )


def flat_loss(facts: Facts) -> Advice | None:
    first, last = facts.first_loss, facts.last_loss
    if first is None or last is None or not abs(last - first) <= FLAT * abs(first):
        return None
    return Advice(
        _rate(facts.learning_rate * 5),
        f"the training loss hardly moved ({first:.4g} to {last:.4g} in {facts.last_step:,} steps): "
        f"a learning rate of {facts.learning_rate:.2g} is too low, or the columns play the wrong roles",
    )


def few_samples(facts: Facts) -> Advice | None:
    if facts.outcome == "WIN" or facts.needed is None or facts.needed <= facts.n:
        return None
    return Advice(
        f"dataset.test_size={facts.needed}",
        f"the verdict rests on {facts.n:,} samples; the smallest gain that counts needs {facts.needed:,}",
    )


def hard_negatives(facts: Facts) -> Advice | None:
    if not facts.in_batch or facts.negatives not in NO_HARD_NEGATIVES:
        return None
    return Advice(
        "negatives=mined",
        f"{facts.loss} saw only the {facts.batch_size - 1} chance negatives of a batch; hard ones teach more",
    )


def small_batch(facts: Facts) -> Advice | None:
    # A power of two, as batch sizes usually are.
    bigger = min(BIG_BATCH, 1 << (max(1, facts.train_rows // 10).bit_length() - 1))
    if not facts.in_batch or facts.batch_size >= SMALL_BATCH or bigger <= facts.batch_size:
        return None
    return Advice(
        f"training.batch_size={bigger}",
        f"a batch of {facts.batch_size} gives each row only {facts.batch_size - 1} negatives",
    )


def truncation(facts: Facts) -> Advice | None:
    if facts.truncated_share <= TRUNCATED:
        return None
    now = facts.max_seq_length
    limit = f" at {now} tokens" if now else ""
    return Advice(
        f"training.max_seq_length={now * 2 if now else 512}",
        f"{facts.truncated_share:.0%} of the texts were cut off{limit}",
    )


RULES: tuple[Callable[[Facts], Advice | None], ...] = (
    diverged,
    sparsity,
    still_improving,
    peaked_early,
    flat_loss,
    few_samples,
    hard_negatives,
    small_batch,
    truncation,
)


def _rate(rate: float) -> str:
    return f"training.learning_rate={rate:.2g}"


def _epochs(epochs: float) -> str:
    return f"training.epochs={max(1, math.ceil(epochs))}"
