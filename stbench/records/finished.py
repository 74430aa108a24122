"""A finished run as it lies in its folder: how it was judged, the outcome of every sample, what it cost, what it was told."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from stbench.cache import key_of
from stbench.records.judgement import KEY, Judgement

SCORED = ("train", "evaluate")
"""Jobs that end with a score."""
SILENT = ("plan", "force", "cache", "runs", "tracker")
"""Options that change no number."""
UNFINISHED = {
    "running": "it is still running, or was killed while it ran",
    "failed": "it failed",
    "interrupted": "it was interrupted",
}


@dataclass(frozen=True)
class RunCost:
    """What a run took, and what its model takes. None: not known."""

    seconds: float | None = None
    training_seconds: float | None = None
    peak_bytes: int | None = None
    parameters: int | None = None
    model_bytes: int | None = None
    """Of the weights as they are saved."""
    texts_per_second: float | None = None
    """Documents encoded, of a cross-encoder pairs scored."""
    query_ms: float | None = None
    """Milliseconds for one query (or pair) alone, the median."""
    index_bytes: float | None = None
    """Of one document."""
    active_dims: float | None = None
    """Of a sparse document."""
    machine: str = ""
    """What the speed was measured on."""


@dataclass(frozen=True)
class FinishedRun:
    """One run that has come to its end."""

    path: Path
    name: str
    job: str
    type: str
    """Of the model."""
    words: str
    """What was said on the command line and changes numbers."""
    verdict: Mapping[str, Any]
    judgement: Judgement
    metrics: Mapping[str, Mapping[str, float]]
    """Readable name to `final`, and `baseline` where there was one."""
    references: Mapping[str, float]
    samples: Mapping[str, Any]
    """Columns as `Scores` has them, of the final model."""
    config: Mapping[str, Any]
    plan: Mapping[str, str]
    """What was decided, by name, without the reasons."""
    history: Sequence[Mapping[str, float]] = ()
    best_step: int | None = None
    cost: RunCost = field(default_factory=RunCost)

    @cached_property
    def question(self) -> str:
        """Digest of metric and samples: runs with the same one can be held against each other."""
        order = self._by_id
        asked = [self.samples[name][order].tolist() for name in ("id", "target", "group") if name in self.samples]
        return key_of(self.judgement.as_dict(), asked)

    def in_order_of(self, other: FinishedRun) -> dict[str, Any]:
        """The samples in the order of `other`, which was asked the same question."""
        import numpy as np

        order = np.empty_like(self._by_id)
        order[other._by_id] = self._by_id
        return {name: column[order] for name, column in self.samples.items()}

    @cached_property
    def _by_id(self) -> Any:
        import numpy as np

        return np.argsort(self.samples["id"], kind="stable")

    @property
    def score(self) -> float:
        return math.nan if self.verdict["score"] is None else float(self.verdict["score"])

    @property
    def baseline(self) -> float | None:
        """Of the untouched model, or of that which an evaluation compares with."""
        found = self.verdict.get("baseline")
        return None if found is None else float(found)

    @property
    def outcome(self) -> str:
        return str(self.verdict["outcome"])


@dataclass(frozen=True)
class LeftOut:
    """A folder that cannot be compared, and why."""

    path: Path
    reason: str
    mend: str = ""
    other_job: bool = False
    """It is no run of its own: what another job wrote, or a verdict over the runs of several seeds."""

    @property
    def name(self) -> str:
        return self.path.name


def read_run(path: Path) -> FinishedRun | LeftOut:
    """The run in the folder `path`, or why there is none; never raises for what stands in it."""
    try:
        return _read(path)
    except _NotARun as reason:
        return reason.left_out
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        return LeftOut(path, f"its files cannot be read ({said})", _again(path, force=True))


class _NotARun(Exception):
    def __init__(self, left_out: LeftOut) -> None:
        super().__init__(left_out.reason)
        self.left_out = left_out


def _read(path: Path) -> FinishedRun:
    status = _json(path, "status.json")
    if status is None:
        raise _NotARun(LeftOut(path, "it holds no run: there is no status.json", "name a folder that a run has made"))
    config = _yaml(path / "config.yaml")
    job = config["job"]["kind"]
    if job not in SCORED:
        raise _NotARun(LeftOut(path, f"job={job} has no score", "name a run of job=train or job=evaluate", True))
    if config["training"]["trial"]:
        mend = "run the sentence without training=smoke"
        raise _NotARun(LeftOut(path, "it is a trial on a slice, whose score says nothing", mend))
    if status["state"] != "finished":
        state = UNFINISHED.get(status["state"], f"it is {status['state']}")
        state += f": {status['reason']}" if status.get("reason") else ""
        raise _NotARun(LeftOut(path, state, _again(path)))
    if (seeds := _json(path, "seeds.json")) is not None:
        names = ",".join(one["run"] for one in seeds)
        raise _NotARun(LeftOut(path, "it is a verdict over several runs", f"name these: runs=[{names}]", True))
    metrics = _needed(path, "metrics.json")
    if KEY not in metrics:
        what = "it was written before runs told how they were judged"
        raise _NotARun(LeftOut(path, what, _again(path, force=True)))
    return FinishedRun(
        path=path, name=path.name, job=job, type=config["model"]["type"], words=_words(path), verdict=_verdict(path),
        judgement=Judgement.from_dict(metrics[KEY]), metrics=metrics["test"], references=metrics["references"],
        samples=_samples(path / "samples.parquet"), config=config, plan=_plan(path),
        history=_json(path, "history.json") or (), best_step=metrics.get("best_step"), cost=_cost(path, metrics),
    )  # fmt: skip


def _again(path: Path, force: bool = False) -> str:
    """The command that makes the run whole."""
    file = path / "command.txt"
    said = file.read_text(encoding="utf-8").strip() if file.is_file() else "run its sentence again"
    return f"{said} force=true" if force else said


def _json(path: Path, name: str) -> Any:
    file = path / name
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _needed(path: Path, name: str) -> Any:
    found = _json(path, name)
    if found is None:
        raise _NotARun(LeftOut(path, f"{name} is missing", _again(path, force=True)))
    return found


def _verdict(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _needed(path, "verdict.json")
    for name in ("outcome", "score", "metric", "n"):
        found[name]
    return found


def _yaml(file: Path) -> Any:
    import yaml

    # The one in C is ten times as fast; not every build has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with file.open(encoding="utf-8") as text:
        return yaml.load(text, Loader=loader)


def _words(path: Path) -> str:
    file = path / "command.txt"
    said = shlex.split(file.read_text(encoding="utf-8")) if file.is_file() else []
    program = ["python", "-m", "stbench"] if said[:1] == ["python"] else ["stbench"]
    words = said[len(program) :] if said[: len(program)] == program else said
    return " ".join(word for word in words if re.split(r"[.=]", word)[0] not in SILENT)


def _plan(path: Path) -> dict[str, str]:
    file = path / "plan.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    parts = [re.split(r"\s{2,}", line, maxsplit=1) for line in lines]
    return {what: rest[0].split("  (")[0] for what, *rest in parts if rest}


def _samples(file: Path) -> dict[str, Any]:
    """The columns of the final model."""
    import numpy as np
    from pyarrow.parquet import ParquetFile

    # By read_table or to_numpy pandas would be imported, which takes longer than all the rest.
    table = ParquetFile(file).read()
    names = {name: name.removeprefix("final_") for name in table.column_names if not name.startswith("baseline_")}
    columns = {short: np.array(table.column(name).to_pylist()) for name, short in names.items()}
    if not len(columns["id"]):
        raise ValueError("samples.parquet has no rows")
    return {**columns, "id": columns["id"].astype(str)}


def _cost(path: Path, metrics: Mapping[str, Any]) -> RunCost:
    measured = _json(path, "cost.json") or {}
    after, machine = measured.get("after") or {}, measured.get("machine") or {}
    seconds = metrics.get("seconds") or {}
    weights = list(_weights(path / "model"))
    return RunCost(
        seconds=seconds.get("in all"), training_seconds=seconds.get("training"), peak_bytes=metrics.get("peak_bytes"),
        parameters=after.get("parameters") or sum(number for number, _ in weights) or None,
        model_bytes=after.get("model_bytes") or sum(size for _, size in weights) or None,
        texts_per_second=after.get("texts_per_second"), query_ms=after.get("query_ms_median"),
        index_bytes=after.get("index_bytes_per_document"), active_dims=after.get("active_dims"),
        machine=", ".join(str(machine[name]) for name in ("device", "processors") if machine.get(name)),
    )  # fmt: skip


def _weights(folder: Path) -> Iterator[tuple[int, int]]:
    """(parameters, bytes) of each file of weights."""
    for file in sorted(folder.glob("**/*.safetensors")):
        with file.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        shapes = [one["shape"] for name, one in header.items() if name != "__metadata__"]
        yield sum(math.prod(shape) for shape in shapes), file.stat().st_size
