"""What is on disk is what was measured: the saved model is loaded again and asked the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.errors import Failed
from stbench.models import save as module
from stbench.models.build import build, reload
from stbench.models.save import TOLERANCE, save

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.config.sentence import ModelType
    from stbench.plan.plan import Plan

TYPES = ("sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder")


@pytest.fixture
def planned(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Callable[..., Plan]:
    def plan(type_: str, *words: str) -> Plan:
        place = (f"base_model.path={tiny.masked}", f"dataset.train={data['pair']}")
        return plan_of(f"model={type_}", "base_model=path", "dataset=files", *place, *words)

    return plan


@pytest.fixture
def rows() -> Dataset:
    from datasets import Dataset

    anchors = [f"what is thing number {i}?" for i in range(12)]
    return Dataset.from_dict({"anchor": anchors, "positive": [f"thing number {i} is red" for i in range(12)]})


def encoded(model: Any, type_: str, rows: Dataset) -> list[Any]:
    if type_ == "cross_encoder":
        return [model.predict(list(zip(rows["anchor"], rows["positive"], strict=True)))]
    vectors = model.encode(list(rows["anchor"]))
    return [vectors.to_dense()] if type_ == "sparse_encoder" else list(vectors)


@pytest.mark.parametrize("type_", TYPES)
def test_a_saved_model_gives_what_the_measured_one_gave(
    planned: Callable[..., Plan], rows: Dataset, tmp_path: Path, type_: ModelType
) -> None:
    plan = planned(type_, "training.max_seq_length=9")
    model = build(plan.blueprint, plan.seed)
    assert save(model, plan, tmp_path / "model", rows) <= TOLERANCE
    again = reload(type_, tmp_path / "model", "cpu")
    assert again.max_seq_length == 9
    for one, other in zip(encoded(model, type_, rows), encoded(again, type_, rows), strict=True):
        assert np.abs(np.asarray(one) - np.asarray(other)).max() <= TOLERANCE
    assert (tmp_path / "model" / "README.md").is_file()


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("shape", ["labeled_text", "ranked_list"])
def test_rows_of_other_shapes_are_compared_too(
    planned: Callable[..., Plan], tmp_path: Path, type_: ModelType, shape: str
) -> None:
    from datasets import Dataset

    texts = [f"thing number {i} is red" for i in range(9)]
    rows = {"text": texts, "label": [0] * 9}
    lists = {"anchor": texts, "documents": [["a tool", "red"]] * 9, "relevance": [[1, 0]] * 9}
    plan = planned(type_)
    model = build(plan.blueprint, plan.seed)
    assert (
        save(model, plan, tmp_path / "model", Dataset.from_dict(rows if shape == "labeled_text" else lists))
        <= TOLERANCE
    )


@pytest.mark.parametrize("adapter", ["lora", "qlora"])
@pytest.mark.parametrize("type_", TYPES)
def test_an_adapter_is_saved_merged_and_alone(
    planned: Callable[..., Plan], rows: Dataset, tmp_path: Path, type_: ModelType, adapter: str
) -> None:
    plan = planned(type_, f"adapter={adapter}")
    model = build(plan.blueprint, plan.seed)
    assert save(model, plan, tmp_path / "model", rows) <= TOLERANCE
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert not (tmp_path / "model" / "adapter_config.json").exists()


def test_an_adapter_of_a_pruned_model_is_saved_merged_only(
    planned: Callable[..., Plan], rows: Dataset, tmp_path: Path
) -> None:
    plan = planned("sentence_transformer", "adapter=lora", "base_model.layers=[1]")
    model = build(plan.blueprint, plan.seed)
    assert save(model, plan, tmp_path / "model", rows) <= TOLERANCE
    assert not (tmp_path / "adapter").exists()


@pytest.mark.parametrize("type_", TYPES)
def test_a_model_that_was_tampered_with_on_disk_fails(
    planned: Callable[..., Plan], rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: ModelType
) -> None:
    plan = planned(type_)
    model = build(plan.blueprint, plan.seed)

    def tampered(*given: Any) -> Any:
        scale_embeddings(tmp_path / "model" / "model.safetensors")
        return reload(*given)

    monkeypatch.setattr(module, "reload", tampered)
    with pytest.raises(Failed, match="the saved model differs from the measured model by"):
        save(model, plan, tmp_path / "model", rows)


def scale_embeddings(file: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(file)
    for name in weights:
        if "word_embeddings" in name:
            weights[name] = weights[name] * 1.5
    save_file(weights, file, metadata={"format": "pt"})


def test_outputs_of_another_shape_or_that_are_no_numbers_fail(
    planned: Callable[..., Plan], rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("sentence_transformer")
    model = build(plan.blueprint, plan.seed)
    right = np.zeros((8, 32))
    no_number = np.full((8, 32), np.nan)
    for first, second in ((right, np.zeros((8, 16))), (right, no_number), ([right, right], [right, no_number])):
        outputs = iter([first, second])
        monkeypatch.setattr(module, "_outputs", lambda *_, outputs=outputs: next(outputs))
        with pytest.raises(Failed):
            save(model, plan, tmp_path / "model", rows)


def test_lists_of_documents_are_compared_by_their_first(
    planned: Callable[..., Plan], rows: Dataset, tmp_path: Path
) -> None:
    from datasets import Dataset

    plan = planned("cross_encoder")
    lists = Dataset.from_dict(
        {
            "anchor": rows["anchor"],
            "documents": [[text, "nothing"] for text in rows["positive"]],
            "relevance": [[1.0, 0.0]] * len(rows),
        }
    )
    assert save(build(plan.blueprint, plan.seed), plan, tmp_path / "model", lists) <= TOLERANCE
