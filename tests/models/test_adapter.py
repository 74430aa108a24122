"""Adapters under every model type: what is trained, what the plan says of it, and that merging changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.errors import Failed
from stbench.models import adapter as module
from stbench.models.adapter import linear_names, merge_adapter, trainable_parameters, trained_parameters
from stbench.models.base import locate
from stbench.models.blueprint import AdapterChoice, Blueprint
from stbench.models.build import build, reload

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

TYPES = ("sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder")
TEXTS = ["red", "what is thing number 3?", "thing number 3 is a plant"]
LORA = AdapterChoice(rank=4, alpha=8, dropout=0.1)
QLORA = AdapterChoice(rank=4, alpha=8, dropout=0.1, bits=4)


def blueprint(folder: Path, type_: ModelType = "sentence_transformer", **more: Any) -> Blueprint:
    base = locate("tiny", None, str(folder), None, None)
    csr = {"architecture": "csr"} if type_ == "sparse_encoder" and not base.mlm_head else {}
    return Blueprint(type_, base, "cpu", **{"adapter": LORA, **csr, **more})


def outputs(model: Any, type_: ModelType) -> Any:
    model.eval()
    if type_ == "cross_encoder":
        return model.predict([("green", text) for text in TEXTS])
    found = model.encode(TEXTS)
    return np.concatenate([np.asarray(item) for item in (found.to_dense() if type_ == "sparse_encoder" else found)])


def shake(model: Any) -> None:
    """As if it had been trained: all that trains is somewhere else."""
    import torch

    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def trained_names(model: Any) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("kind", ["masked", "pooled", "half", "decoder"])
@pytest.mark.parametrize("type_", TYPES)
def test_an_untrained_adapter_changes_nothing_and_a_trained_one_is_merged_exactly(
    tiny: Tiny, tmp_path: Path, kind: str, type_: ModelType
) -> None:
    import torch

    plan = blueprint(getattr(tiny, kind), type_)
    model = build(plan, 1)
    plain = build(blueprint(getattr(tiny, kind), type_, adapter=None), 1)
    assert np.abs(outputs(model, type_) - outputs(plain, type_)).max() < 1e-6
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    shake(model)
    measured = outputs(model, type_)
    assert np.abs(measured - outputs(plain, type_)).max() > 1e-3
    merge_adapter(model)
    model.save_pretrained(str(tmp_path / "model"))
    assert not (tmp_path / "model" / "adapter_config.json").exists()
    again = reload(type_, tmp_path / "model", "cpu")
    assert np.abs(outputs(again, type_) - measured).max() < 1e-4


@pytest.mark.parametrize("kind", ["masked", "pooled", "decoder"])
@pytest.mark.parametrize("type_", TYPES)
def test_the_plan_knows_how_much_is_trained(tiny: Tiny, kind: str, type_: ModelType) -> None:
    plan = blueprint(getattr(tiny, kind), type_)
    found, whole = trained_parameters(build(plan, 1))
    assert trainable_parameters(plan) == pytest.approx(found, rel=0.35)
    assert found < 0.5 * whole or type_ == "sparse_encoder"


def test_of_a_bi_encoder_exactly_the_adapter_is_trained(tiny: Tiny) -> None:
    for choice in (LORA, AdapterChoice(2, 4, 0, targets=("query",)), AdapterChoice(4, 8, 0, dora=True)):
        plan = blueprint(tiny.plain, adapter=choice)
        model = build(plan, 1)
        assert trainable_parameters(plan) == trained_parameters(model)[0]
        assert all("lora_" in name and "layer." in name for name in trained_names(model))
    pruned = blueprint(tiny.plain, layers=(1,), projection=8)
    assert trainable_parameters(pruned) == trained_parameters(build(pruned, 1))[0]


@pytest.mark.parametrize(
    ("type_", "kind", "head"),
    [
        ("cross_encoder", "masked", "classifier.modules_to_save"),
        ("cross_encoder", "masked", "pooler.modules_to_save"),
        ("cross_encoder", "decoder", "score.modules_to_save"),
        ("sparse_encoder", "masked", "predictions.transform.dense.lora_A"),
        ("sparse_encoder", "decoder", "encoder.weight"),
        ("multi_vector_encoder", "plain", "linear.weight"),
    ],
)
def test_heads_stay_trained(tiny: Tiny, type_: ModelType, kind: str, head: str) -> None:
    assert any(head in name for name in trained_names(build(blueprint(getattr(tiny, kind), type_), 1)))


def test_a_masked_lm_head_that_starts_untrained_is_trained_as_a_whole(tiny: Tiny) -> None:
    names = trained_names(build(blueprint(tiny.plain, "sparse_encoder", architecture="splade"), 1))
    assert any("transform.dense.modules_to_save" in name for name in names)
    assert any("transform.LayerNorm.modules_to_save" in name for name in names)
    assert not any("embeddings" in name for name in names)


@pytest.mark.parametrize("choice", [LORA, QLORA], ids=["lora", "qlora"])
@pytest.mark.parametrize("type_", TYPES)
def test_the_adapter_alone_loads_as_long_as_its_base_is_there(
    tiny: Tiny, tmp_path: Path, type_: ModelType, choice: AdapterChoice
) -> None:
    from stbench.models.parts import loaded_as

    plan = blueprint(tiny.masked, type_, adapter=choice)
    model = build(plan, 1)
    shake(model)
    measured = outputs(model, type_)
    model.save_pretrained(str(tmp_path / "adapter"))
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    again = reload(type_, tmp_path / "adapter", "cpu", **loaded_as(plan))
    assert np.abs(outputs(again, type_) - measured).max() < 1e-4


@pytest.mark.parametrize("kind", ["masked", "decoder"])
@pytest.mark.parametrize("type_", TYPES)
def test_frozen_weights_are_in_four_bits_and_merged_out_of_them(
    tiny: Tiny, tmp_path: Path, kind: str, type_: ModelType
) -> None:
    import torch

    plan = blueprint(getattr(tiny, kind), type_, adapter=QLORA)
    model = build(plan, 1)
    small = {name for name, parameter in model.named_parameters() if parameter.dtype == torch.uint8}
    assert small
    assert all("base_layer" in name and ("layer." in name or "layers." in name) for name in small)
    shake(model)
    measured = outputs(model, type_)
    merge_adapter(model)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    model.save_pretrained(str(tmp_path / "model"))
    again = reload(type_, tmp_path / "model", "cpu")
    assert np.abs(outputs(again, type_) - measured).max() < 1e-4
    assert "quantization_config" not in (tmp_path / "model" / "config.json").read_text(encoding="utf-8")


def test_gradients_reach_the_adapter_where_activations_are_computed_twice(tiny: Tiny) -> None:
    model: Any = build(blueprint(tiny.plain), 1)
    model.gradient_checkpointing_enable({"use_reentrant": True})
    model.train()
    model(model.preprocess(TEXTS))["sentence_embedding"].sum().backward()
    moved = [
        parameter.grad for name, parameter in model.named_parameters() if "lora_B" in name and "pooler" not in name
    ]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in moved)


def test_a_model_that_trains_something_else_than_was_planned_fails(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "trainable_parameters", lambda _: 10**9)
    with pytest.raises(Failed, match="where the plan said"):
        build(blueprint(tiny.plain), 1)


def test_names_of_linear_modules_are_known_from_the_files(tiny: Tiny) -> None:
    found = linear_names(blueprint(tiny.decoder).base)
    assert found == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert linear_names(blueprint(tiny.masked).base) == ["dense", "key", "query", "value"]
