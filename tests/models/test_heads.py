"""What the files of a finished cross-encoder say of its head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stbench.models.base import locate
from stbench.models.heads import Head, head_of

EMBEDDINGS = {"embeddings.word_embeddings.weight": (100, 8)}


def head(folder: Path) -> Head:
    return head_of(locate("tiny", None, str(folder), None, None))


@pytest.mark.parametrize(
    ("tensors", "labels"),
    [
        ({"classifier.weight": (3, 8), "classifier.bias": (3,)}, 3),
        ({"classifier.dense.weight": (8, 8), "classifier.out_proj.weight": (2, 8)}, 2),
        ({"score.weight": (1, 8)}, 1),
    ],
)
def test_its_labels_are_the_rows_of_its_last_layer(
    tensors: dict[str, Any], labels: int, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    assert head(write_model(tmp_path / "m", {"hidden_size": 8}, {**EMBEDDINGS, **tensors})).labels == labels


def test_without_a_head_nothing_is_said(tmp_path: Path, write_model: Callable[..., Path]) -> None:
    config = {"hidden_size": 8, "id2label": {"0": "yes", "1": "no"}}
    assert head(write_model(tmp_path / "m", config, EMBEDDINGS)) == Head()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}, ()),
        ({"10": "k", "2": "c", "0": "a"}, ("a", "c", "k")),
    ],
)
def test_names_are_told_in_the_order_of_ids(
    names: dict[str, str], told: tuple[str, ...], tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    tensors = {**EMBEDDINGS, "classifier.weight": (3, 8)}
    assert head(write_model(tmp_path / "m", {"hidden_size": 8, "id2label": names}, tensors)).names == told


@pytest.mark.parametrize(
    ("saved", "activation"),
    [
        (None, "identity"),
        ("torch.nn.modules.linear.Identity", "identity"),
        ("torch.nn.modules.activation.Sigmoid", "sigmoid"),
    ],
)
def test_only_a_named_sigmoid_is_one(
    saved: str | None, activation: str, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    tensors = {**EMBEDDINGS, "classifier.weight": (1, 8)}
    files = {"config_sentence_transformers": {"activation_fn": saved}} if saved else {}
    assert head(write_model(tmp_path / "new", {"hidden_size": 8}, tensors, **files)).activation == activation
    older = {"hidden_size": 8, "sentence_transformers": {"activation_fn": saved}}
    assert head(write_model(tmp_path / "older", older, tensors)).activation == activation
