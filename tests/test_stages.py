"""What the stages decide by themselves: what is refused before data or weights are loaded, and when vectors collapsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stbench.audit.finding import Audit, Finding
from stbench.cache import Store
from stbench.errors import Refused
from stbench.evaluation.scores import Scores
from stbench.stages import DENSEST, Stages, active_dims, collapsed

if TYPE_CHECKING:
    from stbench.plan.plan import Plan


class Record:
    """Stands for the records of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.tracked = False

    def start_tracking(self) -> None:
        self.tracked = True


def test_wrong_names_for_the_library_are_refused_together_before_anything_is_loaded(
    plan_of: Callable[..., Plan], data: Mapping[str, Path], tmp_path: Path
) -> None:
    words = ("loss.arguments.scael=1", "training.extra.max_grad_nrm=1")
    plan = plan_of("dataset=files", f"dataset.train={data['pair']}", *words)
    record: Any = Record()
    with pytest.raises(Refused) as refusal:
        Stages(plan, Store(tmp_path / "store", "on"), record)
    assert {problem.where for problem in refusal.value.problems} == {
        "loss.arguments.scael", "training.extra.max_grad_nrm",
    }  # fmt: skip
    assert not record.tracked
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(("max_leak", "outcome"), [(0.04, "MARGINAL"), (0.05, "WIN")])
def test_leaks_deny_a_win(max_leak: float, outcome: str, say: Callable[..., Any]) -> None:
    stages: Any = object.__new__(Stages)
    stages._record = Record()
    samples = {"id": np.arange(40), "value": np.linspace(0, 0.5, 40)}
    before = Scores("m", {"m": 0.25}, "mean", samples)
    after = Scores("m", {"m": 0.5}, "mean", {**samples, "value": samples["value"] + 0.25})
    audit = Audit((Finding("test_leak", 2, 40, "test queries", "leak"),))
    found = stages.verdict({"test": before}, {"test": after}, say(f"verdict.max_leak={max_leak}").sentence, audit)
    assert found.outcome == outcome
    assert bool(found.reservations) == ("leak" in found.extras) == (outcome == "MARGINAL")


def scores(**metrics: float) -> Scores:
    return Scores("m", {"m": 0.5, **metrics}, "mean", {})


@pytest.mark.parametrize(
    ("metrics", "dims"),
    [
        ({}, {}),
        (
            {"test_query_active_dims": 4.0, "test_corpus_active_dims": 9.0, "test_avg_flops": 1.0},
            {"query_active_dims": 4.0, "corpus_active_dims": 9.0},
        ),
        # Of scored pairs the library counts both sides together.
        ({"test_active_dims": 7.0, "test_sparsity_ratio": 0.9}, {"query_active_dims": 7.0, "corpus_active_dims": 7.0}),
    ],
)
def test_sparse_scores_tell_how_many_dimensions_are_active(metrics: dict[str, float], dims: dict[str, float]) -> None:
    assert active_dims(scores(**metrics)) == dims


@pytest.mark.parametrize(
    ("corpus", "state"),
    [
        (None, None),
        (0.5, "empty"),
        (1.0, None),
        (200.0, None),
        (DENSEST, None),
        (DENSEST + 1, "dense"),
        (30522.0, "dense"),
    ],
)
def test_vectors_that_are_empty_or_dense_have_collapsed(corpus: float | None, state: str | None) -> None:
    said = collapsed({} if corpus is None else {"corpus_active_dims": corpus})
    assert len(said) == (state is not None)
    assert all(f"the vectors are {state}" in reason for reason in said)


def test_a_run_is_not_lost_where_there_is_no_room_for_a_second_model(
    plan_of: Callable[..., Plan], data: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from datasets import Dataset

    from stbench.data.splits import Splits

    def none_left(*_: Any) -> None:
        raise MemoryError("no room")

    plan, record = plan_of("dataset=files", f"dataset.train={data['pair']}"), Record()
    stages = Stages(plan, Store(tmp_path / "store", "on"), record)  # type: ignore[arg-type]
    monkeypatch.setattr("stbench.evaluation.metering.compared", none_left)
    monkeypatch.setattr(Stages, "_model", None)
    rows = Dataset.from_dict({"anchor": ["a"], "positive": ["b"]})
    splits = Splits(rows, rows, rows, "pair")
    assert stages.cost(splits, {"test": scores()}, {"test": scores()}) is None
    assert "speed and size could not be measured: no room" in capsys.readouterr().out
    assert "cost" in record.seconds


def test_cost_can_be_switched_off(plan_of: Callable[..., Plan], data: Mapping[str, Path], tmp_path: Path) -> None:
    record: Any = Record()
    plan = plan_of("dataset=files", f"dataset.train={data['pair']}", "evaluator.cost=false")
    nothing: Any = None
    assert Stages(plan, Store(tmp_path / "store", "on"), record).cost(nothing, {}, {}) is None
    assert record.seconds.keys() == {"libraries"}
