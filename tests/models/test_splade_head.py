"""The fused head of SPLADE models against the library's own, number by number."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tiny_models import Tiny
from torch import Tensor, nn
from transformers import (
    BertConfig,
    DistilBertConfig,
    ModernBertConfig,
    MPNetConfig,
    PretrainedConfig,
    RobertaConfig,
)

from stbench.models import splade_head
from stbench.models.splade_head import fuse

SMALL = {
    "vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 40, "pad_token_id": 1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip
CONFIGS: tuple[PretrainedConfig, ...] = (
    BertConfig(**SMALL),
    RobertaConfig(**SMALL),
    MPNetConfig(**SMALL),
    DistilBertConfig(vocab_size=120, dim=32, n_layers=1, n_heads=2, hidden_dim=32, dropout=0.0, attention_dropout=0.0),
    ModernBertConfig(**SMALL, global_attn_every_n_layers=1, cls_token_id=2, sep_token_id=3),
)


TOLERANCE = 2e-6


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several slices, the last of them shorter, for a vocabulary of a few hundred words."""
    monkeypatch.setattr(splade_head, "SLICE_BYTES", 1)


@pytest.fixture
def library(tiny: Tiny) -> SparseEncoder:
    torch.manual_seed(0)
    return model_of(tiny.masked)


def model_of(folder: Path, **pooling: Any) -> SparseEncoder:
    model = SparseEncoder(modules=[Transformer(str(folder), transformer_task="fill-mask"), SpladePooling(**pooling)])
    # As it was initialised, nearly every word would be active with nearly the same weight.
    decoder = model[0].model.get_output_embeddings()
    nn.init.normal_(decoder.weight, std=0.3)
    nn.init.normal_(decoder.bias, mean=-1.0)
    return model.train()


def fused(model: SparseEncoder) -> SparseEncoder:
    other = copy.deepcopy(model)
    assert fuse(other)
    return other


def batch(lengths: tuple[int, ...] = (9, 4, 1), left: bool = False) -> dict[str, Tensor]:
    torch.manual_seed(5)
    ids = torch.randint(5, 100, (len(lengths), max(lengths)))
    mask = torch.arange(max(lengths)).repeat(len(lengths), 1) < torch.tensor(lengths)[:, None]
    mask = mask.flip(1) if left else mask
    return {"input_ids": ids * mask, "attention_mask": mask.long()}


def step(model: SparseEncoder, features: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """(embeddings, gradients by weight) of a loss that weighs each value otherwise."""
    model.zero_grad()
    torch.manual_seed(1)  # of the dropout
    found = model(dict(features))["sentence_embedding"]
    weights = torch.linspace(-1, 1, found.numel()).view_as(found)
    (found.float() * weights).sum().backward()
    return found.detach(), {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }


def same(one: SparseEncoder, other: SparseEncoder, features: dict[str, Tensor]) -> None:
    (values, gradients), (others, other_gradients) = step(one, features), step(other, features)
    assert 0 < (values > 0).float().mean() < 1, "some words are active and some are not"
    torch.testing.assert_close(others, values, rtol=TOLERANCE, atol=TOLERANCE)
    assert gradients.keys() == other_gradients.keys()
    for name, gradient in gradients.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(other_gradients[name], gradient, rtol=0, atol=TOLERANCE * max(scale, 1.0), msg=name)


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("lengths", [(9, 4, 1), (6, 6, 6), (1,)])
@pytest.mark.parametrize("left", [False, True])
def test_values_and_gradients_are_the_librarys(library: SparseEncoder, lengths: tuple[int, ...], left: bool) -> None:
    same(library, fused(library), batch(lengths, left))


def test_one_slice_gives_the_same_as_many(library: SparseEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fused(library)
    whole = step(model, batch())[0]
    monkeypatch.setattr(splade_head, "SLICE_BYTES", 1)
    torch.testing.assert_close(step(model, batch())[0], whole)


def test_the_activation_of_opensearch(tiny: Tiny) -> None:
    model = model_of(tiny.masked, activation_function="log1p_relu")
    same(model, fused(model), batch())


def test_under_autocast_it_is_as_close_as_half_precision_allows(library: SparseEncoder) -> None:
    """Where two tokens are equal after rounding, either may get the gradient: directions are compared."""
    model = fused(library)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (values, gradients), (others, other_gradients) = step(library, batch()), step(model, batch())
    assert others.dtype == torch.float32
    torch.testing.assert_close(others, values.float(), rtol=2e-2, atol=2e-2)
    one, other = (torch.cat([found[name].flatten() for name in gradients]) for found in (gradients, other_gradients))
    assert torch.cosine_similarity(one, other, dim=0) > 0.99


def test_frozen_weights_get_no_gradient(library: SparseEncoder) -> None:
    library.requires_grad_(False)
    library[0].model.cls.predictions.transform.requires_grad_(True)
    same(library, fused(library), batch())


def test_a_text_without_a_token_has_no_active_word(library: SparseEncoder) -> None:
    found = splade_head._pooled(
        library[1], library[0].model.get_output_embeddings(),
        {"token_embeddings": torch.ones(2, 3, 32), "attention_mask": torch.tensor([[1, 1, 0], [0, 0, 0]])},
    )["sentence_embedding"]  # fmt: skip
    assert found[0].count_nonzero() > 0
    assert found[1].count_nonzero() == 0


def test_unpadded_texts_are_pooled_one_by_one(library: SparseEncoder) -> None:
    hidden, ends = torch.randn(1, 10, 32), torch.tensor([0, 4, 10])
    decoder = library[0].model.get_output_embeddings()
    logits = {"token_embeddings": decoder(hidden), "cu_seq_lens_q": ends}
    whole = {"token_embeddings": hidden, "cu_seq_lens_q": ends}
    found = splade_head._pooled(library[1], decoder, whole)["sentence_embedding"]
    torch.testing.assert_close(found, library[1](logits)["sentence_embedding"])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: str(config.model_type))
def test_each_family_of_masked_language_models(config: PretrainedConfig, tiny: Tiny) -> None:
    from transformers import AutoModelForMaskedLM

    model = model_of(tiny.masked)
    torch.manual_seed(2)
    model[0].model = AutoModelForMaskedLM.from_config(config, attn_implementation="eager").train()
    nn.init.normal_(model[0].model.get_output_embeddings().weight, std=0.3)
    same(model, fused(model), batch())


def scaled(model: SparseEncoder) -> None:
    """Something comes after the decoder."""
    predictions = model[0].model.cls.predictions
    plain = predictions.forward
    predictions.forward = lambda hidden: 2 * plain(hidden)


def summed(model: SparseEncoder) -> None:
    model[1].pooling_strategy = "sum"


def wrapped(model: SparseEncoder) -> None:
    class Other(nn.Linear):
        def forward(self, hidden: Tensor) -> Tensor:
            return super().forward(hidden).tanh()

    decoder = model[0].model.get_output_embeddings()
    other = Other(decoder.in_features, decoder.out_features)
    other.load_state_dict(decoder.state_dict())
    model[0].model.set_output_embeddings(other)


@pytest.mark.parametrize("change", [scaled, summed, wrapped])
def test_heads_that_compute_otherwise_stay_as_they_are(
    library: SparseEncoder, change: Callable[[SparseEncoder], None]
) -> None:
    change(library)
    before = step(library, batch())[0]
    assert not fuse(library)
    torch.testing.assert_close(step(library, batch())[0], before, rtol=0, atol=0)


def test_looking_changes_nothing(library: SparseEncoder) -> None:
    library[0].eval()
    fuse(library)
    assert library[1].training
    assert not library[0].training
    assert all(weight.grad is None for weight in library.parameters())


def test_files_are_the_librarys_own(library: SparseEncoder, tmp_path: Path) -> None:
    model = fused(library)
    library.save_pretrained(str(tmp_path / "library"))
    model.save_pretrained(str(tmp_path / "fused"))
    for file in ("modules.json", "config.json", "model.safetensors"):
        assert (tmp_path / "fused" / file).read_bytes() == (tmp_path / "library" / file).read_bytes()
    again = SparseEncoder(str(tmp_path / "fused"))
    assert "forward" not in vars(again[1])
    texts = ["what is thing number 3", "a tool"]
    torch.testing.assert_close(model.eval().encode(texts).to_dense(), again.encode(texts).to_dense())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_read_their_own_weights(
    library: SparseEncoder, copied: Callable[[SparseEncoder], SparseEncoder]
) -> None:
    model = fused(library)
    other = copied(model)
    with torch.no_grad():
        model[0].model.get_output_embeddings().bias.fill_(-100)
    assert step(model, batch())[0].count_nonzero() == 0
    assert step(other, batch())[0].count_nonzero() > 0
