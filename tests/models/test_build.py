"""Each model type out of each kind of base model: what is built, in which type of number, and from which seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tiny_models import Tiny

from stbench.models.base import Base, locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import build, reload
from stbench.models.parts import default_pooling

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

TYPES = ("sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder")
TEXTS = ["what is thing number 3?", "thing number 3 is a plant"]


def based(folder: Path) -> Base:
    return locate(folder.name, None, str(folder), None, None)


def blueprint(type_: ModelType, folder: Path, **more: Any) -> Blueprint:
    return Blueprint(type_, based(folder), "cpu", **more)


def names(model: Any) -> list[str]:
    return [type(module).__name__ for module in model]


@pytest.mark.parametrize("type_", TYPES)
def test_a_half_precision_checkpoint_is_built_in_fp32(tiny: Tiny, type_: ModelType) -> None:
    import torch

    assert based(tiny.half).stored == "F16"
    model = build(blueprint(type_, tiny.half), seed=1)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("type_", TYPES)
def test_a_bfloat16_checkpoint_is_built_in_fp32(tiny: Tiny, tmp_path: Path, type_: ModelType) -> None:
    import torch

    build(blueprint(type_, tiny.masked), seed=1).bfloat16().save_pretrained(str(tmp_path / "model"))
    assert based(tmp_path / "model").stored == "BF16"
    model = build(blueprint(type_, tmp_path / "model"), seed=1)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_static_embeddings_stored_as_fp16_are_built_in_fp32(tiny: Tiny) -> None:
    import torch

    assert based(tiny.static).stored == "F16"
    model = build(blueprint("sentence_transformer", tiny.static), seed=1)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.encode(TEXTS).shape == (2, 32)


def test_wordllama_is_static_and_fp32() -> None:
    import torch

    base = locate("wordllama", "wordllama", None, None, None)
    model = build(Blueprint("sentence_transformer", base, "cpu", max_seq_length=None), seed=1)
    assert names(model) == ["StaticEmbedding"]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.encode(TEXTS).shape == (2, 256)


@pytest.mark.parametrize(
    ("type_", "kind", "modules"),
    [
        ("sentence_transformer", "plain", ["Transformer", "Pooling"]),
        ("sentence_transformer", "pooled", ["Transformer", "Pooling"]),
        ("cross_encoder", "plain", ["Transformer"]),
        ("cross_encoder", "pooled", ["Transformer"]),
        ("sparse_encoder", "masked", ["Transformer", "SpladePooling"]),
        ("sparse_encoder", "plain", ["Transformer", "SpladePooling"]),
        ("multi_vector_encoder", "plain", ["Transformer", "Dense", "MultiVectorMask", "Normalize"]),
        ("multi_vector_encoder", "pooled", ["Transformer", "Dense", "MultiVectorMask", "Normalize"]),
    ],
)
def test_modules_by_type(tiny: Tiny, type_: ModelType, kind: str, modules: list[str]) -> None:
    assert names(build(blueprint(type_, getattr(tiny, kind)), seed=1)) == modules


@pytest.mark.parametrize("kind", ["masked", "plain", "pooled"])
def test_an_auto_encoder_is_built_where_it_was_asked_for(tiny: Tiny, kind: str) -> None:
    """Also on a base with a masked-LM head, of which the library by itself makes SPLADE."""
    model = build(blueprint("sparse_encoder", getattr(tiny, kind), architecture="csr"), seed=1)
    assert names(model) == ["Transformer", "Pooling", "SparseAutoEncoder"]
    assert (model[2].input_dim, model[2].hidden_dim, model[2].k) == (32, 128, 8)
    assert (model.encode(TEXTS).to_dense() != 0).sum(dim=1).tolist() == [8, 8]


def test_a_finished_splade_model_keeps_its_modules(tiny: Tiny, tmp_path: Path) -> None:
    build(blueprint("sparse_encoder", tiny.masked), seed=1).save_pretrained(str(tmp_path / "splade"))
    again = build(blueprint("sparse_encoder", tmp_path / "splade"), seed=1)
    assert names(again) == ["Transformer", "SpladePooling"]


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_a_cross_encoder_has_the_activation_of_its_blueprint_also_after_saving(
    tiny: Tiny, tmp_path: Path, activation: Any
) -> None:
    model = build(blueprint("cross_encoder", tiny.plain, activation=activation), seed=1)
    model.save_pretrained(str(tmp_path / "saved"))
    again = reload("cross_encoder", tmp_path / "saved", "cpu")
    for found in (model, again):
        assert type(found.activation_fn).__name__.lower() == activation
        assert found.num_labels == 1


def test_a_cross_encoder_has_as_many_outputs_as_classes(tiny: Tiny) -> None:
    model = build(blueprint("cross_encoder", tiny.plain, num_labels=3), seed=1)
    assert model.predict([tuple(TEXTS)]).shape == (1, 3)


@pytest.mark.parametrize("kind", ["plain", "pooled"])
def test_token_vectors_have_the_size_asked_for(tiny: Tiny, kind: str) -> None:
    model = build(blueprint("multi_vector_encoder", getattr(tiny, kind), embedding_dim=24), seed=1)
    assert {vectors.shape[1] for vectors in model.encode(TEXTS)} == {24}


def test_a_finished_projection_keeps_its_size(tiny: Tiny, tmp_path: Path) -> None:
    first = build(blueprint("multi_vector_encoder", tiny.plain, embedding_dim=24), seed=1)
    first.save_pretrained(str(tmp_path / "late"))
    again = build(blueprint("multi_vector_encoder", tmp_path / "late", embedding_dim=16), seed=2)
    assert (first.encode(TEXTS)[0] == again.encode(TEXTS)[0]).all()


def test_decoders_are_pooled_by_their_last_token(tiny: Tiny) -> None:
    import numpy as np

    base = based(tiny.decoder)
    assert (base.architecture, default_pooling(base)) == ("decoder", "lasttoken")
    model = build(blueprint("sentence_transformer", tiny.decoder), seed=1)
    assert model[1].pooling_mode == "lasttoken"
    assert model.tokenizer.padding_side == "left"
    # The vector of a text must not depend on how far its batch is padded.
    together, alone = model.encode(["red", TEXTS[0]]), model.encode(["red"])
    assert np.abs(together[0] - alone[0]).max() < 1e-5


def test_a_decoder_under_an_auto_encoder_is_pooled_the_same_way(tiny: Tiny) -> None:
    model = build(blueprint("sparse_encoder", tiny.decoder, architecture="csr"), seed=1)
    assert model[1].pooling_mode == "lasttoken"


@pytest.mark.parametrize(("pooling", "mode"), [(None, "mean"), ("cls", "cls"), ("max", "max")])
def test_pooling_is_mean_or_as_said(tiny: Tiny, pooling: str | None, mode: str) -> None:
    assert build(blueprint("sentence_transformer", tiny.plain, pooling=pooling), seed=1)[1].pooling_mode == mode


@pytest.mark.parametrize("type_", TYPES)
def test_texts_are_cut_at_the_length_said(tiny: Tiny, type_: ModelType) -> None:
    model = build(blueprint(type_, tiny.masked, max_seq_length=8), seed=1)
    assert model.max_seq_length == 8
    batch = [("red " * 30, "blue " * 30)] if type_ == "cross_encoder" else ["red " * 30]
    assert model.preprocess(batch)["input_ids"].shape[1] == 8


@pytest.mark.parametrize(
    ("type_", "kind", "architecture", "place"),
    [
        ("cross_encoder", "plain", "splade", "classifier.weight"),
        ("sparse_encoder", "plain", "csr", "encoder.weight"),
        ("sparse_encoder", "plain", "splade", "predictions.transform.dense.weight"),
        ("multi_vector_encoder", "plain", "splade", "linear.weight"),
    ],
)
def test_new_heads_are_drawn_from_the_seed(
    tiny: Tiny, type_: ModelType, kind: str, architecture: Any, place: str
) -> None:
    def head(seed: int) -> Any:
        plan = blueprint(type_, getattr(tiny, kind), architecture=architecture, embedding_dim=24)
        weights = build(plan, seed).state_dict()
        (name,) = [name for name in weights if name.endswith(place)]
        return weights[name]

    first, again, other = head(1), head(1), head(2)
    assert (first == again).all()
    assert not (first == other).all()


def test_a_revision_is_asked_for_weights_tokenizer_and_config_alike(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sentence_transformers.base.modules as modules

    seen: list[dict[str, Any]] = []
    real = modules.Transformer

    def watched(place: str, **given: Any) -> Any:
        seen.append(given)
        return real(place, transformer_task=given["transformer_task"])

    monkeypatch.setattr(modules, "Transformer", watched)
    plan = blueprint("sentence_transformer", tiny.plain)
    build(replace(plan, base=replace(plan.base, revision="v2")), seed=1)
    assert [seen[0][name]["revision"] for name in ("model_kwargs", "processor_kwargs", "config_kwargs")] == ["v2"] * 3


@pytest.mark.parametrize(
    ("saved_as", "kind", "type_", "architecture", "modules"),
    [
        ("cross_encoder", "plain", "sentence_transformer", "splade", ["Transformer", "Pooling"]),
        ("cross_encoder", "plain", "sparse_encoder", "csr", ["Transformer", "Pooling", "SparseAutoEncoder"]),
        ("sparse_encoder", "masked", "sentence_transformer", "splade", ["Transformer", "Pooling"]),
        ("sparse_encoder", "masked", "sparse_encoder", "csr", ["Transformer", "Pooling", "SparseAutoEncoder"]),
        ("sparse_encoder", "masked", "multi_vector_encoder", "splade", ["Transformer", "Dense", "MultiVectorMask", "Normalize"]),
        ("multi_vector_encoder", "plain", "sentence_transformer", "splade", ["Transformer", "Pooling"]),
        ("multi_vector_encoder", "plain", "cross_encoder", "splade", ["Transformer"]),
        ("sentence_transformer", "decoder", "sparse_encoder", "csr", ["Transformer", "Pooling", "SparseAutoEncoder"]),
    ],
)  # fmt: skip
def test_a_model_of_another_type_gives_its_transformer(
    tiny: Tiny, tmp_path: Path, saved_as: ModelType, kind: str, type_: ModelType, architecture: Any, modules: list[str]
) -> None:
    first = build(blueprint(saved_as, getattr(tiny, kind)), seed=1)
    first.save_pretrained(str(tmp_path / "saved"))
    assert based(tmp_path / "saved").type == saved_as
    model = build(blueprint(type_, tmp_path / "saved", architecture=architecture), seed=1)
    assert names(model) == modules
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"torch.float32"}


def test_a_miner_has_the_prompts_of_its_family(tiny: Tiny) -> None:
    from stbench.models.build import bi_encoder
    from stbench.models.prompts import Prompts

    base = replace(based(tiny.plain), family=Prompts("red "))
    assert (bi_encoder(base, "cpu").encode_query("box") == bi_encoder(based(tiny.plain), "cpu").encode("red box")).all()
