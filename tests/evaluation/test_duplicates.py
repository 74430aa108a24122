"""Average precision as the mean over the true pairs, ties and pairs that were not mined included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from small_evaluators import choice, evaluator, model, rows

from stbench.cache import Store
from stbench.data.splits import content_hash
from stbench.evaluation.duplicates import BETWEEN, precisions


@pytest.mark.parametrize("decimals", [1, 6])
def test_the_mean_over_true_pairs_is_average_precision(decimals: int) -> None:
    generator = np.random.default_rng(decimals)
    scores = np.sort(np.round(generator.random(60), decimals))[::-1]
    names = [f"pair {i}" for i in range(60)]
    true = set(generator.choice(names, 15, replace=False))
    found = precisions(list(scores), names, true)
    assert found.keys() == true
    expected = average_precision_score([name in true for name in names], scores)
    assert np.mean(list(found.values())) == pytest.approx(expected)


def test_a_true_pair_that_was_not_mined_counts_as_nothing(tmp_path: Path) -> None:
    arguments = {"max_pairs": 3}
    store = Store(tmp_path, "on")
    recorder = evaluator("paraphrase_mining", "sentence_transformer", store, arguments=arguments)
    metrics = recorder(model("sentence_transformer", "paraphrase_mining"))
    values = recorder.outcomes["average_precision"]
    assert np.count_nonzero(values) <= 3 < len(values)
    assert values.mean() == pytest.approx(metrics["test_average_precision"])


def test_samples_are_the_true_pairs(tmp_path: Path) -> None:
    recorder = evaluator("paraphrase_mining", "sentence_transformer", Store(tmp_path, "on"))
    recorder(model("sentence_transformer", "paraphrase_mining"))
    true = [row for row in rows("paraphrase_mining") if row["label"] == 1]
    pairs = [sorted((content_hash(row["anchor"]), content_hash(row["positive"]))) for row in true]
    assert list(recorder.outcomes["id"]) == [BETWEEN.join(pair) for pair in pairs]
    assert recorder.total_num_duplicates == len(pairs)
    assert choice("paraphrase_mining").shapes
