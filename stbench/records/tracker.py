"""Where a run's parameters, metrics, data sets and files are tracked: nowhere, or in MLflow.

Tracking is a convenience and never the run itself: it happens in the background, and whatever goes wrong
there is told once and costs the run nothing.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from stbench.records.mlflow_runs import MlflowRun, Point, Status, end_attempts, key, open_run
from stbench.records.mlflow_store import absolute, connect, experiment_id, in_short, patiently, set_environment

FAILURES_IN_A_ROW = 3
"""After so many the tracker stops trying: with a dead server each further call would cost its time-out."""
PARENT_VARIABLE = "STBENCH_PARENT_RUN"
"""Names the MLflow run that the runs of this process, and of those it starts, belong to."""

logger = logging.getLogger("stbench")


class Tracker(Protocol):
    """One run under observation: `start` first, `finish` last, in between any of the others in any order.

    No method raises because of the place it tracks to, and none waits for it except `run_id` and `finish`.
    """

    @property
    def run_id(self) -> str | None:
        """The id for `start(resume=…)`, waited for until it is known; None when the run is not tracked."""

    def start(
        self,
        name: str,
        parameters: Mapping[str, object],
        tags: Mapping[str, str],
        resume: str | None = None,
        replaced: Sequence[str] = (),
    ) -> None:
        """Open a run, or go on with the run `resume` if it still exists, or with that of the attempt in `tags`.

        `replaced` are attempts that nobody goes on with: what a killed process has left of them is ended.
        """

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add one value to the curve of each metric, unless the step has one; step 0 is no curve, and takes the newest."""

    def dataset(self, name: str, digest: str, rows: int, source: str, context: str) -> None:
        """Name a data set that went in; `context` is the split: train, selection, test."""

    def artifacts(self, folder_or_file: Path, into: str = "") -> None:
        """Keep a file, or all a folder holds, in the folder `into`; it must stay on disk until `finish`."""

    def finish(self, status: Status) -> str:
        """Write all that is pending, end the run; what went wrong since `start` in one sentence, or ""."""


class NoTracker:
    """Tracks nothing: `tracker=none`, and every process of a distributed run but the first."""

    run_id: str | None = None

    def start(
        self,
        name: str,
        parameters: Mapping[str, object],
        tags: Mapping[str, str],
        resume: str | None = None,
        replaced: Sequence[str] = (),
    ) -> None:
        pass

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        pass

    def dataset(self, name: str, digest: str, rows: int, source: str, context: str) -> None:
        pass

    def artifacts(self, folder_or_file: Path, into: str = "") -> None:
        pass

    def finish(self, status: Status) -> str:
        return ""


class MlflowTracker:
    """Tracks one run in MLflow, at a server or in a database.

    `uri` is anything MLflow takes. For `sqlite:///FILE` the folder is made, FILE is created under a lock, and
    the artefacts of a new experiment go to `mlartifacts` beside FILE. One thread hands every call on in
    order, so that neither MLflow's import (2 s) nor a new database (2 s) nor a slow disk keeps the training
    waiting. One tracker is for one run: after `finish` it takes no more calls.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri = absolute(uri)
        self._experiment = experiment
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stbench-tracker")
        self._opening: Future[MlflowRun | None] | None = None
        self._points: deque[Point] = deque()
        self._first_failure = ""
        self._failures = 0
        self._in_a_row = 0
        self._finished = False

    @property
    def run_id(self) -> str | None:
        run = self._opening.result() if self._opening else None
        return run.run_id if run else None

    def start(
        self,
        name: str,
        parameters: Mapping[str, object],
        tags: Mapping[str, str],
        resume: str | None = None,
        replaced: Sequence[str] = (),
    ) -> None:
        set_environment()
        given, left = (name, dict(parameters), dict(tags), resume), tuple(replaced)

        def opened() -> MlflowRun:
            client = connect(self._uri)
            place = experiment_id(client, self._experiment)
            end_attempts(client, place, left, "KILLED")
            return open_run(client, place, *given)

        self._opening = self._worker.submit(self._open, opened)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        self._points.extend(Point(key(name), float(value), now, step) for name, value in metrics.items())
        self._hand_on("metrics", self._write_points)

    def dataset(self, name: str, digest: str, rows: int, source: str, context: str) -> None:
        self._hand_on("data set", lambda run: run.dataset(name, digest, rows, source, context))

    def artifacts(self, folder_or_file: Path, into: str = "") -> None:
        # Resolved now: the working directory may be another one when the thread comes to it.
        place = folder_or_file.resolve()
        self._hand_on("artefacts", lambda run: run.artifacts(place, into))

    def finish(self, status: Status) -> str:
        if not self._finished:
            self._finished = True
            self._worker.submit(self._try, "metrics", self._write_points)
            self._worker.submit(self._try, "status", lambda run: run.end(status))
            self._worker.shutdown(wait=True)
        if not self._failures:
            return ""
        return f"failed calls to MLflow: {self._failures}; the first was {self._first_failure}"

    def _open(self, opened: Callable[[], MlflowRun]) -> MlflowRun | None:
        try:
            return patiently(opened)
        except Exception as error:
            self._note("start", error)
            return None

    def _hand_on(self, what: str, action: Callable[[MlflowRun], None]) -> None:
        if not self._finished:
            self._worker.submit(self._unless_hopeless, what, action)

    def _unless_hopeless(self, what: str, action: Callable[[MlflowRun], None]) -> None:
        if self._in_a_row < FAILURES_IN_A_ROW:
            self._try(what, action)

    def _try(self, what: str, action: Callable[[MlflowRun], None]) -> None:
        run = self._opening.result() if self._opening else None
        if run is None:
            return
        try:
            patiently(lambda: action(run))
            self._in_a_row = 0
        except Exception as error:
            self._note(what, error)

    def _note(self, what: str, error: Exception) -> None:
        self._failures += 1
        self._in_a_row += 1
        if not self._first_failure:
            self._first_failure = f"{what}: {in_short(error)}"
            logger.warning("MLflow: %s; the run goes on without it", self._first_failure)

    def _write_points(self, run: MlflowRun) -> None:
        """All that has gathered, in one transaction: a step may take microseconds, a transaction does not."""
        points = list(self._points)
        if points:
            run.metrics(points)
        # Only now: what could not be written is still there for the next attempt.
        for _ in points:
            self._points.popleft()
