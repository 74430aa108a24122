"""The proof that training trained: weights that never moved give the baseline's score with a straight face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stbench.errors import Failed


def fingerprints(model: Any) -> dict[str, str]:
    """Digest of each trained parameter by its name."""
    return {name: digest(parameter) for name, parameter in model.named_parameters() if parameter.requires_grad}


def digest(parameter: Any) -> str:
    """Of the values of one parameter."""
    import xxhash

    return str(xxhash.xxh3_64_hexdigest(parameter.detach().float().cpu().contiguous().numpy().tobytes()))


def check_moved(model: Any, before: Mapping[str, str], steps: int) -> None:
    """Compare with the fingerprints from before training.

    Raises `Failed` when no trained weight has moved, or none of the adapter's where there is one.
    """
    moved = {name for name, digest in fingerprints(model).items() if digest != before.get(name)}
    if not moved:
        raise Failed(
            f"no weight has moved in {steps} steps: the learning rate was 0 throughout (training.warmup=0 in a run of"
            " one step), or no gradient reached the model"
        )
    adapted = [name for name in before if "lora_" in name]
    if adapted and not moved.intersection(adapted):
        raise Failed(f"no weight of the adapter has moved in {steps} steps, only what lies on top of it")
