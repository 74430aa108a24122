"""Script: `many_runs.py URI NUMBER` tracks so many runs, each in a process of its own, from the same moment on.

Prints a JSON line each: run_id, trouble.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from records.forked import begin, ended, load

EXPERIMENT = "together"
STEPS = 60
METRICS = ("loss", "score", "learning_rate", "grad_norm")
PARAMETERS = 40


def track(uri: str, number: int) -> None:
    from stbench.records.tracker import MlflowTracker

    tracker = MlflowTracker(uri, EXPERIMENT)
    parameters = {f"option.{index}": number * index for index in range(PARAMETERS)}
    tracker.start(f"run-{number}", parameters, {"stbench.attempt": f"attempt-{number}"})
    tracker.dataset("pairs", "d" * 32, rows=100, source="pairs.csv", context="train")
    for step in range(1, STEPS + 1):
        tracker.log(dict.fromkeys(METRICS, number + step), step)
        # Slow enough for many transactions, which is what gets in each other's way.
        time.sleep(0.02)
    file = Path(f"report-{number}.html")
    file.write_text(f"of {number}")
    tracker.artifacts(file)
    trouble = tracker.finish("FINISHED")
    os.write(1, (json.dumps({"run_id": tracker.run_id, "trouble": trouble}) + "\n").encode())


def wait_then_track(gate: int, uri: str, number: int) -> None:
    os.read(gate, 1)
    track(uri, number)


def main(uri: str, number: int) -> None:
    load()
    gate, open_gate = os.pipe()
    children = []
    for one in range(number):
        children.append(begin(lambda one=one: (os.close(open_gate), wait_then_track(gate, uri, one))))
    os.close(open_gate)
    assert [ended(child) for child in children] == [0] * number


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
