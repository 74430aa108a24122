"""A model cut to size scores what the library measures with the same cut, and is whole again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_evaluators import QUESTIONS, N, evaluator, rows
from tiny_models import Tiny

from stbench.cache import Store
from stbench.evaluation import sizes as module
from stbench.evaluation.sizes import Measured, measured, paired
from stbench.models.base import locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import build
from stbench.models.layers import keep_layers
from stbench.models.prompts import Prompts


@pytest.fixture
def encoder(tiny: Tiny) -> Callable[..., Any]:
    def made(kind: str = "masked", **more: Any) -> Any:
        base = locate(kind, None, str(getattr(tiny, kind)), None, None)
        return build(Blueprint("sentence_transformer", base, "cpu", **more), seed=4)

    return made


@pytest.mark.parametrize("kind", ["retrieval", "similarity", "binary", "triplet", "paraphrase_mining", "translation"])
def test_each_dimension_scores_as_with_the_librarys_truncate_dim(
    kind: str, encoder: Callable[..., Any], tmp_path: Path
) -> None:
    from datasets import Dataset

    pairs = Dataset.from_dict({name: rows("retrieval")[name] for name in ("anchor", "positive")})
    store = Store(tmp_path, "on")
    recorder = evaluator(kind, "sentence_transformer", store, rows=pairs if kind == "translation" else None)
    model = encoder()
    found = measured(model, recorder, (32, 8, 4), ())
    assert [(one.dim, one.layers) for one in found] == [(32, 2), (8, 2), (4, 2)]
    for one in found:
        with model.truncate_embeddings(one.dim):
            metrics = recorder(model)
        assert one.score == pytest.approx(metrics[recorder.primary_metric], abs=1e-6)
    assert len({one.score for one in found}) > 1


def test_each_number_of_layers_scores_as_a_model_of_that_many(encoder: Callable[..., Any], tmp_path: Path) -> None:
    recorder = evaluator("retrieval", "sentence_transformer", Store(tmp_path, "on"))
    model, before = encoder(), encoder().encode(QUESTIONS)
    whole, half = measured(model, recorder, (), (2, 1))
    assert ((whole.dim, whole.layers), (half.dim, half.layers)) == ((32, 2), (32, 1))
    assert half.parameters < whole.parameters == sum(one.numel() for one in model.parameters())
    short = encoder()
    keep_layers(short.transformers_model, [0])
    metrics = recorder(short)
    assert half.score == pytest.approx(metrics[recorder.primary_metric])
    assert half.score != whole.score
    assert np.array_equal(model.encode(QUESTIONS), before)
    assert model.transformers_model.config.num_hidden_layers == 2


def test_dimensions_and_layers_cross(encoder: Callable[..., Any], tmp_path: Path) -> None:
    recorder = evaluator("retrieval", "sentence_transformer", Store(tmp_path, "on"))
    found = measured(encoder(), recorder, (8, 32), (1, 2))
    assert [(one.dim, one.layers) for one in found] == [(32, 2), (8, 2), (32, 1), (8, 1)]


def test_static_embeddings_have_no_layers(encoder: Callable[..., Any], tmp_path: Path) -> None:
    recorder = evaluator("retrieval", "sentence_transformer", Store(tmp_path, "on"))
    found = measured(encoder("static"), recorder, (32, 4), (3,))
    assert [(one.dim, one.layers) for one in found] == [(32, None), (4, None)]


def test_texts_are_encoded_once_a_number_of_layers(encoder: Callable[..., Any], tmp_path: Path) -> None:
    seen: list[int] = []
    model = encoder()
    model[0].register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0]["input_ids"])))
    recorder = evaluator("retrieval", "sentence_transformer", Store(tmp_path, "on"))
    found = measured(model, recorder, (32, 16, 8, 4), ())
    assert sum(seen) == 2 * N
    assert len({one.seconds_per_1000 for one in found}) == 1
    assert found[0].seconds_per_1000 > 0


def test_a_corpus_too_large_to_keep_is_encoded_again(
    encoder: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, model = evaluator("retrieval", "sentence_transformer", Store(tmp_path, "on")), encoder()
    kept = measured(model, recorder, (32, 8), ())
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    again = measured(model, recorder, (32, 8), ())
    assert [one.score for one in again] == pytest.approx([one.score for one in kept])
    assert model.truncate_dim is None


def test_prompts_of_the_evaluator_are_those_of_each_size(encoder: Callable[..., Any], tmp_path: Path) -> None:
    recorder, model = evaluator("similarity", "sentence_transformer", Store(tmp_path, "on")), encoder()
    recorder.prompts = Prompts(text="which garden box ")
    (found,) = measured(model, recorder, (8,), ())
    with model.truncate_embeddings(8):
        metrics = recorder(model)
    assert found.score == pytest.approx(metrics[recorder.primary_metric], abs=1e-6)
    recorder.prompts = None
    assert measured(model, recorder, (8,), ())[0].score != found.score


def test_the_model_card_tells_of_the_whole_model(encoder: Callable[..., Any], tmp_path: Path) -> None:
    recorder, model = evaluator("retrieval", "sentence_transformer", Store(tmp_path, "on")), encoder()
    metrics = recorder(model)
    measured(model, recorder, (32, 4), (1,))
    assert model.model_card_data.eval_results_dict[recorder] == metrics


def test_sizes_stand_beside_those_of_the_untouched_model() -> None:
    before = (Measured(8, 2, 0.4, 9.0, 100), Measured(4, 2, 0.2, 9.0, 100))
    after = (Measured(8, 2, 0.5, 1.0, 100), Measured(4, 2, 0.3, 2.0, 100))
    first, second = paired(before, after)
    assert (first.score, first.baseline, first.bytes_per_document, first.seconds_per_1000) == (0.5, 0.4, 32, 1.0)
    assert (second.dim, second.baseline, second.name) == (4, 0.2, "4d.2l")
