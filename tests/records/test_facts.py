"""From plan, training and audit to what is known for advice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stbench.audit.finding import Audit, Finding
from stbench.data.splits import Splits
from stbench.evaluation.scores import Scores
from stbench.records.facts import facts_of
from stbench.training.train import Trained
from stbench.verdict.facts import Facts
from stbench.verdict.judge import judge

if TYPE_CHECKING:
    from stbench.plan.plan import Plan

HISTORY = ({"step": 1, "loss": 2.0}, {"step": 2, "score": 0.5}, {"step": 2, "loss": 1.0})
TRAINED = Trained(HISTORY, best_step=2, last_step=2, rows=8, seconds=1.0, seconds_to_first_step=0.5)


def scores(value: float, **more: Any) -> Scores:
    samples = {"id": np.array([f"q{i}" for i in range(12)]), "value": np.linspace(0, 2 * value, 12)}
    return Scores("ndcg@10", {"ndcg@10": value}, "mean", samples, **more)


def splits(**whole: int) -> Splits:
    from datasets import Dataset

    rows = Dataset.from_dict({"anchor": ["a"] * 8, "positive": ["b"] * 8})
    return Splits(rows, rows, rows, "pair", whole={name: Dataset.from_dict({"anchor": ["a"] * size}) for name, size in whole.items()})  # fmt: skip


@pytest.fixture
def told(plan_of: Callable[..., Plan], data: Mapping[str, Path]) -> Callable[..., Facts]:
    def made(
        *words: str, rows: Splits | None = None, audit: Audit | None = None, selection: Scores | None = None,
        **training: Any,
    ) -> Facts:  # fmt: skip
        plan = plan_of("dataset=files", f"dataset.train={data['pair']}", *words)
        plan = replace(plan, training=replace(plan.training, **training))
        verdict = judge(scores(0.25), scores(0.75), resamples=200)
        return facts_of(plan, verdict, selection or scores(0.3), TRAINED, rows or splits(train=30), audit)

    return made


def test_curves_have_their_steps(told: Callable[..., Facts]) -> None:
    facts = told()
    assert (facts.losses, facts.selection, facts.untouched) == ([(1, 2.0), (2, 1.0)], [(2, 0.5)], 0.3)


def test_where_less_is_better_the_sign_turns(told: Callable[..., Facts]) -> None:
    facts = told(selection=scores(0.3, greater_is_better=False))
    assert (facts.selection, facts.untouched) == ([(2, -0.5)], -0.3)


def test_the_usual_rate_is_known_beside_the_one_that_was_asked_for(told: Callable[..., Facts]) -> None:
    assert (told().learning_rate, told().usual_rate) == (0.03, 0.03)
    facts = told("training.learning_rate=7")
    assert (facts.learning_rate, facts.usual_rate) == (7.0, 0.03)


def test_rows_that_were_kept_back_are_known(told: Callable[..., Facts]) -> None:
    assert told("dataset.limit=8").limited
    assert not told("dataset.limit=8", rows=splits(train=8)).limited
    assert not told().limited


def test_test_samples_can_only_be_held_out_of_rows_that_are_all_of_one_split(told: Callable[..., Facts]) -> None:
    assert told().carvable == 30
    assert told(rows=splits(train=30, test=5)).carvable is None
    assert told(rows=splits(train=30, validation=5)).carvable is None


def test_what_cuts_texts_comes_with_the_length_that_would_not(told: Callable[..., Facts]) -> None:
    cut = Finding("truncated", 3, 10, "texts", "are long", override="training.max_seq_length=512")
    facts = told(audit=Audit((cut,)))
    assert (facts.truncated_share, facts.longer) == (0.3, "training.max_seq_length=512")
    assert (told().truncated_share, told().longer) == (0.0, "")


def test_mined_negatives_bring_the_rank_they_begin_at(told: Callable[..., Facts]) -> None:
    facts = told("negatives=mined", "negatives.range_min=4")
    assert (facts.negatives, facts.range_min) == ("mined", 4)
    assert (told().negatives, told().range_min) == ("none", 0)


@pytest.mark.parametrize(("max_steps", "known"), [(None, None), (2, 2), (99, None)])
def test_a_training_was_cut_short_where_it_ended(
    told: Callable[..., Facts], max_steps: int | None, known: int | None
) -> None:
    assert told(max_steps=max_steps).max_steps == known
