"""The place where MLflow keeps runs: reached, made where it is missing, and asked again after a lost race."""

from __future__ import annotations

import logging
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

T = TypeVar("T")

SQLITE = "sqlite:///"
LOCK_WAIT_SECONDS = 120.0
RACES = (
    "database is locked",
    "table is locked",
    "already exists",
    "UNIQUE constraint failed",
    "duplicate key value",
    "too many 503 error responses",
)
"""What a database, or a server before it, says when another process was there first; a moment later the same call works."""
RACE_PAUSES_SECONDS = (0.1, 0.3, 1.0, 3.0)
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Defaults that MLflow reads on import and on each request; what the user has set stays."""
LOG_LEVELS = {
    "mlflow": logging.WARNING,
    "alembic": logging.WARNING,
    # These two print a stack trace for each attempt; the last failure is reported by whoever asked.
    "mlflow.store.db.utils": logging.CRITICAL,
    "urllib3.connectionpool": logging.ERROR,
}


def set_environment() -> None:
    """To be called before MLflow is imported, and by no thread: others may read the environment at that moment."""
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)


def absolute(uri: str) -> str:
    """The working directory of a job may change; the database must not follow it."""
    return SQLITE + str(_sqlite_file(uri)) if uri.startswith(SQLITE) else uri


def connect(uri: str) -> MlflowClient:
    """A client for `uri`, whose database is made where it is missing."""
    from filelock import FileLock
    from mlflow.tracking import MlflowClient

    for name, level in LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    if not uri.startswith(SQLITE):
        return MlflowClient(tracking_uri=uri)
    file = _sqlite_file(uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock", timeout=LOCK_WAIT_SECONDS):
        if not file.exists():
            _make(file)
        return MlflowClient(tracking_uri=uri)


def experiment_id(client: MlflowClient, name: str) -> str:
    """Of the experiment `name`, which is created, or taken out of the bin, where that is needed."""
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    if known is None:
        try:
            return str(client.create_experiment(name, _artifact_location(client.tracking_uri)))
        except MlflowException:
            # Another process may have been faster; then it is there now.
            known = client.get_experiment_by_name(name)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return str(known.experiment_id)


def patiently(action: Callable[[], T]) -> T:
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


def in_short(error: Exception) -> str:
    """The first line of an error, without the password that a server's address may carry."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"//[^/@\s]+@", "//***@", first)[:300]


def _make(file: Path) -> None:
    """Under another name first: MLflow can never open a database again whose first migrations were cut short by a kill."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    place = file.with_name(f".{file.name}.new")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    new = place / file.name
    SqlAlchemyStore(f"{SQLITE}{new}", _artifact_location(f"{SQLITE}{file}")).engine.dispose()
    new.replace(file)
    shutil.rmtree(place)


def _sqlite_file(uri: str) -> Path:
    return Path(uri.removeprefix(SQLITE)).resolve()


def _artifact_location(uri: str) -> str | None:
    """Beside an SQLite file; a server knows its own place."""
    return (_sqlite_file(uri).parent / "mlartifacts").as_uri() if uri.startswith(SQLITE) else None
