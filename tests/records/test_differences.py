"""Of two sentences only what is not the same in both, and never what only describes a choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from small_runs import CONFIG, PLAN, outcomes, scores, write_evaluation, write_run

from stbench.records.differences import decided, said
from stbench.records.finished import FinishedRun, read_run


def runs(root: Path, *files: dict[str, Any]) -> list[FinishedRun]:
    found = [
        read_run(write_run(root, f"run-{place}", scores(outcomes(0.2)), **some)) for place, some in enumerate(files)
    ]
    return [run for run in found if isinstance(run, FinishedRun)]


def config(**groups: Any) -> dict[str, str]:
    merged = {
        name: {**value, **groups.pop(name, {})} if isinstance(value, dict) else value for name, value in CONFIG.items()
    }
    return {"config.yaml": json.dumps({**merged, **groups})}


def as_dict(rows: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    return {row.what: row.values for row in rows}


def test_equal_sentences_do_not_differ(tmp_path: Path) -> None:
    same = runs(tmp_path, {}, {})
    assert said(same) == decided(same) == []


def test_options_that_differ_stand_as_they_would_be_typed(tmp_path: Path) -> None:
    found = runs(tmp_path, config(seed=3), config(training={"epochs": 2.0, "extra": {"adam_beta2": 0.9}}), {})
    assert as_dict(said(found)) == {
        "training.epochs": ("null", "2.0", "null"),
        "training.extra.adam_beta2": ("–", "0.9", "–"),
        "seed": ("3", "12", "12"),
    }


def test_descriptions_trackers_and_what_files_say_of_themselves_are_no_difference(tmp_path: Path) -> None:
    other = config(
        loss={"summary": "other", "types": {}}, model={"suggests": {}}, tracker={"kind": "mlflow"}, force=True
    )
    assert said(runs(tmp_path, {}, other)) == []


def test_what_was_decided_differs_by_value_and_not_by_reason(tmp_path: Path) -> None:
    other = PLAN.replace("suggested by the model type", "said").replace("small: 100 rows", "large: 900 rows")
    assert decided(runs(tmp_path / "a", {}, {"plan.txt": other})) == []
    other = PLAN.replace("32", "64") + "miner       wordllama\n"
    found = as_dict(decided(runs(tmp_path / "b", {}, {"plan.txt": other})))
    assert found == {"batch size": ("32", "64"), "miner": ("–", "wordllama")}


def test_that_an_evaluation_trains_nothing_is_no_difference(tmp_path: Path) -> None:
    (trained,) = runs(tmp_path, {})
    path = write_evaluation(tmp_path, "evaluate-one", scores(outcomes(0.2)))
    (path / "plan.txt").write_text("job         evaluate\nbatch size  64\n", encoding="utf-8")
    evaluated = read_run(path)
    assert isinstance(evaluated, FinishedRun)
    assert as_dict(decided([trained, evaluated])) == {"batch size": ("32", "64")}
