"""The MLflow run that those of a sweep belong to, and what the sweep does for runs whose process cannot.

Each call waits for the store. As everywhere in tracking nothing raises because of it: what goes wrong is told in the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stbench.records.mlflow_runs import (
    ATTEMPT,
    PARENT,
    MlflowRun,
    Point,
    Status,
    end_where_running,
    key,
    open_run,
    run_of_attempt,
    still_there,
)
from stbench.records.mlflow_store import absolute, connect, experiment_id, in_short, patiently, set_environment

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

T = TypeVar("T")
logger = logging.getLogger("stbench")


def open_parent(
    uri: str,
    experiment: str,
    name: str,
    tags: Mapping[str, str],
    parameters: Mapping[str, object],
    resume: str | None = None,
) -> str | None:
    """The id of the run that others name as their parent; None where MLflow cannot be reached.

    Goes on with the run `resume`, or with that of the attempt in `tags`, so that a sweep which is repeated has one parent.
    """

    def opened(client: MlflowClient) -> str:
        return open_run(client, experiment_id(client, experiment), name, parameters, tags, resume).run_id

    return _told("the parent run", uri, opened)


def close_parent(
    uri: str, run_id: str, status: Status, metrics: Mapping[str, float], artifacts: Iterable[Path] = ()
) -> None:
    """Adds what the whole has come to, and ends the run."""
    now = int(time.time() * 1000)
    points = [Point(key(name), float(value), now, 0) for name, value in metrics.items()]
    places = [place.resolve() for place in artifacts]

    def filled(client: MlflowClient) -> None:
        run = MlflowRun(client, client.get_run(run_id))
        run.metrics(points)
        for place in places:
            run.artifacts(place, "")

    _told("what the parent run holds", uri, filled)
    _told("status of the parent run", uri, lambda client: client.set_terminated(run_id, status))


def adopt(uri: str, parent_id: str, run_ids: Iterable[str]) -> None:
    """Gives runs that finished before there was a parent theirs."""
    found = tuple(run_ids)

    def adopted(client: MlflowClient) -> None:
        for run_id in found:
            if still_there(client, run_id):
                client.set_tag(run_id, PARENT, parent_id)

    _told("runs that finished before", uri, adopted)


def end_orphan(
    uri: str, experiment: str, name: str, tags: Mapping[str, str], parameters: Mapping[str, object], status: Status
) -> None:
    """Ends the run of an attempt whose process was killed, if it still counts as running.

    `tags` name the attempt: the process may have had no time to note the id of its run, or to open one. Then one is opened,
    so that no attempt is missing among the others.
    """

    def ended(client: MlflowClient) -> None:
        place = experiment_id(client, experiment)
        run = run_of_attempt(client, place, tags[ATTEMPT])
        if run is None:
            open_run(client, place, name, parameters, tags).end(status)
        else:
            end_where_running(client, run, status)

    _told("a run left behind", uri, ended)


def _told(what: str, uri: str, action: Callable[[MlflowClient], T]) -> T | None:
    """What `action` returns; None, and a line in the log, where it fails."""
    set_environment()
    place = absolute(uri)
    try:
        return patiently(lambda: action(connect(place)))
    except Exception as error:
        logger.warning("MLflow: %s: %s", what, in_short(error))
        return None
