"""A profile tells the truth about which steps it measured, and what they spent their time on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_models import Tiny
from training.test_train import Run

from stbench.plan.plan import Plan
from stbench.training.profiling import BACKWARD, FORWARD, STEPS, profiled


def event(key: str, count: int, alone: float, whole: float, gpu: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(
        key=key, count=count, self_cpu_time_total=alone, cpu_time_total=whole, self_device_time_total=gpu
    )


EVENTS = (
    event("enumerate(DataLoader)#_Single.__next__", 2, 1e5, 1e5),
    event(FORWARD, 2, 1e5, 6e5),
    event(BACKWARD, 2, 0, 2e5),
    event("Optimizer.step#AdamW.step", 2, 0, 1e5),
    event("aten::addmm", 20, 5e5, 5e5),
    event("aten::gelu", 4, 2e5, 2e5),
    event("aten::empty", 99, 1e5, 1e5),
)


def test_phases_are_shares_of_the_steps_and_operators_of_what_was_computed() -> None:
    found = profiled(EVENTS, 2)
    assert (found.steps, found.seconds) == (2, pytest.approx(1.0))
    assert {one.name: round(one.share, 3) for one in found.phases} == {
        "reading rows": 0.1, "forward and loss": 0.6, "backward": 0.2, "optimiser": 0.1,
    }  # fmt: skip
    assert [(one.name, one.calls, one.share) for one in found.operators] == [
        ("aten::addmm", 20, 0.5), ("aten::gelu", 4, 0.2), ("aten::empty", 99, 0.1),
    ]  # fmt: skip


def test_on_a_gpu_its_own_time_counts() -> None:
    found = profiled([event("launch", 1, 9e5, 9e5), event("gemm", 1, 0, 0, gpu=3e5)], 1)
    assert [(one.name, one.seconds, one.share) for one in found.operators] == [("gemm", 0.3, 1.0), ("launch", 0.0, 0.0)]


@pytest.mark.parametrize(("steps", "measured"), [(12, STEPS), (3, 1), (1, 1)])
def test_a_run_is_measured_after_its_first_steps(
    steps: int, measured: int, plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny, tmp_path: Path
) -> None:
    words = (f"training.max_steps={steps}", "training.batch_size=2", "training.epochs=4", "training.eval_steps=1.0")
    place = (f"base_model.path={tiny.plain}", f"dataset.train={data['pair']}", "training.profile=true")
    plan = plan_of("base_model=path", "dataset=files", *place, *words)
    found = Run(plan, tmp_path / "checkpoints")().profile
    assert found is not None
    assert found.steps == measured
    assert {one.name: one.calls for one in found.phases if one.name in ("forward and loss", "backward")} == {
        "forward and loss": measured, "backward": measured,
    }  # fmt: skip
    assert 0.9 < sum(one.share for one in found.phases) <= 1.001
    assert any("mm" in one.name for one in found.operators)
    events = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    assert sum(one.get("name") == FORWARD and one.get("ph") == "X" for one in events) == measured
