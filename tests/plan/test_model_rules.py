"""Rules about the base model: each finds its failure, and its mend leaves nothing to find."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from stbench.errors import Problem
from stbench.plan import model_rules as rules
from stbench.plan.draft import Draft, Rule
from stbench.plan.hardware import Machine
from stbench.plan.rules import problems

Drafts = Callable[..., Draft]
STATIC = {
    "architecture": "static", "positions": None, "max_tokens": None, "mlm_head": False, "layers": 0,
    "type": "sentence_transformer", "modules": ("StaticEmbedding",),
}  # fmt: skip
DECODER = {"architecture": "decoder", "mlm_head": False}


@pytest.fixture
def draft(say: Callable[..., Any], a_base: Callable[..., Any]) -> Drafts:
    def made(*words: str, **base: Any) -> Draft:
        said = say("base_model=bert", *words)
        return Draft(said.sentence, said.chosen, a_base(**base), "pair")

    return made


def only(rule: Rule, draft: Draft) -> Problem:
    (problem,) = rule(draft)
    assert problems(draft) == [problem]
    assert problem.mend
    return problem


def test_pooling_is_refused_for_a_folder_that_has_its_own(draft: Drafts) -> None:
    saved = {"modules": ("Transformer", "Pooling"), "type": "sentence_transformer"}
    problem = only(rules.pooling_is_free, draft("base_model.pooling=cls", **saved))
    assert "Transformer → Pooling" in problem.what
    assert not problems(draft("base_model.pooling=cls"))
    assert not problems(draft("base_model.pooling=cls", modules=("Transformer",), type="cross_encoder"))


def test_pooling_is_refused_where_nothing_is_pooled(draft: Drafts) -> None:
    for words in (["model=cross_encoder"], ["model=multi_vector_encoder"], ["model=sparse_encoder"]):
        only(rules.pooling_is_free, draft("base_model.pooling=cls", "loss=contrastive", *words))
    csr = ["model=sparse_encoder", "model.architecture=csr", "loss=contrastive"]
    assert not problems(draft("base_model.pooling=cls", *csr))


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_a_decoder_is_not_pooled_over_tokens_that_have_not_seen_the_text(pooling: str, draft: Drafts) -> None:
    problem = only(rules.decoders_pool_their_end, draft(f"base_model.pooling={pooling}", **DECODER))
    assert not problems(draft(problem.mend, **DECODER))
    assert not problems(draft("base_model.pooling=weightedmean", **DECODER))
    assert not problems(draft(f"base_model.pooling={pooling}"))


@pytest.mark.parametrize("type_", ["cross_encoder", "sparse_encoder", "multi_vector_encoder"])
def test_only_vectors_of_texts_are_normalized_and_projected(type_: str, draft: Drafts) -> None:
    words = [f"model={type_}", "loss=contrastive"]
    only(rules.only_text_vectors_are_normalized, draft(*words, "base_model.normalize=true"))
    problem = only(rules.only_text_vectors_are_projected, draft(*words, "base_model.projection=16"))
    assert (problem.mend == "model.embedding_dim=16") == (type_ == "multi_vector_encoder")
    assert not problems(draft("base_model.normalize=true", "base_model.projection=16"))


@pytest.mark.parametrize(
    ("layers", "mend"), [("[0,2]", "[0]"), ("[7]", "[0]"), ("[1,0]", "[0,1]"), ("[0,0,1]", "[0,1]")]
)
def test_layers_that_are_not_there_are_refused(layers: str, mend: str, draft: Drafts) -> None:
    problem = only(rules.layers_are_there, draft(f"base_model.layers={layers}"))
    assert problem.mend == f"base_model.layers={mend}"
    assert not problems(draft(problem.mend))


def test_layers_are_refused_where_there_are_none_of_their_own(draft: Drafts) -> None:
    assert "no layers" in only(rules.layers_are_there, draft("base_model.layers=[0]", **STATIC)).what
    shared = {"tensors": {"encoder.groups.0.weight": (4, 4)}}
    assert "shares" in only(rules.layers_are_there, draft("base_model.layers=[0]", **shared)).what
    own = {"tensors": {f"encoder.layer.{layer}.weight": (4, 4) for layer in range(2)}}
    assert not problems(draft("base_model.layers=[0]", **own))


@pytest.mark.parametrize("adapter", ["lora", "qlora"])
def test_an_adapter_is_refused_for_static_embeddings(adapter: str, draft: Drafts) -> None:
    problem = only(rules.adapter_has_a_transformer, draft(f"adapter={adapter}", **STATIC))
    assert problem.mend == "adapter=none, or base_model=minilm"
    assert not problems(draft("adapter=none", **STATIC))
    assert not problems(draft(f"adapter={adapter}"))


def test_targets_that_are_not_there_are_refused_with_the_closest(draft: Drafts) -> None:
    tensors = {"encoder.layer.0.attention.query.weight": (4, 4), "encoder.layer.1.attention.query.weight": (4, 4)}
    wrong = draft("adapter=lora", "adapter.targets=[qeury]", tensors=tensors)
    problem = only(rules.adapter_targets_are_there, wrong)
    assert problem.mend == "did you mean adapter.targets=[query]?"
    for right in ("[query]", "[attention.query]", "auto"):
        assert not problems(draft("adapter=lora", f"adapter.targets={right}", tensors=tensors))


def test_four_bits_are_refused_without_their_package(draft: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None)
    problem = only(rules.four_bits_can_be_had, draft("adapter=qlora"))
    assert problem.mend == "pip install 'stbench[qlora]', or adapter=lora"
    assert not problems(draft("adapter=lora"))


def test_four_bits_are_refused_on_apple_gpus(draft: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: object())
    monkeypatch.setattr(rules, "choose_device", lambda hardware: (Machine("mps", "Apple GPU", False), None))
    problem = only(rules.four_bits_can_be_had, draft("adapter=qlora"))
    assert problem.mend.startswith("adapter=lora")


def test_magnitudes_apart_are_refused_for_four_bits(draft: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: object())
    problem = only(rules.four_bits_can_be_had, draft("adapter=qlora", "adapter.dora=true"))
    assert problem.where == "adapter.dora=true"
    assert not problems(draft("adapter=lora", "adapter.dora=true"))
    assert not problems(draft("adapter=qlora"))
