from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from stbench.verdict.advice import advise
from stbench.verdict.facts import Facts

STEPS = range(100, 1001, 100)


def falling(first: float, last: float) -> list[tuple[int, float]]:
    return [(step, first + (last - first) * index / 9) for index, step in enumerate(STEPS)]


# A run with nothing left to advise: each test breaks one thing.
HEALTHY = Facts(
    outcome="MARGINAL", loss="contrastive", negatives="mined", n=2000, needed=1500, best_step=900, last_step=1000,
    losses=falling(2.0, 0.5), selection=[(step, 0.5 + step / 10_000 - (step == 1000) / 100) for step in STEPS],
    untouched=0.45, learning_rate=2e-5, usual_rate=2e-5, epochs=3, train_rows=5000, batch_size=64, active_dims=None,
    in_batch=True, truncated_share=0.01, longer="training.max_seq_length=512", carvable=9000,
)  # fmt: skip
PEAKED = {"best_step": 400, "selection": [(200, 0.55), (400, 0.6), (600, 0.58), (1000, 0.56)]}


def test_a_healthy_run_needs_no_advice() -> None:
    assert advise(HEALTHY) == []


@pytest.mark.parametrize(
    ("facts", "overrides", "figure"),
    [
        ({"active_dims": {"query": 40, "corpus": 5210.0}}, "training.epochs=6", "corpus vectors have 5,210"),
        (
            {"active_dims": {"query": 0.2, "corpus": 90.0}},
            "training.learning_rate=1e-05",
            "query vectors have 0.2",
        ),
        ({"untouched": 0.7}, "training.learning_rate=2e-06", "0.5900 at best, it has 0.7000"),
        ({"untouched": 0.7, "learning_rate": 2e-3}, "training.learning_rate=2e-05", "forget"),
        ({"losses": falling(0.5, 2.0)}, "training.learning_rate=2e-06", "loss rose (0.5833 to 1.917)"),
        ({"learning_rate": 2e-3}, "training.learning_rate=2e-05", "100 times what is usual"),
        ({"best_step": 1000}, "training.epochs=6", "step 1,000 of 1,000"),
        ({"best_step": 1000, "epochs": 0.5}, "training.epochs=1", "step 1,000 of 1,000"),
        ({"best_step": 100}, "training.learning_rate=1e-05 training.epochs=2", "step 100 of 1,000"),
        ({"best_step": 0, "epochs": 1}, "training.learning_rate=1e-05", "step 0 of 1,000"),
        (PEAKED, "training.epochs=2", "1.5 to 0.58) while the selection score fell too (0.6000 to 0.5600)"),
        ({**PEAKED, "best_step": 200, "limited": True}, "dataset.limit=null", "after step 200 of 1,000"),
        ({**PEAKED, "limited": True}, "dataset.limit=null", "5,000 rows were learnt by heart"),
        ({"losses": falling(2.0, 1.95)}, "training.learning_rate=0.0001", "1.997 to 1.953 in 1,000 steps"),
        ({"losses": falling(2.0, 1.95), "usual_rate": 1e-3}, "training.learning_rate=0.001", "too low"),
        ({"n": 300}, "dataset.test_size=1500", "300 samples"),
        ({"n": 300, "needed": 8000}, "dataset.test_size=3000", "8,000, of which a third of the 9,000 rows"),
        ({"negatives": "none"}, "negatives=mined", "63 chance negatives"),
        ({"negatives": "none", "train_rows": 30}, "negatives=mined", "29 chance negatives"),
        (
            {"negatives": "none", "losses": falling(2.0, 0.001)},
            "negatives=mined",
            "among 64 documents of a batch, where guessing gives 4.2",
        ),
        ({"losses": falling(2.0, 0.001), "range_min": 50}, "negatives.range_min=0", "too easy"),
        ({"losses": falling(2.0, -0.2), "in_batch": False}, "negatives.relative_margin=null", "from 1.9"),
        ({"truncated_share": 0.31}, "training.max_seq_length=512", "31% of the texts were cut off"),
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
        {"losses": [], "selection": [], "untouched": None},
        {"in_batch": False, "negatives": "none", "batch_size": 8},
        # Test rows that are given, or that are all there can be, are no more for the asking.
        {"n": 300, "carvable": None},
        {"n": 300, "carvable": 600},
        {"n": 300, "needed": 80_000},
        # A few batches differ by more than they teach.
        {"losses": falling(2.0, 1.99)[:5]},
        {"losses": falling(0.5, 2.0)[-5:]},
        # Learnt by heart, not too easy.
        {"losses": falling(2.0, 0.001), "train_rows": 60},
        # After the best checkpoint nothing was learnt, or nothing was lost.
        {**PEAKED, "losses": [(step, 1.0 + (step < 300)) for step in STEPS]},
        {**PEAKED, "selection": [(400, 0.6), (1000, 0.595)]},
        {**PEAKED, "epochs": 1},
        {"truncated_share": 0.31, "longer": ""},
        {"usual_rate": None, "learning_rate": 5.0},
        {"losses": falling(2.0, 0.001), "in_batch": False, "negatives": "none"},
    ],
)
def test_what_is_healthy_or_not_measured_gives_no_advice(facts: Mapping[str, object]) -> None:
    assert advise(replace(HEALTHY, **facts)) == []  # type: ignore[arg-type]


MANY = replace(
    HEALTHY, best_step=1000, losses=falling(2.0, 1.99), n=100, negatives="in_batch", batch_size=16, truncated_share=0.4
)


def test_the_three_strongest_in_order() -> None:
    chosen = [advice.overrides.partition("=")[0] for advice in advise(MANY)]
    assert chosen == ["training.learning_rate", "training.max_seq_length", "training.epochs"]


def test_texts_that_are_mostly_cut_come_before_more_of_the_same_training() -> None:
    def first(share: float) -> str:
        return advise(replace(HEALTHY, best_step=1000, truncated_share=share))[0].overrides

    assert (first(0.1), first(0.9)) == ("training.epochs=6", "training.max_seq_length=512")


def test_after_a_win_two_and_no_more_samples() -> None:
    chosen = [advice.overrides for advice in advise(replace(MANY, outcome="WIN", truncated_share=0.1))]
    assert chosen == ["training.epochs=6", "negatives=mined"]


def test_after_a_win_a_flat_loss_counts_only_where_the_rate_is_unusually_low() -> None:
    flat = replace(HEALTHY, outcome="WIN", losses=falling(2.0, 1.99))
    assert advise(flat) == []
    (advice,) = advise(replace(flat, usual_rate=1e-3))
    assert advice.overrides == "training.learning_rate=0.001"


def test_no_two_advices_contradict_each_other() -> None:
    (advice,) = advise(replace(HEALTHY, best_step=0, losses=falling(2.0, 2.0)))
    assert advice.overrides == "training.learning_rate=0.0001"


def test_a_training_cut_short_is_made_longer_by_its_steps() -> None:
    (advice,) = advise(replace(HEALTHY, best_step=20, last_step=20, max_steps=20))
    assert advice.overrides == "training.max_steps=40"


def test_where_less_is_better_figures_are_told_as_they_were_measured() -> None:
    (advice,) = advise(replace(HEALTHY, selection=[(step, -0.3) for step in STEPS], untouched=-0.2))
    assert "0.3000 at best, it has 0.2000" in advice.reason
