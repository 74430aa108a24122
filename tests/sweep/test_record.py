"""A sweep is what is asked: its folder stays the same when values are added, and is another for another question."""

from __future__ import annotations

from hydra.core.override_parser.overrides_parser import OverridesParser

from stbench.sweep.record import folder_of


def name(*words: str) -> str:
    return folder_of(OverridesParser.create().parse_overrides(list(words))).name


RATES = "training.learning_rate=1,2"


def test_the_name_says_what_varies() -> None:
    assert name(RATES, "loss=contrastive,triplet").startswith("sweep-loss-training.learning_rate-")


def test_more_values_and_another_order_are_the_same_sweep() -> None:
    assert name(RATES, "seed=1,2", "model=a") == name("model=a", "seed=4,5", "training.learning_rate=1,2,3")


def test_another_fixed_word_is_another_sweep() -> None:
    assert name(RATES, "model=a") != name(RATES, "model=b")
    assert name(RATES) != name("training.batch_size=1,2")


def test_what_changes_no_number_makes_no_other_sweep() -> None:
    silent = ["plan=only", "force=true", "cache=off", "tracker=none", "tracker.uri=x", "hydra.launcher.slots=2"]
    assert name(RATES, *silent, "verdict.fail_on=not_win", "hydra/launcher=basic") == name(RATES)
    assert name(RATES, "verdict.min_effect=0.1") != name(RATES)
