"""Device and precision, found out without importing torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from stbench.config.sentence import Hardware, Precision
from stbench.errors import Problem

Mode = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Machine:
    """What computes here."""

    device: Literal["cpu", "cuda", "mps"]
    name: str
    bf16: bool
    """Whether there are matrix units for bfloat16."""
    memory_bytes: int | None = None
    capability: float | None = None
    """Compute capability of an NVIDIA GPU."""


@cache
def machine() -> Machine:
    """The best device of this machine."""
    gpu = _nvidia()
    if gpu is not None:
        return gpu
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return Machine("mps", "Apple GPU", bf16=False)
    return processor()


@cache
def processor() -> Machine:
    """The CPU: bfloat16 pays only where it has AMX (docs/decisions.md has the figures)."""
    if "amx_bf16" in _cpu_flags():
        return Machine("cpu", "CPU with amx_bf16", bf16=True)
    return Machine("cpu", "CPU without matrix units for bfloat16", bf16=False)


def choose_device(hardware: Hardware) -> tuple[Machine, Problem | None]:
    found = machine()
    if hardware.device in ("auto", found.device):
        return found, None
    if hardware.device == "cpu":
        return processor(), None
    problem = Problem(f"this machine has no {hardware.device} device", f"hardware={hardware.device}", "hardware=auto")
    return found, problem


def choose_precision(precision: Precision, device: Machine, static: bool) -> tuple[Mode, str, Problem | None]:
    """(mode, why, problem)."""
    if precision.mode == "fp16" and device.device == "cpu":
        problem = Problem("float16 autocast needs a GPU", "precision=fp16", "precision=auto")
        return "fp32", "", problem
    if precision.mode != "auto":
        slow = precision.mode == "bf16" and not device.bf16
        return precision.mode, f"asked for; slower than fp32 on a {device.name}" if slow else "asked for", None
    if static:
        return "fp32", "static embeddings have no matrix product that bf16 would speed up", None
    if device.bf16:
        return "bf16", f"{device.name}; autocast, weights stay fp32", None
    if device.device == "cuda":
        return "fp16", f"{device.name} has no bfloat16 units; autocast, weights stay fp32", None
    return "fp32", device.name, None


def _cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return set()
    for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(("flags", "Features")):
            return set(line.split(":", 1)[1].split())
    return set()


def _nvidia() -> Machine | None:
    """The first GPU, as its driver describes it; None where there is none, it is hidden, or torch cannot use it."""
    program = shutil.which("nvidia-smi")
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if program is None or hidden or version("torch").endswith("+cpu"):
        return None
    query = [program, "--query-gpu=name,compute_cap,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
        name, capability, memory = (part.strip() for part in answer.splitlines()[0].split(","))
        number = float(capability)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    # Where GPU and processor share their memory the driver names no amount.
    return Machine("cuda", name, number >= 8.0, int(memory) * 2**20 if memory.isdigit() else None, number)
