from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stbench.models.blueprint import AdapterChoice, Blueprint

LAYERS = {f"encoder.layer.{layer}.weight": (10, 10) for layer in range(2)} | {"embeddings.weight": (5, 10)}


@pytest.fixture
def blueprint(a_base: Callable[..., Any]) -> Callable[..., Blueprint]:
    def made(type_: Any = "sentence_transformer", base: dict[str, Any] | None = None, **more: Any) -> Blueprint:
        return Blueprint(type_, a_base(**(base or {})), "cpu", **more)

    return made


@pytest.mark.parametrize(
    ("type_", "given", "dimensions"),
    [
        ("sentence_transformer", {}, 64),
        ("sentence_transformer", {"projection": 16}, 16),
        ("sentence_transformer", {"base": {"type": "sentence_transformer", "projected": 48}}, 64),
        (
            "sentence_transformer",
            {"base": {"type": "sentence_transformer", "modules": ("Transformer", "Pooling", "Dense"), "projected": 48}},
            48,
        ),
        ("sparse_encoder", {}, 1000),
        ("sparse_encoder", {"architecture": "csr"}, 256),
        ("multi_vector_encoder", {"embedding_dim": 24}, 24),
        ("multi_vector_encoder", {"embedding_dim": 24, "base": {"type": "multi_vector_encoder", "projected": 48}}, 48),
    ],
)
def test_the_size_of_what_comes_out_is_known_beforehand(
    type_: Any, given: dict[str, Any], dimensions: int, blueprint: Callable[..., Blueprint]
) -> None:
    assert blueprint(type_, **given).dimensions == dimensions


def test_parameters_follow_layers_and_projection(blueprint: Callable[..., Blueprint]) -> None:
    base = {"tensors": LAYERS, "parameters": 250}
    assert blueprint(base=base).parameters == 250
    assert blueprint(base=base, layers=(1,)).parameters == 150
    assert blueprint(base=base, layers=(1,), projection=2).parameters == 150 + 2 * 64
    assert blueprint(base={"parameters": 0}, projection=2).parameters == 0


def test_whatever_is_built_differently_has_another_identity(blueprint: Callable[..., Blueprint]) -> None:
    plain = blueprint()
    changes: list[dict[str, Any]] = [
        {"type": "cross_encoder"}, {"device": "cuda"}, {"max_seq_length": 9}, {"pooling": "cls"}, {"num_labels": 2},
        {"activation": "sigmoid"}, {"architecture": "csr"}, {"embedding_dim": 3}, {"normalize": True},
        {"projection": 16}, {"layers": (0,)},
    ]  # fmt: skip
    adapter = AdapterChoice(4, 8, 0.0)
    changes.append({"adapter": replace(adapter, bits=4)})
    found = [replace(plain, **change).identity() for change in changes]
    assert replace(plain, adapter=adapter).identity() == plain.identity()
    assert plain.identity() == blueprint().identity()
    assert all(found.count(identity) == 1 for identity in [*found, plain.identity()] if identity != plain.identity())
    assert plain.identity() not in found
