"""What a run leaves behind, by the way it ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from records.small_record import ANCHORS, AUDIT, COSTS, HISTORY, LEAK, SIZES, TRAINED, N, scores, splits

from stbench.audit.finding import Audit
from stbench.cache import Store
from stbench.config.check import from_tree
from stbench.data.splits import content_hash
from stbench.errors import Failed, Interrupted
from stbench.evaluation.scores import Scores
from stbench.records import ledger
from stbench.records import logbook as module
from stbench.records.folder import RunFolder, Summary
from stbench.records.kept import kept_scores
from stbench.records.logbook import LEDGER
from stbench.records.record import Recording, recording
from stbench.verdict.judge import judge
from stbench.verdict.line import parse_line

if TYPE_CHECKING:
    from stbench.config.sentence import Sentence
    from stbench.plan.plan import Plan

COMMAND = "python -m stbench dataset=files"


class Calls:
    """Stands for the tracker: remembers what it was told."""

    run_id: str | None = "run-7"
    made: list[Calls]

    def __init__(self, uri: str, experiment: str) -> None:
        self.place = (uri, experiment)
        self.started: dict[str, Any] = {}
        self.logged: list[tuple[dict[str, float], int]] = []
        self.datasets: list[tuple[Any, ...]] = []
        self.kept: list[str] = []
        self.ended: list[str] = []
        Calls.made.append(self)

    def start(
        self,
        name: str,
        parameters: Mapping[str, object],
        tags: Mapping[str, str],
        resume: str | None = None,
        replaced: Sequence[str] = (),
    ) -> None:
        self.started = {"name": name, "parameters": parameters, "tags": tags, "resume": resume, "replaced": replaced}

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.logged.append((dict(metrics), step))

    def dataset(self, *given: Any) -> None:
        self.datasets.append(given)

    def artifacts(self, folder_or_file: Path, into: str = "") -> None:
        assert folder_or_file.exists(), folder_or_file
        self.kept.append(folder_or_file.name)

    def finish(self, status: str) -> str:
        self.ended.append(status)
        return ""


@pytest.fixture(autouse=True)
def tracked(monkeypatch: pytest.MonkeyPatch) -> list[Calls]:
    Calls.made = []
    monkeypatch.setattr(module, "MlflowTracker", Calls)
    return Calls.made


class Setting:
    """A sentence, its plan, and the folder of its run in the working directory."""

    def __init__(self, sentence: Sentence, plan: Plan, place: Path) -> None:
        self.sentence = sentence
        self.plan = plan
        self.store = Store(place / "store", "on")
        self.folder = RunFolder("a-run")
        self.folder.path.mkdir(parents=True)

    def opened(self, **changes: Any) -> Any:
        sentence = self.sentence.model_copy(update=changes)
        return recording(self.folder, sentence, self.plan, COMMAND, self.store)


@pytest.fixture
def setting(
    say: Callable[..., Any], plan_of: Callable[..., Plan], data: Mapping[str, Path], workplace: Path
) -> Setting:
    said = say("dataset=files", f"dataset.train={data['pair']}")
    return Setting(said.sentence, plan_of(said=said), workplace)


def done(record: Recording, folder: RunFolder, **more: Any) -> Summary:
    """What the stages of a run do to its records."""
    record.start_tracking()
    record.data(splits())
    for step in (1, 2):
        record.step({"step": step, "loss": 1.0 / step}, step)
    record.checkpoints.mkdir(exist_ok=True)
    (record.checkpoints / "weights").write_text("x")
    record.model_folder.mkdir(exist_ok=True)
    (record.model_folder / "model.safetensors").write_text("x")
    baseline, final = scores(0.25, **more), scores(0.75, **more)
    verdict = judge(baseline, final, resamples=200)
    before = {"validation": scores(0.3), "test": baseline, "also triplet": scores(0.5)}
    after = {"test": final, "also triplet": scores(0.4)}
    return record.finish(verdict, before, after, TRAINED, splits(), SIZES, COSTS, AUDIT)


def test_a_run_opens_with_everything_that_repeats_it(setting: Setting, data: Mapping[str, Path]) -> None:
    import yaml

    with setting.opened() as record:
        folder = setting.folder
        status = folder.read("status.json")
        assert (status["state"], status["resumed"]) == ("running", False)
        assert (folder.path / "command.txt").read_text() == COMMAND + "\n"
        assert "MultipleNegativesRankingLoss" in (folder.path / "plan.txt").read_text()
        assert {"python", "torch", "sentence-transformers"} <= set(folder.read("environment.json"))
        tree = yaml.safe_load((folder.path / "config.yaml").read_text())
        assert from_tree(tree) == setting.sentence
        file = data["pair"]
        assert folder.read("inputs.json") == {str(file): [file.stat().st_size, file.stat().st_mtime_ns]}
        assert (record.checkpoints, record.model_folder) == (folder.checkpoints, folder.model)
    assert f"started: {COMMAND}" in folder.log.read_text()


def test_a_finished_run_is_whole(setting: Setting) -> None:
    from pyarrow.parquet import read_table

    with setting.opened() as record:
        summary = done(record, setting.folder)
    folder = setting.folder
    assert folder.state() == "finished"
    assert not folder.checkpoints.exists()
    names = {item.name for item in folder.path.iterdir()}
    assert names == {
        "audit.json", "command.txt", "config.yaml", "cost.json", "environment.json", "history.json", "inputs.json", "metrics.json", "model",
        "plan.txt", "report.html", "samples.parquet", "status.json", "verdict.json", "verdict.txt",
    }  # fmt: skip
    kept = folder.read("verdict.json")
    assert (folder.path / "verdict.txt").read_text() == kept["line"] + "\n" == summary.line + "\n"
    assert (kept["outcome"], kept["score"], kept["baseline"]) == (summary.outcome, 0.75, 0.25)
    metrics = folder.read("metrics.json")
    assert metrics["test"]["cosine_ndcg@10"] == {"baseline": 0.25, "final": 0.75}
    assert metrics["test"]["cosine_mrr@10"] == {"baseline": 0.125, "final": 0.375}
    assert (metrics["selection_baseline"], metrics["best_step"], metrics["last_step"]) == (0.3, 2, 2)
    assert metrics["judged"] == {"metric": "ndcg@10", "statistic": "mean", "greater_is_better": True, "content": "1a2b"}
    assert metrics["peak_bytes"] > 2**20
    assert folder.read("history.json") == list(HISTORY)
    table = read_table(folder.path / "samples.parquet").to_pydict()
    assert table["id"] == [content_hash(text) for text in ANCHORS]
    assert table["baseline_value"] == scores(0.25).samples["value"].tolist()
    assert table["final_value"] == scores(0.75).samples["value"].tolist()
    assert ANCHORS[3] in folder.report.read_text(encoding="utf-8")


def test_what_the_models_cost_is_kept_shown_and_tracked(setting: Setting, tracked: list[Calls]) -> None:
    with setting.opened() as record:
        facts = dict(done(record, setting.folder).facts)
    assert facts["speed"].startswith("1,000 → 900 documents a second")
    assert setting.folder.read("cost.json")["after"]["texts_per_second"] == 900.0
    page = setting.folder.report.read_text(encoding="utf-8")
    assert "Cost of the model" in page
    assert 'href="cost.json"' in page
    assert tracked[0].logged[-1][0]["cost.before.texts_per_second"] == 1000.0
    assert "cost.json" in tracked[0].kept


def test_the_outcomes_of_a_finished_run_are_read_back(setting: Setting) -> None:
    with setting.opened() as record:
        done(record, setting.folder)
    for found, was in zip(kept_scores(setting.folder), (scores(0.25), scores(0.75)), strict=True):
        assert (f"test_{found.primary}", found.score, found.statistic, found.greater_is_better) == (
            was.primary, was.score, was.statistic, was.greater_is_better,
        )  # fmt: skip
        assert {name: list(values) for name, values in found.samples.items()} == {
            name: list(values) for name, values in was.samples.items()
        }


def test_what_was_found_in_the_data_is_kept_shown_and_tracked(setting: Setting, tracked: list[Calls]) -> None:
    with setting.opened() as record:
        record.audit(Audit())
        assert setting.folder.read("audit.json") == {"findings": [], "cleaned": {}}
        done(record, setting.folder)
    assert setting.folder.read("audit.json") == AUDIT.as_dict()
    page = setting.folder.report.read_text(encoding="utf-8")
    assert LEAK.says in page
    assert "&lt;b&gt;a query&lt;/b&gt;" in page
    assert 'href="audit.json"' in page
    assert tracked[0].logged[-1][0]["audit.test_leak"] == 0.5
    assert "audit.json" in tracked[0].kept


@pytest.mark.parametrize("gain", [0.75, 0.1])
def test_a_leak_is_what_has_to_be_settled_and_no_dimension(setting: Setting, gain: float) -> None:
    before, after = scores(0.25), scores(gain)
    verdict = judge(before, after, resamples=200, reservations=AUDIT.reservations(0.01), extras=AUDIT.extras(0.01))
    with setting.opened() as record:
        given = ({"validation": before, "test": before}, {"test": after}, TRAINED, splits())
        summary = record.finish(verdict, *given, audit=AUDIT)
    assert summary.outcome == ("MARGINAL" if gain > 0.25 else "REGRESSION")
    assert "| leak=0.5000 | metric=" in summary.line
    assert summary.settle.startswith("50.0 % of the test queries stand in the training data")
    assert not any("vectors" in reason for _, reason in summary.advice)


def test_the_ledger_gets_one_row_that_says_what_the_line_says(setting: Setting) -> None:
    with setting.opened() as record:
        line = parse_line(done(record, setting.folder).line)
    (row,) = ledger.rows(LEDGER)
    assert row["verdict"] == line["outcome"]
    for name in ("run", "score", "baseline", "delta", "ci95", "n", "metric"):
        assert row[name] == line[name]
    assert (row["run"], row["command"]) == ("a-run", COMMAND)


def test_the_summary_shows_metrics_that_people_know_and_where_everything_is(setting: Setting) -> None:
    with setting.opened() as record:
        summary = done(record, setting.folder, first_stage=0.4)
    assert summary.metrics == {
        "cosine_ndcg@10": (0.25, 0.75), "cosine_mrr@10": (0.125, 0.375), "triplet: cosine_ndcg@10": (0.5, 0.4),
    }  # fmt: skip
    kept = setting.folder.read("metrics.json")["also"]["triplet"]
    assert (kept["metric"], kept["n"]) == ("cosine_ndcg@10", N)
    assert kept["metrics"]["cosine_mrr@10"] == {"baseline": 0.25, "final": 0.2}
    assert summary.sizes == SIZES
    assert setting.folder.read("metrics.json")["sizes"][1]["score"] == 0.5
    assert "Also measured" in setting.folder.report.read_text(encoding="utf-8")
    assert summary.references == {"wordllama, not reranked": 0.4}
    assert summary.places["model"] == "experiments/a-run/model"
    assert "sqlite:///logs/mlflow.db" in summary.places["tracking"]
    assert dict(summary.facts)["data"] == "12 training rows (pair), 12 test rows"


@pytest.mark.parametrize(
    ("max_steps", "longer"), [(None, "training.epochs="), (2, "training.max_steps=4"), (99, "training.epochs=")]
)
def test_more_training_is_advised_by_what_ended_it(setting: Setting, max_steps: int | None, longer: str) -> None:
    """The best checkpoint is the last one, of step 2."""
    plan = setting.plan
    setting.plan = replace(plan, training=replace(plan.training, max_steps=max_steps))
    with setting.opened() as record:
        advice = done(record, setting.folder).advice
    assert any(overrides.startswith(longer) for overrides, _ in advice)


def test_the_tracker_is_told_everything(setting: Setting, tracked: list[Calls]) -> None:
    with setting.opened() as record:
        done(record, setting.folder)
    (calls,) = tracked
    assert calls.place == ("sqlite:///logs/mlflow.db", "stbench")
    assert (calls.started["name"], calls.started["resume"]) == ("a-run", None)
    tags = {
        "stbench.job": "train", "stbench.command": COMMAND, "stbench.folder": "experiments/a-run",
        "stbench.attempt": setting.folder.read("status.json")["attempt"],
    }  # fmt: skip
    assert calls.started["tags"] == tags
    parameters = calls.started["parameters"]
    assert (parameters["model.type"], parameters["seed"]) == ("sentence_transformer", 12)
    assert not any(isinstance(value, dict) and value for value in parameters.values())
    assert calls.logged[:2] == [({"loss": 1.0}, 1), ({"loss": 0.5}, 2)]
    last = calls.logged[-1][0]
    assert (last["verdict.score"], last["verdict.baseline"], last["test_cosine_mrr@10"]) == (0.75, 0.25, 0.375)
    assert {"verdict.delta", "verdict.ci95_low", "verdict.ci95_high", "verdict.p"} <= set(last)
    assert [(name, rows, context) for name, _, rows, _, context in calls.datasets] == [
        ("pair-train", N, "train"), ("pair-validation", N, "selection"), ("pair-test", N, "test"),
    ]  # fmt: skip
    assert len({digest for _, digest, *_ in calls.datasets}) == 3
    assert {"model", "report.html", "verdict.json", "samples.parquet", "config.yaml"} <= set(calls.kept)
    assert calls.ended == ["FINISHED"]


@pytest.mark.parametrize("why", ["trial", "none"])
def test_a_trial_or_no_tracker_is_not_tracked(setting: Setting, tracked: list[Calls], why: str) -> None:
    group = "training" if why == "trial" else "tracker"
    change = {"trial": True} if why == "trial" else {"kind": "none"}
    with setting.opened(**{group: getattr(setting.sentence, group).model_copy(update=change)}) as record:
        summary = done(record, setting.folder)
    assert tracked == []
    assert "tracking" not in summary.places
    assert len(ledger.rows(LEDGER)) == (0 if why == "trial" else 1)


@pytest.mark.parametrize(
    ("error", "state", "status", "reason"),
    [
        (Failed("the loss became nan"), "failed", "FAILED", "Failed: the loss became nan"),
        (RuntimeError("boom\n  at line 7"), "failed", "FAILED", "RuntimeError: boom"),
        (Interrupted("stopped"), "interrupted", "KILLED", "stopped"),
        (KeyboardInterrupt(), "interrupted", "KILLED", None),
    ],
)
def test_a_run_that_does_not_come_to_its_end_says_so_and_why(
    setting: Setting, tracked: list[Calls], error: BaseException, state: str, status: str, reason: str | None
) -> None:
    with pytest.raises(type(error)):
        break_off(setting, error)
    assert setting.folder.state() == state
    assert setting.folder.read("status.json").get("reason") == reason
    assert tracked[0].ended == [status]
    assert ledger.rows(LEDGER) == []


def break_off(setting: Setting, error: BaseException) -> None:
    with setting.opened() as record:
        record.start_tracking()
        (record.checkpoints / "checkpoint-1").mkdir(parents=True)
        raise error


def test_an_interrupted_run_goes_on_in_its_folder_and_in_its_tracked_run(
    setting: Setting, tracked: list[Calls]
) -> None:
    with pytest.raises(Interrupted):
        break_off(setting, Interrupted())
    with setting.opened() as record:
        assert (record.checkpoints / "checkpoint-1").is_dir()
        assert setting.folder.read("status.json")["resumed"]
        record.start_tracking()
    assert [calls.started["resume"] for calls in tracked] == [None, "run-7"]
    assert len({calls.started["tags"]["stbench.attempt"] for calls in tracked}) == 1
    assert f"resumed: {COMMAND}" in setting.folder.log.read_text()


def test_a_run_knows_its_parent(setting: Setting, tracked: list[Calls], monkeypatch: pytest.MonkeyPatch) -> None:
    for parent in ("parent-1", ""):
        monkeypatch.setenv("STBENCH_PARENT_RUN", parent)
        with setting.opened() as record:
            record.start_tracking()
    assert [calls.started["tags"].get("mlflow.parentRunId") for calls in tracked] == ["parent-1", None]


@pytest.mark.parametrize("late", ["ledger", "state", "checkpoints"])
def test_an_end_that_is_cut_short_is_made_up_for_and_leaves_one_line(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    place = {"ledger": (ledger, "append"), "state": (module.Logbook, "finished"), "checkpoints": (shutil, "rmtree")}
    with monkeypatch.context() as patch:
        patch.setattr(*place[late], killed)
        with pytest.raises(KeyboardInterrupt), setting.opened() as record:
            done(record, setting.folder)
    assert setting.folder.checkpoints.exists()
    assert len(ledger.rows(LEDGER)) == (0 if late == "ledger" else 1)
    when = setting.folder.read("status.json")["when"]
    with setting.opened() as record:
        assert record.checkpoints.exists()
        done(record, setting.folder)
    assert [row["when"] for row in ledger.rows(LEDGER)] == [when]
    assert not setting.folder.checkpoints.exists()


def test_a_finished_run_that_is_forced_has_another_line(setting: Setting, tracked: list[Calls]) -> None:
    for _ in range(2):
        with setting.opened(force=True) as record:
            done(record, setting.folder)
    assert len({row["when"] for row in ledger.rows(LEDGER)}) == len(ledger.rows(LEDGER)) == 2
    assert len({calls.started["tags"]["stbench.attempt"] for calls in tracked}) == 2
    assert [calls.started["replaced"] for calls in tracked] == [[], []]


def test_what_a_killed_process_had_no_time_to_track_is_tracked_at_the_end(
    setting: Setting, tracked: list[Calls]
) -> None:
    with setting.opened() as record:
        done(record, setting.folder)
    assert tracked[0].logged[2:-1] == [({"loss": 2.0}, 1), ({"score": 0.5}, 2), ({"loss": 1.0}, 2)]


def test_the_tracked_run_is_known_from_the_first_step_on(setting: Setting, tracked: list[Calls]) -> None:
    """A killed process closes nothing."""
    with setting.opened() as record:
        record.start_tracking()
        record.step({"loss": 1.0}, 1)
        assert setting.folder.read("status.json")["mlflow_run"] == "run-7"
        assert setting.folder.state() == "running"


@pytest.mark.parametrize("why", ["force", "data"])
def test_force_or_other_data_start_over(
    setting: Setting, tracked: list[Calls], capfd: pytest.CaptureFixture[str], tmp_path: Path, why: str
) -> None:
    with pytest.raises(Interrupted):
        break_off(setting, Interrupted())
    if why == "data":
        source = setting.plan.data.source
        other = tmp_path / "other.csv"
        other.write_text(source.train[0].read_text().replace("tool", "plant"))
        plan = setting.plan
        setting.plan = replace(plan, data=replace(plan.data, source=replace(source, train=(other,))))
    with setting.opened(force=why == "force") as record:
        assert not record.checkpoints.exists()
        assert not setting.folder.read("status.json")["resumed"]
        record.start_tracking()
    assert tracked[-1].started["resume"] is None
    assert tracked[-1].started["replaced"] == [tracked[0].started["tags"]["stbench.attempt"]]
    assert ("the data has changed" in capfd.readouterr().out) == (why == "data")


def test_set_level_metrics_have_samples_but_no_rows_in_the_report(setting: Setting) -> None:
    from pyarrow.parquet import read_table

    def paired(shift: float) -> Scores:
        predictions = np.linspace(0, 1, N) * shift
        return Scores(
            primary="test_spearman_cosine", metrics={"test_spearman_cosine": shift}, statistic="spearman",
            samples={"id": np.array(ANCHORS), "prediction": predictions, "target": np.linspace(0, 1, N)},
        )  # fmt: skip

    baseline, final = paired(0.5), paired(0.75)
    with setting.opened() as record:
        record.model_folder.mkdir()
        verdict = judge(baseline, final, resamples=200)
        record.finish(verdict, {"validation": baseline, "test": baseline}, {"test": final}, TRAINED, splits())
    columns = read_table(setting.folder.path / "samples.parquet").column_names
    assert columns == ["id", "baseline_prediction", "baseline_target", "final_prediction", "final_target"]
    assert json.loads((setting.folder.path / "verdict.json").read_text())["metric"] == "spearman_cosine"
