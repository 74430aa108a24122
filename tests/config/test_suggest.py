from __future__ import annotations

import pytest

from stbench.config.suggest import closest, did_you_mean

NAMES = ["cross_encoder", "sentence_transformer", "sparse_encoder"]


@pytest.mark.parametrize("word", ["cross_encodr", "Cross-Encoder", "crossencoder", "cross"])
def test_case_separators_and_single_letters_count_little(word: str) -> None:
    assert closest(word, NAMES) == "cross_encoder"


@pytest.mark.parametrize("word", ["qqqq", ""])
def test_nothing_is_offered_for_a_word_that_is_like_none(word: str) -> None:
    assert closest(word, NAMES) is None


def test_of_several_names_that_contain_the_word_the_shortest_is_offered() -> None:
    assert closest("rate", ["training.learning_rate", "loss.suggests.learning_rate"]) == "training.learning_rate"


def test_the_offer_is_written_as_it_can_be_typed() -> None:
    assert did_you_mean("sparse_encodr", NAMES, "model={}") == "did you mean model=sparse_encoder?"


def test_where_nothing_is_like_it_everything_is_listed_in_order() -> None:
    assert did_you_mean("qqqq", ["b", "a"], "model={}") == "choose one of: a, b"
