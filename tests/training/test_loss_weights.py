from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from transformers import TrainerControl, TrainerState

from stbench.training.loss_weights import FILE, LossWeights, own_parameters


class Loss(nn.Module):
    """A loss with a classifier of its own, around a model, beside a guide that nothing trains."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.classifier, self.guide = model, nn.Linear(2, 2), nn.Linear(2, 2)


def save(weights: LossWeights, folder: Path, step: int = 3) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir()
    state: Any = TrainerState(global_step=step)
    weights.on_save(SimpleNamespace(output_dir=str(folder)), state, TrainerControl())  # type: ignore[arg-type]
    return checkpoint


def test_what_belongs_to_the_model_is_not_the_loss_s_own() -> None:
    model = nn.Linear(2, 2)
    own = own_parameters(Loss(model), model)
    assert set(own) == {"loss.classifier.weight", "loss.classifier.bias", "loss.guide.weight", "loss.guide.bias"}


def test_a_loss_of_two_parts_is_kept_once() -> None:
    loss = Loss(nn.Linear(2, 2))
    assert {name.partition(".")[0] for name in own_parameters({"a": loss, "b": loss}, loss.model)} == {"a"}


def test_what_has_moved_is_read_back(tmp_path: Path) -> None:
    loss = Loss(nn.Linear(2, 2))
    weights = LossWeights(loss, loss.model)
    with torch.no_grad():
        loss.classifier.weight += 1
    checkpoint = save(weights, tmp_path)
    other = Loss(loss.model)
    LossWeights(other, loss.model).read(str(checkpoint))
    assert torch.equal(other.classifier.weight, loss.classifier.weight)
    assert not torch.equal(other.classifier.bias, loss.classifier.bias)
    assert not torch.equal(other.guide.weight, loss.guide.weight)


def test_a_loss_without_weights_leaves_nothing_and_reads_nothing(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    weights = LossWeights(nn.Sequential(model), model)
    assert not (save(weights, tmp_path) / FILE).exists()
    weights.read(str(tmp_path / "checkpoint-3"))
    weights.read(None)
