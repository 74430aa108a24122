"""The model that mines is loaded once, and only when it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import Tiny

from stbench.models import build
from stbench.models.base import Base, locate
from stbench.models.digest import weights_digest
from stbench.models.miner import Miner, Rescorer, reading


def based(folder: Path) -> Base:
    return locate(folder.name, None, str(folder), None, None)


def test_the_digest_needs_no_model(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "bi_encoder", pytest.fail)
    assert Miner(based(tiny.plain), "cpu").digest == weights_digest(based(tiny.plain))
    assert Miner(based(tiny.plain), "cpu").digest != Miner(based(tiny.pooled), "cpu").digest


def test_it_is_loaded_once_and_in_fp32(tiny: Tiny) -> None:
    import torch

    miner = Miner(based(tiny.half), "cpu")
    model = miner.load()
    assert miner.load() is model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.encode(["red"]).shape == (1, 32)


@pytest.mark.parametrize(("kind", "mode"), [("plain", "mean"), ("decoder", "lasttoken")])
def test_it_pools_like_a_model_that_is_trained(tiny: Tiny, kind: str, mode: str) -> None:
    assert Miner(based(getattr(tiny, kind)), "cpu").load()[1].pooling_mode == mode


def test_it_reads_the_tokens_that_it_is_told_to_for_a_while(tiny: Tiny) -> None:
    text = "a tool is a thing that people use " * 3
    for model in (Miner(based(tiny.pooled), "cpu").load(), Rescorer(based(tiny.plain), "cpu").load()):
        whole = model.tokenize([text])["input_ids"].shape[1]
        with reading(model, 5):
            assert model.tokenize([text])["input_ids"].shape[1] == 5
        assert model.tokenize([text])["input_ids"].shape[1] == whole
