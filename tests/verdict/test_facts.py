"""What single figures of a run come to."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from stbench.verdict.facts import Facts

FACTS = Facts(
    outcome="MARGINAL", loss="contrastive", negatives="mined", n=2000, needed=1500, best_step=50, last_step=100,
    losses=[(step, 2.0 - step / 100) for step in range(5, 101, 5)], selection=[(50, 0.6), (100, 0.55)], untouched=0.5,
    learning_rate=2e-5, usual_rate=2e-5, epochs=3, train_rows=5000, batch_size=64, active_dims=None, in_batch=True,
)  # fmt: skip


def test_one_odd_batch_does_not_decide_what_the_loss_was() -> None:
    odd = [
        (1, 9.0),
        (2, 2.0),
        (3, 2.1),
        (4, 2.0),
        *[(step, 1.0) for step in range(5, 16)],
        *[(16, 0.5)] * 4,
        (20, 0.01),
    ]
    facts = replace(FACTS, losses=odd)
    assert facts.first_loss == pytest.approx(2.05)
    assert facts.last_loss == 0.5


def test_the_loss_at_the_best_checkpoint_is_that_of_the_steps_around_it() -> None:
    assert FACTS.loss_at_best == pytest.approx(1.5)
    assert replace(FACTS, best_step=None).loss_at_best is None


def test_what_was_not_logged_is_not_known() -> None:
    bare = replace(FACTS, losses=[], selection=[])
    assert (bare.first_loss, bare.last_loss, bare.loss_at_best, bare.best) == (None, None, None, None)


def test_a_batch_has_no_more_rivals_than_there_are_rows() -> None:
    assert FACTS.rivals == 63
    assert replace(FACTS, train_rows=10).rivals == 9
    assert FACTS.guessing == pytest.approx(math.log(64))
    assert replace(FACTS, batch_size=1).guessing == 0.0


@pytest.mark.parametrize(
    ("rate", "usual", "lower", "higher"),
    [
        (1.0, 0.03, 0.03, 5.0),
        (0.03, 0.03, 0.003, 0.15),
        (1e-4, 0.03, 1e-5, 0.03),
        (1.0, None, 0.1, 5.0),
    ],
)  # fmt: skip
def test_the_usual_rate_comes_before_a_multiple(rate: float, usual: float | None, lower: float, higher: float) -> None:
    facts = replace(FACTS, learning_rate=rate, usual_rate=usual)
    assert (facts.lower_rate, facts.higher_rate) == (pytest.approx(lower), pytest.approx(higher))
