"""What is measured of real models of each type, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.cache import Store
from stbench.evaluation.cost_texts import CostTexts
from stbench.evaluation.metering import FEWEST_CALLS, MOST_CALLS, Candidate, compared, metered, weights

if TYPE_CHECKING:
    from stbench.plan.plan import Plan

TEXTS = CostTexts(
    tuple(f"what is thing number {i}?" for i in range(20)), tuple(f"thing number {i} is a tool" for i in range(30))
)
SHORT = 0.02


def candidate(type_: str, folder: Path) -> Candidate:
    import sentence_transformers as library

    names = {
        "sentence_transformer": "SentenceTransformer", "cross_encoder": "CrossEncoder",
        "sparse_encoder": "SparseEncoder", "multi_vector_encoder": "MultiVectorEncoder",
    }  # fmt: skip
    model = getattr(library, names[type_])(str(folder), device="cpu")
    return Candidate(model.float(), type_, "fp32")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type_", "folder"),
    [
        ("sentence_transformer", "pooled"), ("sentence_transformer", "static"), ("cross_encoder", "plain"),
        ("sparse_encoder", "masked"), ("multi_vector_encoder", "plain"),
    ],
)  # fmt: skip
def test_every_type_has_speed_weights_and_its_own_index(tiny: Tiny, tmp_path: Path, type_: str, folder: str) -> None:
    one = candidate(type_, getattr(tiny, folder))
    (cost,) = metered([one], TEXTS, SHORT)
    assert cost.texts_per_second > 0
    assert 0 < cost.query_ms_median <= cost.query_ms_p95
    one.model.save_pretrained(str(tmp_path))
    saved = sum(file.stat().st_size for file in tmp_path.rglob("*.safetensors"))
    # Each file has a header with the names of its tensors.
    assert saved - 20_000 < cost.model_bytes <= saved
    assert cost.parameters == sum(parameter.numel() for parameter in one.model.parameters())
    pairs = type_ == "cross_encoder"
    assert (cost.queries_per_second is None) == (cost.index_bytes_per_document is None) == pairs
    assert (cost.active_dims is not None) == (cost.query_active_dims is not None) == (type_ == "sparse_encoder")


def test_the_bytes_of_an_index_are_those_of_the_vectors(tiny: Tiny) -> None:
    dense, sparse, several = (
        candidate(type_, folder)
        for type_, folder in (
            ("sentence_transformer", tiny.pooled), ("sparse_encoder", tiny.masked), ("multi_vector_encoder", tiny.plain),
        )
    )  # fmt: skip
    costs = metered([dense, sparse, several], TEXTS, SHORT)
    assert costs[0].index_bytes_per_document == 4 * dense.model.get_embedding_dimension()
    vectors = sparse.model.encode_document(list(TEXTS.documents[: costs[1].measured_on])).to_dense()
    active = float((vectors != 0).sum(1).float().mean())
    assert costs[1].active_dims == pytest.approx(active)
    assert costs[1].index_bytes_per_document == pytest.approx(8 * active)
    tokens = several.model.encode_document(list(TEXTS.documents[: costs[2].measured_on]))
    assert costs[2].index_bytes_per_document == pytest.approx(
        4 * float(np.mean([np.prod(found.shape) for found in tokens]))
    )


def test_shared_weights_count_once() -> None:
    from torch import nn

    model = nn.ModuleList([nn.Embedding(10, 4), nn.Linear(4, 10, bias=False), nn.BatchNorm1d(4)])
    assert isinstance(model[0], nn.Embedding)
    model[1].weight = model[0].weight
    # The running mean and variance of the norm, and its 8-byte count, are saved too.
    assert weights(model) == (4 * 40 + 2 * 4 * 4 + 2 * 4 * 4 + 8, 48)


class Slow:
    """A model that takes a given time for a text, and remembers what it was asked."""

    device = SimpleNamespace(type="cpu")

    def __init__(self, seconds: float, order: list[str] | None = None, name: str = "") -> None:
        self.seconds = seconds
        self.calls: list[int] = []
        self._order = order if order is not None else []
        self._name = name

    def encode_document(self, texts: Sequence[str], **_: Any) -> np.ndarray:
        self.calls.append(len(texts))
        self._order.append(self._name)
        time.sleep(self.seconds * len(texts))
        return np.zeros((len(texts), 8))

    encode_query = encode_document

    def parameters(self) -> list[Any]:
        return []

    def state_dict(self) -> dict[str, Any]:
        return {}

    def named_buffers(self) -> list[Any]:
        return []


def test_speed_is_that_of_the_model() -> None:
    (cost,) = metered([Candidate(Slow(0.002), "sentence_transformer", "fp32")], TEXTS, 0.2)
    assert 250 < cost.texts_per_second <= 500
    assert 2 <= cost.query_ms_median < 100


def test_a_slow_model_is_measured_on_few_texts() -> None:
    slow = Slow(0.02)
    start = time.perf_counter()
    (cost,) = metered([Candidate(slow, "sentence_transformer", "fp32")], TEXTS, 0.05)
    assert time.perf_counter() - start < 5
    assert cost.measured_on < len(TEXTS.documents)
    assert slow.calls.count(1) <= FEWEST_CALLS + 5


def test_a_fast_model_is_not_asked_for_ever() -> None:
    fast = Slow(0.0)
    (cost,) = metered([Candidate(fast, "sentence_transformer", "fp32")], TEXTS, 60)
    assert cost.measured_on == len(TEXTS.documents)
    assert len(fast.calls) < MOST_CALLS + 40


def test_two_models_read_the_same_texts_in_turns() -> None:
    order: list[str] = []
    models = [Slow(0.001, order, "first"), Slow(0.001, order, "second")]
    costs = metered([Candidate(one, "sentence_transformer", "fp32") for one in models], TEXTS, 0.02)
    assert costs[0].measured_on == costs[1].measured_on
    alone = order[-2 * FEWEST_CALLS :]
    assert alone == ["first", "second"] * FEWEST_CALLS


def test_the_untouched_model_of_an_adapter_has_none(
    plan_of: Callable[..., Plan], tiny: Tiny, data: dict[str, Path], tmp_path: Path
) -> None:
    from stbench.models.adapter import merge_adapter
    from stbench.models.build import build

    words = ("dataset=files", f"dataset.train={data['pair']}", "base_model=path", f"base_model.path={tiny.pooled}")
    plan, store = plan_of(*words, "adapter=lora", "adapter.rank=2"), Store(tmp_path / "store", "on")
    trained = build(plan.blueprint, plan.seed, store)
    assert weights(trained)[1] > weights(candidate("sentence_transformer", tiny.pooled).model)[1]
    merge_adapter(trained)
    costs = compared(plan, trained, store, TEXTS, ({}, {}))
    assert costs.before is not None
    assert costs.before.parameters == costs.after.parameters
    assert costs.before.model_bytes == costs.after.model_bytes
