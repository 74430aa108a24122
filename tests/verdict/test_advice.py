from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from stbench.verdict.advice import Facts, advise

# A run with nothing left to advise: each test breaks one thing.
HEALTHY = Facts(
    outcome="MARGINAL", model_type="sentence_transformer", loss="contrastive", negatives="mined", n=2000,
    needed=1500, best_step=600, last_step=1000, first_loss=2.0, last_loss=0.5, learning_rate=2e-5, epochs=3,
    train_rows=5000, batch_size=64, truncated_share=0.01, active_dims=None, in_batch=True, max_seq_length=256,
)  # fmt: skip


def test_a_healthy_run_needs_no_advice() -> None:
    assert advise(HEALTHY) == []


@pytest.mark.parametrize(
    ("facts", "overrides", "figure"),
    [
        ({"last_loss": math.nan}, "training.learning_rate=2e-06", "nan"),
        ({"active_dims": {"query": 40, "corpus": 5210.0}}, "training.epochs=6", "corpus vectors have 5,210"),
        (
            {"active_dims": {"query": 0.2, "corpus": 90.0}},
            "training.learning_rate=1e-05",
            "query vectors have 0.2",
        ),
        ({"best_step": 1000}, "training.epochs=6", "step 1,000 of 1,000"),
        ({"best_step": 1000, "epochs": 0.5}, "training.epochs=1", "step 1,000 of 1,000"),
        ({"best_step": 100}, "training.learning_rate=1e-05 training.epochs=2", "step 100 of 1,000"),
        ({"best_step": 0, "epochs": 1}, "training.learning_rate=1e-05", "step 0 of 1,000"),
        ({"last_loss": 1.99}, "training.learning_rate=0.0001", "2 to 1.99 in 1,000 steps"),
        ({"n": 300}, "dataset.test_size=1500", "300 samples"),
        ({"negatives": "none"}, "negatives=mined", "63 chance negatives"),
        ({"batch_size": 16}, "training.batch_size=128", "only 15 negatives"),
        ({"batch_size": 16, "train_rows": 400}, "training.batch_size=32", "batch of 16"),
        (
            {"truncated_share": 0.31},
            "training.max_seq_length=512",
            "31% of the texts were cut off at 256 tokens",
        ),
        ({"truncated_share": 0.31, "max_seq_length": None}, "training.max_seq_length=512", "31%"),
    ],
)
def test_each_rule_names_the_option_and_the_figure(facts: Mapping[str, object], overrides: str, figure: str) -> None:
    (advice,) = advise(replace(HEALTHY, **facts))  # type: ignore[arg-type]
    assert advice.overrides == overrides
    assert figure in advice.reason


@pytest.mark.parametrize(
    "facts",
    [
        {"active_dims": {"query": 40.0, "corpus": 190.0}},
        {"needed": None},
        {"best_step": None},
        {"best_step": 0, "last_step": 0},
        {"first_loss": None},
        {"in_batch": False, "negatives": "none", "batch_size": 8},
        {"batch_size": 16, "train_rows": 150},
    ],
)
def test_what_is_healthy_or_not_measured_gives_no_advice(facts: Mapping[str, object]) -> None:
    assert advise(replace(HEALTHY, **facts)) == []  # type: ignore[arg-type]


MANY = replace(HEALTHY, best_step=1000, last_loss=1.99, n=100, negatives="in_batch", batch_size=16, truncated_share=0.4)


def test_the_three_strongest_in_order() -> None:
    chosen = [advice.overrides.partition("=")[0] for advice in advise(MANY)]
    assert chosen == ["training.epochs", "training.learning_rate", "dataset.test_size"]


def test_after_a_win_two_and_no_more_samples() -> None:
    chosen = [advice.overrides for advice in advise(replace(MANY, outcome="WIN", last_loss=0.5))]
    assert chosen == ["training.epochs=6", "negatives=mined"]


def test_no_two_advices_contradict_each_other() -> None:
    (advice,) = advise(replace(HEALTHY, best_step=0, last_loss=2.0))
    assert advice.overrides.startswith("training.learning_rate=1e-05")


def test_a_training_cut_short_is_made_longer_by_its_steps() -> None:
    (advice,) = advise(replace(HEALTHY, best_step=20, last_step=20, max_steps=20))
    assert advice.overrides == "training.max_steps=40"
