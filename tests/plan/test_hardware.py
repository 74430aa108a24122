from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stbench.config.sentence import Hardware, Precision
from stbench.plan import hardware
from stbench.plan.hardware import Machine, choose_device, choose_precision, machine, processor

CPU = Machine("cpu", "CPU without bfloat16 units", bf16=False)
FAST_CPU = Machine("cpu", "CPU with amx_bf16", bf16=True)
AMPERE = Machine("cuda", "A100", bf16=True, memory_bytes=80 * 2**30, capability=8.0)
TURING = Machine("cuda", "T4", bf16=False, memory_bytes=16 * 2**30, capability=7.5)
APPLE = Machine("mps", "Apple GPU", bf16=False)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for found in (machine, processor):
        found.cache_clear()
    yield
    for found in (machine, processor):
        found.cache_clear()


def precision(mode: Any, device: Machine, static: bool = False) -> tuple[str, str, str]:
    mode, why, problem = choose_precision(Precision(mode=mode), device, static)
    return mode, why, problem.mend if problem else ""


@pytest.mark.parametrize(
    ("device", "static", "mode"),
    [
        (CPU, False, "fp32"), (FAST_CPU, False, "bf16"), (AMPERE, False, "bf16"), (TURING, False, "fp16"),
        (APPLE, False, "fp32"), (AMPERE, True, "fp32"), (FAST_CPU, True, "fp32"),
    ],
)  # fmt: skip
def test_precision_by_what_the_device_is_good_at(device: Machine, static: bool, mode: str) -> None:
    found, why, mend = precision("auto", device, static)
    assert (found, mend) == (mode, "")
    assert why


@pytest.mark.parametrize("mode", ["fp32", "bf16"])
def test_precision_as_asked(mode: str) -> None:
    assert precision(mode, AMPERE) == (mode, "asked for", "")


def test_emulated_bf16_is_said_to_be_slow() -> None:
    assert "slower" in precision("bf16", CPU)[1]


def test_fp16_is_refused_on_a_cpu_alone() -> None:
    assert precision("fp16", FAST_CPU)[2] == "precision=auto"
    assert precision("fp16", TURING) == ("fp16", "asked for", "")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A machine with a driver that answers as told, and a torch that can use a GPU."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(hardware, "version", lambda name: "2.8.0+cu128")
    monkeypatch.setattr(hardware.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(hardware.platform, "system", lambda: "Linux")

    def answers(text: str) -> None:
        done = subprocess.CompletedProcess([], 0, stdout=text)
        monkeypatch.setattr(hardware.subprocess, "run", lambda *words, **more: done)

    answers("NVIDIA T4, 7.5, 15360\nNVIDIA T4, 7.5, 15360\n")
    return answers


def test_the_gpu_is_read_from_its_driver(driver: Callable[[str], None]) -> None:
    assert machine() == Machine("cuda", "NVIDIA T4", bf16=False, memory_bytes=15360 * 2**20, capability=7.5)


def test_a_gpu_without_memory_of_its_own_is_a_gpu(driver: Callable[[str], None]) -> None:
    driver("NVIDIA GB10, 12.1, [N/A]\n")
    assert machine() == Machine("cuda", "NVIDIA GB10", bf16=True, memory_bytes=None, capability=12.1)


@pytest.mark.parametrize("answer", ["", "no devices were found\n", "T4, unknown, 1\n"])
def test_a_driver_that_makes_no_sense_is_no_gpu(answer: str, driver: Callable[[str], None]) -> None:
    driver(answer)
    assert machine().device == "cpu"


def test_a_driver_that_hangs_is_no_gpu(driver: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*words: Any, timeout: float, **more: Any) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", timeout)

    monkeypatch.setattr(hardware.subprocess, "run", hang)
    assert machine().device == "cpu"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_gpu_that_is_hidden_is_none(
    hidden: str, driver: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert machine().device == "cpu"


def test_a_gpu_that_torch_was_not_built_for_is_none(
    driver: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "version", lambda name: "2.8.0+cpu")
    assert machine().device == "cpu"


def test_an_apple_processor_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_nvidia", lambda: None)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert machine() == APPLE


@pytest.mark.parametrize(
    ("text", "bf16"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512f\n", False),
        ("processor : 0\nflags\t\t: fpu amx_bf16 avx512_bf16\n", True),
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16\n", False),
        ("processor : 0\nFeatures : fp asimd\n", False),
        ("nothing", False),
    ],
)
def test_matrix_units_are_read_from_the_flags(
    text: str, bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(text, encoding="utf-8")
    monkeypatch.setattr(hardware, "Path", lambda name: info)
    found = processor()
    assert found.bf16 is bf16
    assert ("amx_bf16" in found.name) is bf16


@pytest.mark.parametrize("asked", ["auto", "cuda"])
def test_the_device_that_is_there_is_taken(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "machine", lambda: AMPERE)
    assert choose_device(Hardware(device=asked)) == (AMPERE, None)


def test_the_cpu_can_be_asked_for_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "machine", lambda: AMPERE)
    found, problem = choose_device(Hardware(device="cpu"))
    assert (found.device, problem) == ("cpu", None)


@pytest.mark.parametrize("asked", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "machine", lambda: CPU)
    _, problem = choose_device(Hardware(device=asked))
    assert problem is not None
    assert (problem.where, problem.mend) == (f"hardware={asked}", "hardware=auto")
