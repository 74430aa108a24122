"""A search from its words to its table, with real processes and real trainings of a tiny model."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Tiny

Command = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.slow
SPACE = ("training.learning_rate=tag(log,interval(0.001,0.1))", "training.batch_size=range(8,17,8)")


@pytest.fixture
def words(tiny: Tiny, data: Mapping[str, Path], workplace: Path) -> list[str]:
    return [
        "-m", "hydra/sweeper=optuna", "tracker=none", "base_model=path", f"base_model.path={tiny.static}", "dataset=files",
        f"dataset.train={data['pair']}", "training.epochs=2", "evaluator.cost=false", "verdict.resamples=200",
    ]  # fmt: skip


def last_line(out: str) -> dict[str, str]:
    last = out.rstrip("\n").rsplit("\n", 1)[-1]
    return dict(part.split("=", 1) for part in last.removeprefix("SEARCH: ").split(" | "))


def kept() -> dict[str, Any]:
    (file,) = Path("experiments").glob("search-*/search.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_a_search_prunes_goes_on_and_is_not_run_again(command: Command, words: list[str]) -> None:
    search = [*words, *SPACE]
    hopeless = ["hydra.sweeper.pruner.kind=threshold", "hydra.sweeper.pruner.lower=2.0"]
    code, out, _ = command(*search, "hydra.sweeper.trials=1", *hopeless)
    assert code == 0
    assert last_line(out)["pruned"] == "1"
    (first,) = kept()["trials"]
    assert (first["state"], [at for at, _ in first["scores_by_percent"]]) == ("pruned", [20])
    status = Path("experiments", first["run"], "status.json")
    assert json.loads(status.read_text())["state"] == "interrupted"

    code, out, _ = command(*search, "hydra.sweeper.trials=3", "hydra.sweeper.pruner=none")
    said = last_line(out)
    assert (code, said["trials"], said["finished"], said["pruned"]) == (0, "3", "2", "1")
    found = kept()
    finished = [one for one in found["trials"] if one["state"] == "finished"]
    for one in finished:
        history = json.loads(Path("experiments", one["run"], "history.json").read_text())
        assert one["values"] == [max(entry["score"] for entry in history if "score" in entry)]
    assert found["best"] == max(finished, key=lambda one: one["values"][0])["number"]
    assert said["run"] == next(one["run"] for one in finished if one["number"] == found["best"])
    assert "Best by score on the selection split: trial" in out
    assert list(Path("experiments").glob("search-*/report.html"))

    runs = sorted(
        path.stat().st_mtime_ns for path in Path("experiments").glob("*/status.json") if "search" not in str(path)
    )
    code, out, _ = command(*search, "hydra.sweeper.trials=3")
    assert (code, last_line(out)) == (0, said)
    assert runs == sorted(
        path.stat().st_mtime_ns for path in Path("experiments").glob("*/status.json") if "search" not in str(path)
    )

    # The one that was stopped goes on by its own command.
    alone = shlex.split(first["command"])
    code, out, _ = command(*alone[alone.index("stbench") + 1 :])
    assert code == 0
    assert json.loads(status.read_text())["state"] == "finished"
    assert json.loads(status.read_text())["resumed"]


def test_another_launcher_runs_in_batches_without_pruning(command: Command, words: list[str]) -> None:
    launched = [*words, "hydra/launcher=basic", "training.max_steps=1", *SPACE, "hydra.sweeper.trials=2"]
    code, out, _ = command(*launched)
    assert code == 0
    assert "off: hydra/launcher=basic cannot stop a trial half-way" in out
    assert last_line(out)["finished"] == "2"
    assert [at for at, _ in kept()["trials"][0]["scores_by_percent"]] == [100]


def test_the_plan_shows_space_combinations_sampler_and_pruner(command: Command, words: list[str], tiny: Tiny) -> None:
    more = ["adapter=none,lora", "adapter.rank=interval(2,8)", "plan=only", "hydra.sweeper.sampler.kind=random"]
    transformer = [f"base_model.path={tiny.pooled}" if word.startswith("base_model.path") else word for word in words]
    code, out, _ = command(*transformer, *SPACE, *more)
    assert code == 0
    text = " ".join(out.split())
    assert "training.learning_rate number 0.001 … 0.1, by logarithm" in text
    assert "training.batch_size number 8 … 16 in steps of 8 (whole)" in text
    assert "1 none training.learning_rate, training.batch_size 2 lora" in text
    assert "lora training.learning_rate, training.batch_size, adapter.rank" in text
    assert "sampler random, seed 12" in text
    assert "pruner successive_halving min_resource=10 reduction_factor=2" in text
    assert "20 in all, none done so far" in text
    assert (
        "left out adapter.rank with adapter=none: adapter.rank: the adapter that was chosen has no such option" in text
    )
    assert not Path("experiments").exists()


@pytest.mark.parametrize(
    ("more", "what", "mend"),
    [
        (["hydra.sweeper.sampler.kind=tpee", SPACE[0]], "no sampler called 'tpee'", "kind=tpe?"),
        (["hydra.sweeper.pruner.reduction_factr=2", SPACE[0]], "no argument 'reduction_factr'", "reduction_factor=…?"),
        (["hydra.sweeper.trails=2", SPACE[0]], "no such option", "hydra.sweeper.trials=…?"),
        (["training.learning_rate=0.1"], "nothing to search", "give an option several values"),
        (["training.learning_rate=interval(0,1)"], "greater than 0, not 0", "such as 0.1"),
        (["job=evaluate", SPACE[1]], "no selection score", "job=train"),
        (["seeds=3", SPACE[0]], "trains with one seed", "with more seeds"),
        (
            ["hydra.sweeper.objectives=[score,latency]", SPACE[0]],
            "latency would not be measured",
            "evaluator.cost=true",
        ),
        (["loss=listwise,pairwise", SPACE[0]], "does not exist for sentence_transformer", "losses for this model"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    command: Command, words: list[str], more: list[str], what: str, mend: str
) -> None:
    code, out, err = command(*words, *more)
    assert (code, out) == (2, "")
    assert what in err
    assert mend in err
    assert not list(Path(".").glob("experiments/*"))


def test_options_of_a_search_mean_nothing_to_a_grid(command: Command, words: list[str]) -> None:
    grid = [word for word in words if word != "hydra/sweeper=optuna"]
    code, _, err = command(*grid, "hydra.sweeper.sampler.kind=tpe", "training.learning_rate=0.1,0.2")
    assert code == 2
    assert "the grid has no such option" in err
    assert "hydra/sweeper=optuna" in err
