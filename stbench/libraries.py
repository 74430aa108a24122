"""The heavy imports, once the plan is accepted."""

from __future__ import annotations


def load_libraries(device: str, threads: int | None = None) -> None:
    """Imports what every job computes with, and silences it; `threads` of the processor, None: as many as there are."""
    import sentence_transformers  # noqa: F401
    import torch

    torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")
    if threads is not None:
        use_threads(threads)

    from stbench.records.logs import quiet_libraries

    quiet_libraries()


def use_threads(number: int) -> None:
    """For every library that has been loaded."""
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(number)
    torch.set_num_threads(number)
