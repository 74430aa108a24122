"""Runs in MLflow: one for each attempt at a run, however many processes it takes, and one point for each step of a curve.

All of it asks the store at once and raises its errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run
    from mlflow.tracking import MlflowClient

Status = Literal["FINISHED", "FAILED", "KILLED"]

ATTEMPT = "stbench.attempt"
"""Tag with the id of the attempt: by it a run is found again whose id a killed process had no time to note."""
PARENT = "mlflow.parentRunId"
LONGEST_PARAMETER = 6000
LONGEST_TAG = 8000
LONGEST_NAME = 250
LONGEST_DIGEST = 36


class Point(NamedTuple):
    """One value of a metric."""

    name: str
    value: float
    milliseconds: int
    step: int


class MlflowRun:
    """An open run."""

    def __init__(self, client: MlflowClient, run: Run) -> None:
        self.client = client
        self.run_id: str = run.info.run_id
        self._standing = _standing(client, run)

    def metrics(self, points: Iterable[Point]) -> None:
        """Adds what does not stand there yet.

        Whoever goes on from a checkpoint takes some steps again whose points were logged before. Step 0 is no step, but
        holds what was measured once: there another value counts.
        """
        from mlflow.entities import Metric

        new: dict[tuple[str, int], Point] = {}
        for point in points:
            place = point.name, point.step
            value = new[place].value if place in new else self._standing.get(place)
            if value is None or (point.step == 0 and value != point.value):
                new[place] = point
        self.client.log_batch(self.run_id, metrics=[Metric(*point) for point in new.values()])
        self._standing.update({place: point.value for place, point in new.items()})

    def dataset(self, name: str, digest: str, rows: int, source: str, context: str) -> None:
        data = _dataset_input(name, digest, rows, source, context)
        self.client.log_inputs(self.run_id, datasets=[data])

    def artifacts(self, folder_or_file: Path, into: str) -> None:
        keep = self.client.log_artifacts if folder_or_file.is_dir() else self.client.log_artifact
        keep(self.run_id, str(folder_or_file), into or None)

    def end(self, status: Status) -> None:
        self.client.set_terminated(self.run_id, status)


def open_run(
    client: MlflowClient,
    experiment_id: str,
    name: str,
    parameters: Mapping[str, object],
    tags: Mapping[str, str],
    resume: str | None = None,
) -> MlflowRun:
    """The run `resume` if it still exists, or that of the attempt which the tags name, or a new one."""
    from mlflow.entities import Param

    marks = {key(word): str(value)[:LONGEST_TAG] for word, value in {**_origin(), **tags}.items()}
    run = _going_on(client, experiment_id, marks, resume) or _created(client, experiment_id, name, marks)
    # MLflow refuses to log a parameter again with another value.
    values = {key(word): _parameter(value) for word, value in parameters.items()}
    new = [Param(*item) for item in values.items() if item[0] not in run.data.params]
    client.log_batch(run.info.run_id, params=new)
    return MlflowRun(client, run)


def run_of_attempt(client: MlflowClient, experiment_id: str, attempt: str) -> Run | None:
    """The only active run with this tag; others with it are doubles, and go into the bin."""
    tagged = f"tags.`{ATTEMPT}` = '{attempt}'"
    found = client.search_runs([experiment_id], tagged, order_by=["attributes.start_time ASC"])
    for double in found[1:]:
        client.delete_run(double.info.run_id)
    return found[0] if found else None


def still_there(client: MlflowClient, run_id: str) -> Run | None:
    """The run, unless it is gone, or in the bin."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


def end_attempts(client: MlflowClient, experiment_id: str, attempts: Iterable[str], status: Status) -> None:
    """Ends what attempts have left running that nobody goes on with."""
    for attempt in attempts:
        if (run := run_of_attempt(client, experiment_id, attempt)) is not None:
            end_where_running(client, run, status)


def end_where_running(client: MlflowClient, run: Run, status: Status) -> None:
    """Ends a run that nobody writes to any more, unless it was ended before."""
    if run.info.status == "RUNNING":
        client.set_terminated(run.info.run_id, status)


def key(name: str) -> str:
    """A name that MLflow accepts: `ndcg@10` becomes `ndcg_at_10`, other odd characters `_`."""
    plain = re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))
    parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:LONGEST_NAME] or "_"


def _going_on(client: MlflowClient, experiment_id: str, marks: Mapping[str, str], resume: str | None) -> Run | None:
    """A run that was begun before, set running again."""
    from mlflow.entities import RunTag

    run = still_there(client, resume) if resume else None
    if run is None and ATTEMPT in marks:
        run = run_of_attempt(client, experiment_id, marks[ATTEMPT])
    if run is not None:
        client.update_run(run.info.run_id, status="RUNNING")
        client.log_batch(run.info.run_id, tags=[RunTag(*mark) for mark in marks.items()])
    return run


def _created(client: MlflowClient, experiment_id: str, name: str, marks: Mapping[str, str]) -> Run:
    run = client.create_run(experiment_id, tags=dict(marks), run_name=name)
    # MLflow's client asks a server again that gives no answer in time, and may have made the run all the same.
    return (run_of_attempt(client, experiment_id, marks[ATTEMPT]) if ATTEMPT in marks else None) or run


def _standing(client: MlflowClient, run: Run) -> dict[tuple[str, int], float]:
    """The points that a run has, by name and step."""
    curves = [client.get_metric_history(run.info.run_id, name) for name in run.data.metrics]
    return {(point.key, point.step): point.value for curve in curves for point in curve}


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


def _origin() -> dict[str, str]:
    """Tags that fill the UI's columns for user and source; MLflow's client leaves them empty."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's bare user id has no name
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "stbench", "mlflow.source.type": "LOCAL"}


def _parameter(value: object) -> str:
    return "null" if value is None else str(value)[:LONGEST_PARAMETER]
