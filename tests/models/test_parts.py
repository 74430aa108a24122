"""What is put on top of a base model: projection and normalisation; and how decoders are padded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.models.base import locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import build, reload

TEXTS = ["red", "what is thing number 3?", "thing number 3 is a plant of which nothing is known"]


def built(folder: Path, **more: Any) -> Any:
    return build(Blueprint("sentence_transformer", locate("tiny", None, str(folder), None, None), "cpu", **more), 1)


def names(model: Any) -> list[str]:
    return [type(module).__name__ for module in model]


@pytest.mark.parametrize(
    ("kind", "more", "modules"),
    [
        ("plain", {"normalize": True}, ["Transformer", "Pooling", "Normalize"]),
        ("plain", {"projection": 8}, ["Transformer", "Pooling", "Dense"]),
        ("pooled", {"projection": 8, "normalize": True}, ["Transformer", "Pooling", "Dense", "Normalize"]),
        ("static", {"projection": 8, "normalize": True}, ["StaticEmbedding", "Dense", "Normalize"]),
        ("decoder", {"projection": 8}, ["Transformer", "Pooling", "Dense"]),
    ],
)
def test_modules_on_top_are_saved_and_loaded(
    tiny: Tiny, tmp_path: Path, kind: str, more: dict[str, Any], modules: list[str]
) -> None:
    model = built(getattr(tiny, kind), **more)
    assert names(model) == modules
    model.save_pretrained(str(tmp_path / "model"))
    again = reload("sentence_transformer", tmp_path / "model", "cpu")
    assert names(again) == modules
    first, second = model.encode(TEXTS), again.encode(TEXTS)
    assert np.abs(first - second).max() < 1e-5
    assert first.shape[1] == more.get("projection", 32)
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5) == bool(more.get("normalize"))


def test_a_projection_goes_before_the_normalisation_that_is_there(tiny: Tiny, tmp_path: Path) -> None:
    built(tiny.plain, normalize=True).save_pretrained(str(tmp_path / "model"))
    model = built(tmp_path / "model", projection=8)
    assert names(model) == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert np.allclose(np.linalg.norm(model.encode(TEXTS), axis=1), 1, atol=1e-5)


def test_normalisation_can_be_taken_away_and_is_not_doubled(tiny: Tiny, tmp_path: Path) -> None:
    built(tiny.plain, normalize=True).save_pretrained(str(tmp_path / "model"))
    assert names(built(tmp_path / "model", normalize=False)) == ["Transformer", "Pooling"]
    assert names(built(tmp_path / "model", normalize=True)) == ["Transformer", "Pooling", "Normalize"]
    assert names(built(tmp_path / "model")) == ["Transformer", "Pooling", "Normalize"]
