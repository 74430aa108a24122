"""How many jobs run at a time, and what each of them may use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

JOB_BYTES = 2 * 2**30
"""Memory that a job is given room for; what its plan says is not known before it is planned."""


@dataclass(frozen=True)
class Slot:
    """Place for one job."""

    cores: tuple[int, ...]
    gpu: str | None = None
    """As `CUDA_VISIBLE_DEVICES` names it; None: the job computes on the processor."""


def slots(said: int | None, jobs: int) -> list[Slot]:
    """`said` places, or one a GPU; without a GPU as many as there are jobs, cores, and room in memory.

    The cores are shared out evenly, each of them to one slot where there are enough.
    """
    gpus, cores = _gpus(), _cores()
    number = max(1, said or len(gpus) or min(jobs, len(cores), _room()))
    shares = [tuple(cores[place::number]) or (cores[place % len(cores)],) for place in range(number)]
    return [Slot(share, gpus[place % len(gpus)] if gpus else None) for place, share in enumerate(shares)]


def _cores() -> Sequence[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def _room() -> int:
    import psutil

    return max(1, int(psutil.virtual_memory().available // JOB_BYTES))


def _gpus() -> list[str]:
    """The GPUs that may be used here."""
    from stbench.plan.hardware import machine

    if machine().device != "cuda":
        return []
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return visible.split(",")
    program = shutil.which("nvidia-smi")
    query = [str(program), "--query-gpu=index", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ["0"]
    return answer.split()
