"""Script: `killed_runs.py SETTING` runs the records of made-up trainings that are killed at each of their deeds, and repeats them.

SETTING is a pickled (sentence, plan). Prints in its last line, as JSON: the number of `deeds` that a run has, and how often
the last run was `killed`.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from records.forked import begin, ended, load
from records.small_record import COSTS, SIZES, TRAINED, scores, splits

from stbench.cache import Store
from stbench.jobs.lifecycle import finished, is_done
from stbench.records import ledger
from stbench.records import record as module
from stbench.records.folder import RunFolder
from stbench.verdict.judge import judge

COMMAND = "python -m stbench"
STEPS = 6
EACH = 2
"""Steps to a checkpoint."""
MANY_TIMES = "many-times"
TAKEN = Path("steps.jsonl")
CALLS = (
    "search_runs", "create_run", "update_run", "log_batch", "log_inputs", "log_artifact", "log_artifacts", "set_terminated",
)  # fmt: skip


def die_at(fatal: int) -> None:
    """Kills this process before its deed number `fatal`: a file of its folder, a line, something removed, a call to MLflow."""
    from mlflow.tracking import MlflowClient

    numbers = itertools.count(1)

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def deed(*given: Any, **more: Any) -> Any:
            if next(numbers) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)

        return deed

    doers = [(RunFolder, "write"), (ledger, "append"), (shutil, "rmtree"), *((MlflowClient, name) for name in CALLS)]
    for owner, name in doers:
        setattr(owner, name, deadly(getattr(owner, name)))


def run(setting: Any, name: str, fatal: int = 0) -> None:
    """What `stbench.run` does, without model and data."""
    folder, (sentence, plan) = RunFolder(name), setting
    if fatal:
        die_at(fatal)
    if is_done(folder, sentence):
        finished(folder, sentence)
        return
    with folder.held(), module.recording(folder, sentence, plan, COMMAND, Store(Path("store"), "off")) as record:
        record.start_tracking()
        record.data(splits())
        train(record, name)
        record.model_folder.mkdir(exist_ok=True)
        (record.model_folder / "model.safetensors").write_text("x")
        before, after = {"validation": scores(0.3), "test": scores(0.25)}, {"test": scores(0.75)}
        verdict = judge(before["test"], after["test"], resamples=50)
        trained = replace(TRAINED, history=tuple(entry(step) for step in range(1, STEPS + 1)))
        record.finish(verdict, before, after, trained, splits(), SIZES, COSTS)


def train(record: module.Recording, name: str) -> None:
    checkpoint = record.checkpoints / "step"
    before = int(checkpoint.read_text()) if checkpoint.is_file() else 0
    for step in range(before + 1, STEPS + 1):
        with TAKEN.open("a") as file:
            file.write(json.dumps([name, step]) + "\n")
        record.step(entry(step), step)
        if step % EACH == 0:
            record.checkpoints.mkdir(exist_ok=True)
            new = checkpoint.with_suffix(".new")
            new.write_text(str(step))
            new.replace(checkpoint)


def entry(step: int) -> dict[str, float]:
    return {"step": step, "loss": 1 / step, "epoch": step / STEPS}


def at_each_deed(setting: Any) -> int:
    """One run for each deed: killed there, started again, and once more."""
    for fatal in itertools.count(1):
        name = f"at-{fatal}"
        code = ended(begin(lambda name=name, fatal=fatal: run(setting, name, fatal)))  # type: ignore[misc]
        if code == 0:
            return fatal - 1
        assert code == -signal.SIGKILL, (fatal, code)
        for _ in range(2):
            assert ended(begin(lambda name=name: run(setting, name))) == 0, fatal  # type: ignore[misc]
    raise AssertionError


def many_times(setting: Any) -> int:
    """One run that is killed ever later."""
    for killed in itertools.count():
        code = ended(begin(lambda killed=killed: run(setting, MANY_TIMES, 3 * (killed + 1))))  # type: ignore[misc]
        if code == 0:
            return killed
        assert code == -signal.SIGKILL, (killed, code)
    raise AssertionError


def main(file: str) -> None:
    load("datasets", "pyarrow.parquet", "scipy.special")
    # Seconds that are not what this is about.
    module.write = lambda record, path: path.write_text(record.line)  # type: ignore[assignment]
    setting = pickle.loads(Path(file).read_bytes())
    deeds, killed = at_each_deed(setting), many_times(setting)
    print(json.dumps({"deeds": deeds, "killed": killed}))


if __name__ == "__main__":
    main(sys.argv[1])
