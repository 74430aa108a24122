"""Where a run's parameters, metrics, data sets and files are tracked: nowhere, or in MLflow.

Tracking is a convenience and never the run itself: it happens in the background, and whatever goes wrong
there is told once and costs the run nothing.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run
    from mlflow.tracking import MlflowClient

Status = Literal["FINISHED", "FAILED", "KILLED"]
T = TypeVar("T")

LONGEST_PARAMETER = 6000
LONGEST_TAG = 8000
LONGEST_NAME = 250
LONGEST_DIGEST = 36
SQLITE = "sqlite:///"
CREATION_WAIT_SECONDS = 120.0
RACES = ("database is locked", "table is locked", "already exists")
"""What SQLite says when another process was there first; a moment later the same call works."""
RACE_PAUSES_SECONDS = (0.1, 0.3, 1.0, 3.0)
FAILURES_IN_A_ROW = 3
"""After so many the tracker stops trying: with a dead server each further call would cost its time-out."""
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Defaults that MLflow reads on import and on each request; what the user has set stays."""
LOG_LEVELS = {
    "mlflow": logging.WARNING,
    "alembic": logging.WARNING,
    # These two print a stack trace for each attempt; the last failure is reported here instead.
    "mlflow.store.db.utils": logging.CRITICAL,
    "urllib3.connectionpool": logging.ERROR,
}

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
    ) -> None:
        """Open a run, or go on with the run `resume` if it still exists."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Add one value to the curve of each metric."""

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


class _Point(NamedTuple):
    name: str
    value: float
    milliseconds: int
    step: int


class _MlflowRun:
    """An open MLflow run, written to at once and with errors raised; lives in the tracker's thread."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    def metrics(self, points: Iterable[_Point]) -> None:
        from mlflow.entities import Metric

        self.client.log_batch(self.run_id, metrics=[Metric(*point) for point in points])

    def dataset(self, name: str, digest: str, rows: int, source: str, context: str) -> None:
        data = _dataset_input(name, digest, rows, source, context)
        self.client.log_inputs(self.run_id, datasets=[data])

    def artifacts(self, folder_or_file: Path, into: str) -> None:
        keep = self.client.log_artifacts if folder_or_file.is_dir() else self.client.log_artifact
        keep(self.run_id, str(folder_or_file), into or None)

    def end(self, status: Status) -> None:
        self.client.set_terminated(self.run_id, status)


class MlflowTracker:
    """Tracks one run in MLflow, at a server or in a database.

    `uri` is anything MLflow takes. For `sqlite:///FILE` the folder is made, FILE is created under a lock, and
    the artefacts of a new experiment go to `mlartifacts` beside FILE. One thread hands every call on in
    order, so that neither MLflow's import (2 s) nor a new database (2 s) nor a slow disk keeps the training
    waiting. One tracker is for one run: after `finish` it takes no more calls.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self._uri = _absolute(uri)
        self._experiment = experiment
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stbench-tracker")
        self._opening: Future[_MlflowRun | None] | None = None
        self._points: deque[_Point] = deque()
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
    ) -> None:
        # Here and not in the thread: setting the environment while other threads read it is not safe.
        for variable, value in ENVIRONMENT.items():
            os.environ.setdefault(variable, value)
        self._opening = self._worker.submit(self._open, name, dict(parameters), dict(tags), resume)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        self._points.extend(_Point(_key(name), float(value), now, step) for name, value in metrics.items())
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

    def _open(
        self, name: str, parameters: dict[str, object], tags: dict[str, str], resume: str | None
    ) -> _MlflowRun | None:
        try:
            client, experiment_id = _patiently(lambda: _connect(self._uri, self._experiment))
            return _patiently(lambda: _opened(client, experiment_id, name, parameters, tags, resume))
        except Exception as error:
            self._note("start", error)
            return None

    def _hand_on(self, what: str, action: Callable[[_MlflowRun], None]) -> None:
        if not self._finished:
            self._worker.submit(self._unless_hopeless, what, action)

    def _unless_hopeless(self, what: str, action: Callable[[_MlflowRun], None]) -> None:
        if self._in_a_row < FAILURES_IN_A_ROW:
            self._try(what, action)

    def _try(self, what: str, action: Callable[[_MlflowRun], None]) -> None:
        run = self._opening.result() if self._opening else None
        if run is None:
            return
        try:
            _patiently(lambda: action(run))
            self._in_a_row = 0
        except Exception as error:
            self._note(what, error)

    def _note(self, what: str, error: Exception) -> None:
        self._failures += 1
        self._in_a_row += 1
        if not self._first_failure:
            self._first_failure = f"{what}: {_in_short(error)}"
            logger.warning("MLflow: %s; the run goes on without it", self._first_failure)

    def _write_points(self, run: _MlflowRun) -> None:
        """All that has gathered, in one transaction: a step may take microseconds, a transaction does not."""
        points = list(self._points)
        if points:
            run.metrics(points)
        # Only now: what could not be written is still there for the next attempt.
        for _ in points:
            self._points.popleft()


def _connect(uri: str, experiment: str) -> tuple[MlflowClient, str]:
    """A client for `uri` and the id of the experiment, both created where missing."""
    from mlflow.tracking import MlflowClient

    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    with _creation_lock(uri):
        client = MlflowClient(tracking_uri=uri)
        return client, _experiment_id(client, experiment, _artifact_location(uri))


def _opened(
    client: MlflowClient,
    experiment_id: str,
    name: str,
    parameters: Mapping[str, object],
    tags: Mapping[str, str],
    resume: str | None,
) -> _MlflowRun:
    from mlflow.entities import Param, RunTag

    run = _resumed(client, resume) if resume else None
    run = run or client.create_run(experiment_id, run_name=name)
    run_id, known = run.info.run_id, run.data.params
    values = {_key(key): _parameter(value) for key, value in parameters.items()}
    # MLflow refuses to log a parameter again with another value.
    params = [Param(key, value) for key, value in values.items() if key not in known]
    marks = [RunTag(_key(key), str(value)[:LONGEST_TAG]) for key, value in {**_origin(), **tags}.items()]
    client.log_batch(run_id, params=params, tags=marks)
    return _MlflowRun(client, run_id)


def _resumed(client: MlflowClient, run_id: str) -> Run | None:
    """A run that still exists, set running again; None if it does not."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    if run.info.lifecycle_stage != "active":
        return None
    client.update_run(run_id, status="RUNNING")
    return run


def _experiment_id(client: MlflowClient, name: str, artifact_location: str | None) -> str:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    if known is None:
        try:
            return str(client.create_experiment(name, artifact_location))
        except MlflowException:
            # Another process may have been faster; then it is there now.
            known = client.get_experiment_by_name(name)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return str(known.experiment_id)


def _dataset_input(name: str, digest: str, rows: int, source: str, context: str) -> DatasetInput:
    """The JSON is what MLflow's own data set classes write, so that the UI shows rows and source."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    web = source.startswith(("http://", "https://"))
    data = Dataset(
        name=name[:LONGEST_NAME],
        digest=digest[:LONGEST_DIGEST],
        source_type="http" if web else "local",
        source=json.dumps({"url" if web else "uri": source}),
        profile=json.dumps({"num_rows": rows}),
    )
    return DatasetInput(data, tags=[InputTag("mlflow.data.context", context)])


def _absolute(uri: str) -> str:
    """The working directory of a job may change; the database must not follow it."""
    return SQLITE + str(_sqlite_file(uri)) if uri.startswith(SQLITE) else uri


def _sqlite_file(uri: str) -> Path:
    return Path(uri.removeprefix(SQLITE)).resolve()


def _artifact_location(uri: str) -> str | None:
    """Beside an SQLite file; a server knows its own place."""
    return (_sqlite_file(uri).parent / "mlartifacts").as_uri() if uri.startswith(SQLITE) else None


def _creation_lock(uri: str) -> AbstractContextManager[object]:
    """MLflow's own migrations crash when two processes meet in an empty SQLite file."""
    from filelock import FileLock

    if not uri.startswith(SQLITE):
        return nullcontext()
    file = _sqlite_file(uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{file}.lock", timeout=CREATION_WAIT_SECONDS)


def _patiently(action: Callable[[], T]) -> T:
    """Try again after a lost race: of two writers that block each other, SQLite fails one at once."""
    # An own generator: the global one belongs to the seeded training.
    jitter = random.Random(os.getpid())
    for pause in RACE_PAUSES_SECONDS:
        try:
            return action()
        except Exception as error:
            if not any(race in str(error) for race in RACES):
                raise
            time.sleep(pause * jitter.uniform(0.5, 1.5))
    return action()


def _origin() -> dict[str, str]:
    """Tags that fill the UI's columns for user and source; MLflow's client leaves them empty."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's bare user id has no name
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "stbench", "mlflow.source.type": "LOCAL"}


def _key(name: str) -> str:
    """A name that MLflow accepts: `ndcg@10` becomes `ndcg_at_10`, other odd characters `_`."""
    plain = re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))
    parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:LONGEST_NAME] or "_"


def _parameter(value: object) -> str:
    return "null" if value is None else str(value)[:LONGEST_PARAMETER]


def _in_short(error: Exception) -> str:
    """The first line of an error, without the password that a server's address may carry."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"//[^/@\s]+@", "//***@", first)[:300]
