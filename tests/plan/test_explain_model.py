from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stbench.models.blueprint import AdapterChoice, Blueprint
from stbench.plan.explain_model import explain_model

ENCODER = {"pooling": "mean"}


@pytest.fixture
def lines(a_base: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    def told(
        type_: Any = "sentence_transformer", base: dict[str, Any] | None = None, rows: int = 5000, **more: Any
    ) -> dict[str, str]:
        decisions = explain_model(Blueprint(type_, a_base(**(base or {})), "cpu", **more), rows)
        return {decision.what: f"{decision.value} | {decision.why}" for decision in decisions}

    return told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"pooling": "mean"}, "encoder → mean pooling | usual for an encoder"),
        ({"pooling": "cls"}, "encoder → cls pooling | as said"),
        ({"pooling": "lasttoken", "base": {"architecture": "decoder"}}, "decoder → lasttoken pooling | usual for a decoder"),
        (
            {"pooling": "mean", "base": {"type": "cross_encoder", "modules": ("Transformer",)}},
            "usual for an encoder; the base was saved as a cross_encoder",
        ),
        (
            {"base": {"type": "sentence_transformer", "modules": ("Transformer", "Pooling")}},
            "Transformer → Pooling | encoder; modules as the base model's folder says",
        ),
        ({"base": {"architecture": "static", "type": "sentence_transformer"}}, "static token embeddings"),
        ({"type_": "cross_encoder"}, "cross-encoder (encoder), 1 label(s), identity activation | its head starts UNTRAINED"),
        ({"type_": "sparse_encoder"}, "SPLADE: max-pooled masked-LM logits | its masked-LM head is trained"),
        (
            {"type_": "sparse_encoder", "architecture": "csr", "pooling": "mean"},
            "CSR: sparse auto-encoder over the pooled vector (encoder, mean pooling) | its auto-encoder starts UNTRAINED",
        ),
        (
            {"type_": "multi_vector_encoder", "embedding_dim": 24},
            "token vectors of 24 dimensions, MaxSim | its projection starts UNTRAINED",
        ),
        (
            {"type_": "multi_vector_encoder", "embedding_dim": 24, "base": {"type": "multi_vector_encoder", "projected": 48}},
            "token vectors of 48 dimensions, MaxSim | its projection is trained",
        ),
    ],
)  # fmt: skip
def test_the_plan_says_which_architecture_it_is(
    given: dict[str, Any], told: str, lines: Callable[..., dict[str, str]]
) -> None:
    assert lines(**given)["architecture"].startswith(told) or told in lines(**given)["architecture"]


def test_what_was_put_on_top_and_taken_out_is_told_with_its_size(lines: Callable[..., dict[str, str]]) -> None:
    tensors = {f"layer.{layer}.weight": (500, 1000) for layer in range(2)}
    found = lines(base={"tensors": tensors}, projection=16, normalize=True, layers=(1,), pooling="mean")
    assert found["layers"] == "1 of 2 | the others are taken out: 0.5 M parameters"
    assert found["projection"].startswith("64 → 16 dimensions | a new dense layer: starts UNTRAINED")
    assert found["normalisation"].startswith("vectors of length 1")
    assert not {"layers", "projection", "normalisation"} & lines(pooling="mean").keys()


@pytest.mark.parametrize(("rows", "warns"), [(5000, "far too few"), (500_000, "are few"), (1_000_000, "")])
def test_random_vectors_on_little_data_are_warned_of(
    rows: int, warns: str, lines: Callable[..., dict[str, str]]
) -> None:
    random = {"architecture": "static", "static": "random"}
    assert (
        (warns in lines(base=random, rows=rows)["warning"]) if warns else "warning" not in lines(base=random, rows=rows)
    )
    assert "warning" not in lines(base={"architecture": "static", "static": "wordllama"}, rows=rows)
    assert "UNTRAINED" in lines(base=random)["architecture"]


def test_the_adapter_is_told_with_its_share(lines: Callable[..., dict[str, str]]) -> None:
    base = {"parameters": 1_000_000, "tensors": {"layer.0.query.weight": (500, 1000)}}
    told = lines(base=base, pooling="mean", adapter=AdapterChoice(4, 8, 0.0))["adapter"]
    assert told.startswith("LoRA of rank 4, alpha 8; trains about 6,000 parameters, 0.60%")
    assert "4 bits" in lines(base=base, adapter=AdapterChoice(4, 8, 0.0, bits=4), pooling="mean")["adapter"]
    assert lines(base=base, adapter=AdapterChoice(4, 8, 0.0, dora=True), pooling="mean")["adapter"].startswith("DoRA")
