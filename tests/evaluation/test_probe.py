"""The probe learns from other texts than those it is asked about, and the library counts what it got right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_evaluators import ANSWERS, QUESTIONS, N, evaluator, model

from stbench.cache import Store
from stbench.errors import Refused
from stbench.evaluation.probe import described, folds_of, labelled_texts, predictions


def test_the_library_counts_what_the_probe_predicts(tmp_path: Path) -> None:
    recorder = evaluator("label_accuracy", "sentence_transformer", Store(tmp_path, "on"))
    encoder = model("sentence_transformer", "label_accuracy")
    metrics = recorder(encoder)
    prediction, target = recorder.outcomes["prediction"], recorder.outcomes["target"]
    assert recorder.primary_metric == "test_accuracy"
    assert metrics == {"test_accuracy": pytest.approx((prediction == target).mean())}
    assert list(target) == [i * 5 % 3 for i in range(N)]
    # The kind of thing is written in each answer, so it can be read from its embedding.
    assert metrics["test_accuracy"] > 0.6
    vectors = described([encoder.encode(QUESTIONS), encoder.encode(ANSWERS)])
    assert list(predictions(vectors, target, np.array(folds_of(QUESTIONS)))) == list(prediction)


def test_classes_that_nothing_tells_apart_are_guessed() -> None:
    generator = np.random.default_rng(0)
    vectors, labels = generator.normal(size=(400, 8)), generator.integers(0, 2, 400)
    found = predictions(vectors, labels, np.arange(400) % 5)
    assert 0.4 < (found == labels).mean() < 0.6


def test_a_row_is_never_learnt_from_before_it_is_asked_about() -> None:
    """One row of each class a fold: whoever had seen the row would know its label, a fair probe gets it wrong."""
    vectors = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    labels = np.array([0, 1, 0, 1])
    assert list(predictions(vectors, labels, np.array([0, 1, 1, 0]))) == [1, 0, 1, 0]


def test_equal_texts_are_in_one_fold() -> None:
    texts = [f"text {i % 10}" for i in range(40)]
    folds = folds_of(texts)
    assert folds == folds_of(texts[::-1])[::-1]
    assert len(set(zip(texts, folds, strict=True))) == 10
    assert set(folds) == {0, 1, 2, 3, 4}


def test_single_texts_and_pairs_are_described() -> None:
    first, second = np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]])
    assert described([first]) is first
    assert described([first, second]).tolist() == [[1, 2, 3, 1, 2, 1]]


@pytest.mark.parametrize(("texts", "labels"), [(["a", "a"], [0, 1]), (["a", "b"], [1, 1])])
def test_too_little_to_learn_from_is_refused(texts: list[str], labels: list[int]) -> None:
    with pytest.raises(Refused, match="too few"):
        labelled_texts([texts], labels, 8)
