"""Layer-pruned students: the right layers are kept, in all architectures, and what is saved says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.errors import Failed
from stbench.models.base import locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import build, reload
from stbench.models.layers import keep_layers

if TYPE_CHECKING:
    from stbench.config.sentence import ModelType

TEXTS = ["what is thing number 3?", "thing number 3 is a plant"]


def blueprint(folder: Path, type_: ModelType = "sentence_transformer", **more: Any) -> Blueprint:
    return Blueprint(type_, locate("tiny", None, str(folder), None, None), "cpu", **more)


def weights(model: Any, part: str) -> list[Any]:
    return [value for name, value in model.named_parameters() if part in name]


@pytest.mark.parametrize("kind", ["masked", "pooled", "decoder"])
@pytest.mark.parametrize("type_", ["sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder"])
def test_the_layers_that_were_named_are_kept(tiny: Tiny, tmp_path: Path, kind: str, type_: ModelType) -> None:
    csr = "csr" if type_ == "sparse_encoder" and kind != "masked" else "splade"
    plan = blueprint(getattr(tiny, kind), type_, architecture=csr)
    whole, student = build(plan, 1), build(blueprint(getattr(tiny, kind), type_, architecture=csr, layers=(1,)), 1)
    place = "layers.{}." if kind == "decoder" else "layer.{}."
    kept, original = weights(student, place.format(0)), weights(whole, place.format(1))
    assert kept
    assert all((one == other).all() for one, other in zip(kept, original, strict=True))
    assert not weights(student, place.format(1))
    student.save_pretrained(str(tmp_path / "student"))
    again = reload(type_, tmp_path / "student", "cpu")
    assert again.transformers_model.config.num_hidden_layers == 1
    assert len(weights(again, place.format(0))) == len(kept)


def test_a_student_without_its_first_layer_encodes_as_after_reloading(tiny: Tiny, tmp_path: Path) -> None:
    student = build(blueprint(tiny.plain, layers=(1,)), 1)
    student.save_pretrained(str(tmp_path / "student"))
    again = reload("sentence_transformer", tmp_path / "student", "cpu")
    assert np.abs(student.encode(TEXTS) - again.encode(TEXTS)).max() < 1e-5
    assert np.abs(student.encode(TEXTS) - build(blueprint(tiny.plain), 1).encode(TEXTS)).max() > 1e-3


def test_the_plan_counts_what_is_left(tiny: Tiny) -> None:
    for kind in ("pooled", "decoder"):
        plan = blueprint(getattr(tiny, kind), layers=(0,), projection=8)
        model = build(plan, 1)
        head = 0 if kind == "pooled" else 32 * plan.base.vocabulary
        assert plan.parameters == sum(value.numel() for value in model.parameters()) + head


def test_attention_that_differs_by_layer_is_kept_with_it() -> None:
    """ModernBERT's layers look at the whole text or at a window: the student's do what they did."""
    import torch
    from transformers import ModernBertConfig, ModernBertModel

    config = ModernBertConfig(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=4, num_attention_heads=2,
        local_attention=4, global_attn_every_n_layers=3, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        cls_token_id=1, sep_token_id=2,
    )  # fmt: skip
    torch.manual_seed(1)
    model = ModernBertModel(config).eval()
    kinds = list(config.layer_types)
    keep_layers(model, [0, 1, 3])
    assert model.config.layer_types == [kinds[0], kinds[1], kinds[3]]
    ids = torch.arange(4, 24).reshape(1, 20)
    with torch.no_grad():
        kept = model(input_ids=ids).last_hidden_state
        fresh = ModernBertModel(model.config).eval()
        fresh.load_state_dict(model.state_dict())
        assert torch.allclose(kept, fresh(input_ids=ids).last_hidden_state, atol=1e-5)


def test_a_model_without_a_list_of_layers_fails() -> None:
    from types import SimpleNamespace

    from torch import nn

    model = nn.Linear(2, 2)
    model.config = SimpleNamespace(num_hidden_layers=3)  # type: ignore[assignment]
    with pytest.raises(Failed, match=r"base_model\.layers"):
        keep_layers(model, [0])
