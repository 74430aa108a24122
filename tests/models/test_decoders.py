"""Decoders under every model type: padded so that no text depends on its batch, in fp32, the same after saving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import Tiny, _save, _tokenizer

from stbench.models.base import locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import bi_encoder, build, reload
from stbench.models.parts import padding_side

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

TYPES = ("sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder")
TEXTS = ["red", "what is thing number 3?", "thing number 3 is a plant of which nothing is known about the colour"]


def blueprint(folder: Path, type_: ModelType = "sentence_transformer", **more: Any) -> Blueprint:
    csr: dict[str, Any] = {"architecture": "csr"} if type_ == "sparse_encoder" else {}
    return Blueprint(type_, locate("tiny", None, str(folder), None, None), "cpu", **csr, **more)


def outputs(model: Any, type_: ModelType, texts: list[str], batch_size: int = 8) -> list[Any]:
    if type_ == "cross_encoder":
        return list(model.predict([("green", text) for text in texts], batch_size=batch_size))
    found = model.encode(texts, batch_size=batch_size)
    return list(found.to_dense() if type_ == "sparse_encoder" else found)


def differ(first: list[Any], second: list[Any]) -> float:
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder whose tokenizer and config know no padding token, as many come."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("bare")
    config = LlamaConfig(
        vocab_size=len(_tokenizer()), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.3, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).bfloat16().save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer().backend_tokenizer, unk_token="[UNK]", eos_token="[SEP]"
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GPT-2: a table of positions, which count from the first token of the batch, padding included."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("gpt2")
    config = GPT2Config(
        vocab_size=len(_tokenizer()), n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.3
    )
    _save(GPT2LMHeadModel(config), folder)
    return folder


@pytest.mark.parametrize("type_", TYPES)
def test_a_decoder_without_padding_token_works_in_fp32_and_after_saving(
    bare: Path, tmp_path: Path, type_: ModelType
) -> None:
    import torch

    plan = blueprint(bare, type_)
    assert plan.base.stored == "BF16"
    model = build(plan, 1)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    together, alone = outputs(model, type_, TEXTS), outputs(model, type_, TEXTS, batch_size=1)
    assert differ(together, alone) < 1e-4
    model.save_pretrained(str(tmp_path / "model"))
    again = reload(type_, tmp_path / "model", "cpu")
    assert again.tokenizer.padding_side == model.tokenizer.padding_side == "left"
    assert again.tokenizer.pad_token == "[SEP]"
    assert differ(together, outputs(again, type_, TEXTS)) < 1e-5


@pytest.mark.parametrize("type_", TYPES)
def test_positions_that_count_from_the_left_are_padded_on_the_right(
    counted: Path, tmp_path: Path, type_: ModelType
) -> None:
    plan = blueprint(counted, type_)
    assert plan.base.architecture == "decoder"
    assert padding_side(plan.base) == "right"
    model = build(plan, 1)
    together, alone = outputs(model, type_, TEXTS), outputs(model, type_, TEXTS, batch_size=1)
    assert differ(together, alone) < 1e-4
    model.save_pretrained(str(tmp_path / "model"))
    again = reload(type_, tmp_path / "model", "cpu")
    assert again.tokenizer.padding_side == "right"
    assert differ(together, outputs(again, type_, TEXTS)) < 1e-5


def test_a_cross_encoder_of_a_decoder_has_a_new_head(tiny: Tiny) -> None:
    model = build(blueprint(tiny.decoder, "cross_encoder", num_labels=3), 1)
    assert model.predict([("red", "blue")]).shape == (1, 3)
    assert model.model.config.pad_token_id is not None


def test_a_decoder_finds_negatives_for_others_too(bare: Path) -> None:
    miner = bi_encoder(blueprint(bare).base, "cpu")
    assert differ(list(miner.encode(TEXTS)), list(miner.encode(TEXTS, batch_size=1))) < 1e-4
