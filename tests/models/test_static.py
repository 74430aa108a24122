"""Static embeddings from each source: trained in fp32, of the size said, the same after saving."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.cache import Store
from stbench.config.sentence import BaseModelChoice
from stbench.models.base import Base, locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import build, reload
from stbench.models.choose import base_of
from stbench.models.digest import weights_digest

TEXTS = ["red", "what is thing number 3?"]


def made(static: Any, source: Path | str, dims: int | None = None) -> Base:
    return base_of("made", BaseModelChoice(static=static, source=str(source), dims=dims))


def built(base: Base, seed: int = 1, store: Store | None = None) -> Any:
    return build(Blueprint("sentence_transformer", base, "cpu"), seed, store)


def plain_model2vec(folder: Path, **config: Any) -> Path:
    """A folder as Model2Vec writes it: rows of fp16, one for each token unless there is a mapping."""
    import torch
    from safetensors.torch import save_file
    from tiny_models import _tokenizer

    folder.mkdir()
    tokens = len(_tokenizer())
    generator = torch.Generator().manual_seed(1)
    save_file({"embeddings": torch.randn(tokens, 16, generator=generator).half()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", **config}), encoding="utf-8")
    _tokenizer().backend_tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize("normalize", [True, False])
def test_a_plain_model2vec_folder_is_static_fp32_and_normalized_as_it_says(tmp_path: Path, normalize: bool) -> None:
    import torch

    base = locate("m2v", None, str(plain_model2vec(tmp_path / "m2v", normalize=normalize)), None, None)
    assert (base.architecture, base.static, base.dimensions, base.stored) == ("static", "model2vec", 16, "F16")
    assert (base.type, base.parameters) == ("sentence_transformer", 16 * base.vocabulary)
    model = built(base)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert np.allclose(np.linalg.norm(model.encode(TEXTS), axis=1), 1, atol=1e-5) == normalize
    model.save_pretrained(str(tmp_path / "saved"))
    assert (reload("sentence_transformer", tmp_path / "saved", "cpu").encode(TEXTS) == model.encode(TEXTS)).all()


@pytest.mark.parametrize("kind", ["plain", "static", "decoder"])
def test_random_embeddings_take_the_tokens_of_any_model(tiny: Tiny, tmp_path: Path, kind: str) -> None:
    base = made("random", getattr(tiny, kind), 24)
    assert (base.architecture, base.dimensions, base.static) == ("static", 24, "random")
    model = built(base)
    assert base.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert model.encode(TEXTS).shape == (2, 24)
    assert (built(base, seed=1).encode(TEXTS) == model.encode(TEXTS)).all()
    assert not (built(base, seed=2).encode(TEXTS) == model.encode(TEXTS)).any()
    model.save_pretrained(str(tmp_path / "saved"))
    assert (reload("sentence_transformer", tmp_path / "saved", "cpu").encode(TEXTS) == model.encode(TEXTS)).all()


def test_random_embeddings_over_the_tokens_of_wordllama() -> None:
    base = made("random", "wordllama")
    assert (base.dimensions, base.vocabulary) == (256, 32_000)
    assert built(base).encode(TEXTS).shape == (2, 256)


def test_what_is_made_is_another_model_by_its_source_and_size(tiny: Tiny) -> None:
    bases = [made("random", tiny.plain), made("random", tiny.plain, 8), made("random", tiny.masked)]
    assert len({weights_digest(base) for base in [*bases, locate("x", None, str(tiny.plain), None, None)]}) == 4


@pytest.mark.parametrize("kind", ["half", "pooled", "decoder"])
def test_distillation_is_done_once_in_fp32(tiny: Tiny, tmp_path: Path, kind: str) -> None:
    import torch

    pytest.importorskip("skeletoken", reason="the optional extra 'distill' is not installed")
    base = made("distilled", getattr(tiny, kind), 8)
    store = Store(tmp_path, "on")
    model = built(base, store=store)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.encode(TEXTS).shape == (2, 8)
    assert np.isfinite(model.encode(TEXTS)).all()
    again = Store(tmp_path, "on")
    assert (built(base, store=again).encode(TEXTS) == model.encode(TEXTS)).all()
    assert (len(store.made), len(again.made), len(again.taken)) == (1, 0, 1)
