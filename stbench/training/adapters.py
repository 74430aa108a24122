"""Checkpoints of runs with an adapter: what is trained is written and read as it is.

The library would load a checkpoint as a model of its own, from the base model's files and in their type: layers that
were taken out would be back, 4-bit weights whole again, and an adapter beside fp16 weights rounded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FILE = "trained.safetensors"


def with_own_checkpoints(trainer: type[Any]) -> type[Any]:
    """`trainer` whose checkpoints hold what is trained in `trained.safetensors`, beside the adapter's own files."""

    class Trainer(trainer):  # type: ignore[misc]
        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            super()._save(output_dir, state_dict)
            write_trained(self.model, Path(output_dir or self.args.output_dir) / FILE)

        def _load_from_checkpoint(self, checkpoint_path: str) -> None:
            read_trained(self.model, Path(checkpoint_path) / FILE)

    return Trainer


def write_trained(model: Any, file: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().clone().contiguous() for name, tensor in _trained(model).items()}, file)


def read_trained(model: Any, file: Path) -> None:
    """Raises `KeyError` when the file is not of this model."""
    from safetensors.torch import load_file

    saved = load_file(file)
    if saved.keys() != _trained(model).keys():
        raise KeyError(f"{file} holds other weights than the model trains")
    model.load_state_dict(saved, strict=False)


def _trained(model: Any) -> dict[str, Any]:
    """What is trained, and what is counted meanwhile."""
    state = model.state_dict()
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return {name: state[name] for name in [*trained, *(name for name, _ in model.named_buffers())] if name in state}
