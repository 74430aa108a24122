"""The heavy imports, once the plan is accepted."""

from __future__ import annotations


def load_libraries(device: str) -> None:
    """Imports what every job computes with, and silences it."""
    import sentence_transformers  # noqa: F401
    import torch

    torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")

    from stbench.records.logs import quiet_libraries

    quiet_libraries()
