"""Whole runs as a person starts them: `python -m stbench …` in an empty folder, with a store of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import stbench
from stbench.records import ledger

ROWS = 200
LIMIT_SECONDS = 240
VERDICT = re.compile(
    r"^VERDICT: (?:WIN|MARGINAL|REGRESSION) \| score=\d\.\d{4} \| baseline=\d\.\d{4} \| delta=[+-]\d\.\d{4}"
    r" \| ci95=\[[+-]\d\.\d{3},[+-]\d\.\d{3}\] \| p=\S+ \| n=\d+"
    r"(?P<dims> \| query_active_dims=\d+\.\d \| corpus_active_dims=\d+\.\d)? \| metric=\S+ \| run=\S+$"
)


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def last(self) -> str:
        return self.out.rstrip("\n").rsplit("\n", 1)[-1]


class Place:
    """A working directory with a small file of pairs, and what runs have left in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        lines = [f"what is thing number {i}?,thing number {i} is a {('tool', 'plant')[i % 2]}" for i in range(ROWS)]
        (folder / "pairs.csv").write_text("\n".join(["question,answer", *lines]) + "\n")

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        own = {
            "STBENCH_CACHE": str(self.folder / "store"),
            "PYTHONPATH": str(Path(stbench.__file__).parents[1]),
            # Two threads on busy processors wait for each other longer than they compute.
            "OMP_NUM_THREADS": "1",
        }
        own_data = any(word.startswith("dataset=") for word in words)
        data = () if own_data else ("dataset=files", "dataset.train=pairs.csv")
        return subprocess.Popen(
            [sys.executable, "-m", "stbench", *data, *words],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **own, **environment},
        )  # fmt: skip

    def run(self, *words: str, **environment: str) -> Done:
        start = time.monotonic()
        process = self.start(*words, **environment)
        return ended(process, start)

    @cached_property
    def experiment(self) -> Path:
        """The folder of the only run."""
        (found,) = (self.folder / "experiments").iterdir()
        return found

    def read(self, name: str) -> Any:
        return json.loads((self.experiment / name).read_text(encoding="utf-8"))

    @property
    def log(self) -> str:
        return (self.folder / "logs" / f"{self.experiment.name}.log").read_text(encoding="utf-8")

    @property
    def ledger(self) -> list[dict[str, str]]:
        return ledger.rows(self.folder / "logs" / "experiments.md")

    @property
    def tracked(self) -> list[Any]:
        """All runs that MLflow knows."""
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=f"sqlite:///{self.folder / 'logs' / 'mlflow.db'}")
        experiments = [item.experiment_id for item in client.search_experiments()]
        return list(client.search_runs(experiments))

    def results(self) -> dict[str, bytes]:
        """All that must be the same to the last digit when the same sentence runs again."""
        import pyarrow.parquet as parquet

        verdict = self.read("verdict.json")
        samples = parquet.read_table(self.experiment / "samples.parquet").to_pydict()
        plain = {"line": verdict["line"], "test": self.read("metrics.json")["test"], "samples": samples}
        return {
            **{name: json.dumps(value).encode() for name, value in plain.items()},
            "weights": (self.experiment / "model" / "model.safetensors").read_bytes(),
        }


def ended(process: subprocess.Popen[str], start: float | None = None) -> Done:
    start = time.monotonic() if start is None else start
    try:
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"no end after {LIMIT_SECONDS} s\n{out}\n{err}") from None
    return Done(process.returncode, out, err, time.monotonic() - start)


def check_verdict(done: Done, code: int = 0) -> re.Match[str]:
    assert done.code == code, done.out + done.err
    assert done.err == ""
    found = VERDICT.match(done.last)
    assert found, done.last
    return found
