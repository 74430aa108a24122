"""Whatever a run was about to do when it was killed: the same command makes it stand everywhere, and nowhere twice."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from records.forked import script
from records.killed_runs import MANY_TIMES, STEPS, TAKEN

from stbench.records import ledger
from stbench.records.folder import RunFolder

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def killed(
    say: Callable[..., Any],
    plan_of: Callable[..., Any],
    data: Mapping[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Where many runs were killed, one at each of its deeds, and repeated."""
    place = tmp_path_factory.mktemp("killed")
    said = say("dataset=files", f"dataset.train={data['pair']}")
    file = place / "setting.pickle"
    file.write_bytes(pickle.dumps((said.sentence, plan_of(said=said))))
    told = json.loads(script("killed_runs.py", place, file).splitlines()[-1])
    assert told["deeds"] > 30
    assert told["killed"] > 5
    return place


@pytest.fixture(scope="module")
def names(killed: Path) -> list[str]:
    found = sorted(folder.name for folder in (killed / "experiments").iterdir())
    assert MANY_TIMES in found
    return found


def test_each_run_is_finished_and_has_kept_no_checkpoint(killed: Path, names: list[str]) -> None:
    folders = [RunFolder(name, killed / "experiments") for name in names]
    assert {folder.state() for folder in folders} == {"finished"}
    assert not [folder.name for folder in folders if folder.checkpoints.exists()]
    assert len({(folder.path / "samples.parquet").read_bytes() for folder in folders}) == 1


def test_each_run_is_one_line_in_the_ledger(killed: Path, names: list[str]) -> None:
    rows = ledger.rows(killed / "logs" / "experiments.md")
    assert sorted(row["run"] for row in rows) == names
    assert {row["score"] for row in rows} == {"0.7500"}


def test_each_run_is_tracked_once_and_finished(killed: Path, names: list[str]) -> None:
    client, runs = tracked(killed)
    assert sorted(run.info.run_name for run in runs) == names
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        status = RunFolder(run.info.run_name, killed / "experiments").read("status.json")
        assert (status["mlflow_run"], status["attempt"]) == (run.info.run_id, run.data.tags["stbench.attempt"])
        assert {"report.html", "verdict.json", "model"} <= {one.path for one in client.list_artifacts(run.info.run_id)}


def test_no_curve_has_a_point_twice(killed: Path) -> None:
    client, runs = tracked(killed)
    for run in runs:
        for name, steps in {"loss": range(1, STEPS + 1), "epoch": range(1, STEPS + 1), "verdict.score": [0]}.items():
            curve = client.get_metric_history(run.info.run_id, name)
            assert sorted(point.step for point in curve) == list(steps), (run.info.run_name, name)


def test_no_step_that_a_checkpoint_holds_is_taken_again(killed: Path) -> None:
    taken: dict[str, list[int]] = {}
    for line in (killed / TAKEN).read_text().splitlines():
        name, step = json.loads(line)
        taken.setdefault(name, []).append(step)
    # A step that was to be kept next is lost with the one before it.
    assert not [name for name, steps in taken.items() if any(later < step - 1 for step, later in pairwise(steps))]
    assert max(Counter(taken["at-1"]).values()) == 1


def tracked(place: Path) -> tuple[MlflowClient, list[Run]]:
    """Every run there is, those in the bin too."""
    from mlflow.entities import ViewType
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place / 'logs' / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "stbench"]
    return client, list(client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL))
