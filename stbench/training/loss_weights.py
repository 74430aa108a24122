"""Weights that belong to a loss, such as a classifier on top of the vectors: the library's checkpoints hold the model alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stbench.training.moved import digest

if TYPE_CHECKING:
    from torch import nn

FILE = "loss.safetensors"


class LossWeights(TrainerCallback):  # type: ignore[misc]
    """Leaves them in each checkpoint, those that have moved, so that a resumed run goes on with them."""

    def __init__(self, loss: nn.Module | dict[str, nn.Module], model: nn.Module) -> None:
        self._own = own_parameters(loss, model)
        self._before = {name: digest(parameter) for name, parameter in self._own.items()}

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        from safetensors.torch import save_file

        # The guide of a loss never moves, and is as large as a model.
        moved = {name: value for name, value in self._own.items() if digest(value) != self._before[name]}
        if moved:
            plain = {name: value.detach().cpu().clone().contiguous() for name, value in moved.items()}
            save_file(plain, Path(args.output_dir) / f"checkpoint-{state.global_step}" / FILE)

    def read(self, checkpoint: str | None) -> None:
        """Takes up those that `checkpoint` has."""
        from safetensors.torch import load_file

        file = Path(checkpoint or "", FILE)
        for name, value in (load_file(file) if checkpoint and file.is_file() else {}).items():
            self._own[name].data.copy_(value)


def own_parameters(loss: nn.Module | dict[str, nn.Module], model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters of the loss, or of the losses by part, that are none of `model`; each once."""
    modules = loss if isinstance(loss, dict) else {"loss": loss}
    seen = {id(parameter) for parameter in model.parameters()}
    found: dict[str, nn.Parameter] = {}
    for part, module in modules.items():
        for name, parameter in module.named_parameters():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                found[f"{part}.{name}"] = parameter
    return found
