from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stbench.errors import Refused
from stbench.plan.decide import Defaults, head_is_trained, sparse_architecture
from stbench.plan.draft import Draft

STATIC = {"architecture": "static"}


@pytest.fixture
def defaults(say: Callable[..., Any], a_base: Callable[..., Any]) -> Callable[..., Defaults]:
    def made(*words: str, **base: Any) -> Defaults:
        return Defaults(say("base_model=bert", *words).sentence, a_base(**base))

    return made


@pytest.mark.parametrize(
    ("words", "base", "value", "why"),
    [
        (["training.learning_rate=0.5", "base_model=wordllama"], STATIC, 0.5, "asked for"),
        (["base_model=wordllama"], STATIC, 3e-2, "suggested by the base model"),
        ([], STATIC, 3e-2, "usual for a static model"),
        ([], {"architecture": "decoder"}, 1e-4, "usual for a decoder model"),
        ([], {}, 2e-5, "suggested by the model type"),
        (["adapter=lora"], {}, 2e-4, "suggested by the adapter"),
        (["adapter=qlora", "model=multi_vector_encoder"], {}, 2e-4, "suggested by the adapter"),
        (["model=cross_encoder"], {"trained_head": True}, 2e-5, "suggested by the model type"),
        (["model=cross_encoder"], {}, 2e-4, "suggested by the model type: its head starts untrained"),
    ],
)
def test_the_learning_rate_comes_from_the_nearest_suggestion(
    words: list[str], base: dict[str, Any], value: float, why: str, defaults: Callable[..., Defaults]
) -> None:
    assert defaults(*words, **base).resolved("learning_rate") == (value, why)


def test_the_loss_is_nearer_than_the_model_type(defaults: Callable[..., Defaults]) -> None:
    words = ["model=cross_encoder", "loss=listwise"]
    assert defaults(*words).resolved("batch_size") == (8, "suggested by the loss")
    assert defaults("model=cross_encoder", "loss=pointwise").resolved("batch_size")[1] == "suggested by the model type"


def test_what_nobody_suggests_has_to_be_said(workplace: Any, defaults: Callable[..., Defaults]) -> None:
    folder = workplace / "conf" / "model"
    folder.mkdir(parents=True)
    text = "# @package _global_\nmodel: {summary: mine, type: sentence_transformer}\n"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Refused) as caught:
        _ = defaults("model=mine", "dataset=files", "dataset.train=a.csv").epochs
    assert caught.value.problems[0].mend == "training.epochs=…"


def test_thorough_multiplies_the_usual_epochs(defaults: Callable[..., Defaults]) -> None:
    plain, thorough = defaults(**STATIC), defaults("training=thorough", **STATIC)
    assert thorough.epochs == 3 * plain.epochs
    assert (plain.patience, thorough.patience) == (0, 5)


@pytest.mark.parametrize("option", ["learning_rate", "batch_size", "epochs", "patience", "eval_steps"])
def test_every_model_type_suggests_everything(option: str, defaults: Callable[..., Defaults]) -> None:
    for type_ in ("sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder"):
        assert getattr(defaults(f"model={type_}"), option) is not None


@pytest.mark.parametrize(
    ("words", "base", "length"),
    [
        ([], {}, 128),
        ([], {"max_tokens": None}, None),
        (["training.max_seq_length=300"], {}, 300),
        (["base_model=modernbert"], {"max_tokens": 8192}, 512),
        (["base_model=modernbert", "training.max_seq_length=100"], {"max_tokens": 8192}, 100),
        (["model=cross_encoder"], {"max_tokens": 512}, 96),
        (["model=cross_encoder"], {"max_tokens": 64}, 64),
        ([], STATIC, None),
    ],
)
def test_texts_are_as_long_as_asked_else_as_data_and_base_allow(
    words: list[str], base: dict[str, Any], length: int | None, defaults: Callable[..., Defaults]
) -> None:
    if "model=cross_encoder" in words and length == 96:
        length = defaults(*words)._sentence.model.demo.max_seq_length
    assert defaults(*words, **base).max_seq_length == length


@pytest.mark.parametrize(
    ("words", "target", "num"),
    [
        (["negatives.num=7"], "n_tuple", 7),
        (["negatives.num=7"], "triplet", 7),
        ([], "triplet", 1),
        ([], "n_tuple", 3),
        (["model=cross_encoder", "loss=listwise"], "ranked_list", 5),
    ],
)
def test_negatives_as_asked_else_as_the_loss_suggests(
    words: list[str], target: Any, num: int, defaults: Callable[..., Defaults]
) -> None:
    assert defaults(*words).num_negatives(target) == num


@pytest.mark.parametrize(
    ("asked", "base", "found"),
    [
        ("auto", {"mlm_head": True}, "splade"),
        ("auto", {"mlm_head": False}, "csr"),
        ("auto", {"mlm_head": False, "type": "sparse_encoder", "modules": ("Router",)}, "splade"),
        ("auto", {"mlm_head": False, "type": "sparse_encoder", "modules": ("Transformer", "SparseAutoEncoder")}, "csr"),
        ("splade", {"mlm_head": False}, "splade"),
        ("csr", {"mlm_head": True}, "csr"),
    ],
)
def test_a_sparse_encoder_is_splade_where_the_head_is_there(
    asked: str, base: dict[str, Any], found: str, say: Callable[..., Any], a_base: Callable[..., Any]
) -> None:
    model = say("model=sparse_encoder", f"model.architecture={asked}").sentence.model
    assert sparse_architecture(model, a_base(**base)) == found


@pytest.mark.parametrize(
    ("type_", "architecture", "base", "trained"),
    [
        ("sentence_transformer", None, {}, True),
        ("cross_encoder", None, {}, False),
        ("cross_encoder", None, {"trained_head": True}, True),
        ("sparse_encoder", "splade", {}, True),
        ("sparse_encoder", "splade", {"mlm_head": False}, False),
        ("sparse_encoder", "csr", {}, False),
        ("sparse_encoder", "csr", {"type": "sparse_encoder", "modules": ("Pooling", "SparseAutoEncoder")}, True),
        ("sparse_encoder", "csr", {"type": "sparse_encoder", "modules": ("Transformer", "SpladePooling")}, False),
        ("multi_vector_encoder", None, {}, False),
        ("multi_vector_encoder", None, {"modules": ("Transformer", "Dense")}, True),
        ("multi_vector_encoder", None, {"type": "multi_vector_encoder"}, True),
    ],
)
def test_which_heads_come_with_the_weights(
    type_: Any, architecture: str | None, base: dict[str, Any], trained: bool, a_base: Callable[..., Any]
) -> None:
    assert head_is_trained(type_, architecture, a_base(**base)) is trained


@pytest.mark.parametrize(
    ("words", "base", "shape", "rate"),
    [
        (["teacher=bi_encoder"], {}, "text", 1e-4),
        (["teacher=bi_encoder"], STATIC, "text", 3e-2),
        (["teacher=cross_encoder"], {}, "pair", 2e-5),
        (["teacher=cross_encoder", "model=cross_encoder"], {"trained_head": True}, "pair", 8e-6),
        (["teacher=cross_encoder", "model=cross_encoder"], {}, "pair", 2e-4),
    ],
)
def test_what_is_distilled_decides_the_learning_rate(
    words: list[str], base: dict[str, Any], shape: Any, rate: float, say: Callable[..., Any], a_base: Callable[..., Any]
) -> None:
    said = say("base_model=bert", "loss=distillation", *words)
    draft = Draft(said.sentence, said.chosen, a_base(**base), shape)
    assert Defaults(said.sentence, draft.base, draft.loss).learning_rate == rate
