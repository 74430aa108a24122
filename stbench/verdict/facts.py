"""What a finished run knows about itself, for whoever advises what to try next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

NO_HARD_NEGATIVES = ("none", "in_batch")
ENOUGH = 10
"""Logged losses from which on their course says something: the loss of single batches differs by more."""
Curve = Sequence[tuple[int, float]]
"""Values by step."""


@dataclass(frozen=True)
class Facts:
    """None: not measured, or there is no such thing. Shares are between 0 and 1."""

    outcome: str
    loss: str
    negatives: str
    """Where hard negatives came from; "none" or "in_batch" when there were none."""
    n: int
    """Evaluation samples behind the verdict."""
    needed: int | None
    """Evaluation samples that would detect the smallest effect that counts."""
    best_step: int | None
    last_step: int
    losses: Curve
    """Of the training."""
    selection: Curve
    """Scores on the selection split, with the sign with which more is better."""
    untouched: float | None
    """The same of the untouched model."""
    learning_rate: float
    usual_rate: float | None
    """What base model, loss and model type suggest."""
    epochs: float
    train_rows: int
    batch_size: int
    active_dims: Mapping[str, float] | None
    """Mean active dimensions of a sparse model's vectors: "query", "corpus"."""
    in_batch: bool
    """Whether the loss takes the other rows of a batch as negatives."""
    truncated_share: float = 0.0
    """Texts longer than the model reads."""
    longer: str = ""
    """The override with which it reads nearly all of them; empty where it cannot."""
    max_steps: int | None = None
    """Where the training was cut short whatever its epochs; None: it was not."""
    limited: bool = False
    """Whether `dataset.limit` kept training rows back."""
    carvable: int | None = None
    """Rows that test samples are held out of; None: they are given."""
    range_min: int = 0
    """The first rank that negatives were mined from."""

    @property
    def first_loss(self) -> float | None:
        """In the middle of the first fifth: single batches say little, and the last one may be a small one."""
        return _middle(self.losses[: self._fifth])

    @property
    def course(self) -> tuple[float, float] | None:
        """The first and the last loss, where enough was logged to compare them."""
        first, last = self.first_loss, self.last_loss
        return (first, last) if first is not None and last is not None and len(self.losses) >= ENOUGH else None

    @property
    def last_loss(self) -> float | None:
        return _middle(self.losses[-self._fifth :])

    @property
    def _fifth(self) -> int:
        return max(1, len(self.losses) // 5)

    @property
    def loss_at_best(self) -> float | None:
        """In the middle of the logged steps around the best one."""
        best = self.best_step
        if best is None or not self.losses:
            return None
        place = min(range(len(self.losses)), key=lambda place: abs(self.losses[place][0] - best))
        return _middle(self.losses[max(0, place - 1) : place + 2])

    @property
    def best(self) -> float | None:
        return max((score for _, score in self.selection), default=None)

    @property
    def rivals(self) -> int:
        """Documents of other rows that each row is told apart from in a batch."""
        return min(self.batch_size, self.train_rows) - 1

    @property
    def guessing(self) -> float:
        """The loss of a model that guesses which of the documents of a batch belongs to a row."""
        return math.log(self.rivals + 1) if self.rivals > 0 else 0.0

    @property
    def lower_rate(self) -> float:
        """The usual one where it is lower by far, else a tenth."""
        usual = self.usual_rate
        return usual if usual is not None and self.learning_rate >= 2 * usual else self.learning_rate / 10

    @property
    def higher_rate(self) -> float:
        usual = self.usual_rate
        return usual if usual is not None and self.learning_rate <= usual / 2 else self.learning_rate * 5


def _middle(curve: Curve) -> float | None:
    return median(value for _, value in curve) if curve else None
