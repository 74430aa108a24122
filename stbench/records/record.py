"""Keeps a run: its folder, its log, its tracking, its ledger line and its report."""

from __future__ import annotations

import logging
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stbench import console
from stbench.cache import Store, key_of
from stbench.config.fingerprint import meaning
from stbench.config.sentence import Sentence
from stbench.data.splits import anchors_of, content_hash
from stbench.errors import Interrupted
from stbench.evaluation.scores import Scores, is_reference
from stbench.plan.plan import Plan
from stbench.records import ledger
from stbench.records.folder import LOGS, RunFolder, Summary
from stbench.records.logs import to_file
from stbench.records.report import MetricRow, Record, SampleRow, write
from stbench.records.tracker import MlflowTracker, NoTracker, Status, Tracker
from stbench.verdict.advice import Facts, advise
from stbench.verdict.judge import Verdict, readable
from stbench.verdict.line import verdict_line

if TYPE_CHECKING:
    from stbench.data.splits import Splits
    from stbench.training.train import Trained

PACKAGES = ("sentence-transformers", "transformers", "torch", "datasets", "accelerate", "hydra-core", "mlflow")
SHOWN = ("ndcg@10", "mrr@10", "map@100", "map", "accuracy@1", "recall@10")
"""Of the many metrics of a ranking evaluator, those on the console; the report has all."""
LEDGER = LOGS / "experiments.md"
log = logging.getLogger("stbench")


@contextmanager
def recording(folder: RunFolder, sentence: Sentence, plan: Plan, command: str, store: Store) -> Iterator[Recording]:
    """Opens the records of a run and closes them the way the run ended: finished, failed or interrupted."""
    data = plan.data.source.digest()
    fresh = sentence.force or _is_new(folder, data)
    if fresh:
        folder.start_over()
    folder.set_state("running", pid=os.getpid(), resumed=not fresh, data=data)
    with to_file(folder.log):
        record = Recording(folder, sentence, plan, command, store, resumed=not fresh)
        try:
            yield record
        except (KeyboardInterrupt, Interrupted):
            log.warning("interrupted")
            record.close("interrupted", "KILLED")
            raise
        except BaseException:
            record.close("failed", "FAILED")
            raise


def _is_new(folder: RunFolder, data: str) -> bool:
    """Whether there is nothing to go on from, or only checkpoints of other data."""
    status = folder.read("status.json")
    if status is not None and status.get("data") != data:
        console.note("the data has changed since this run was stopped; it starts over")
        return True
    return status is None


class Recording:
    """What a run tells about itself while it goes on."""

    def __init__(
        self, folder: RunFolder, sentence: Sentence, plan: Plan, command: str, store: Store, resumed: bool
    ) -> None:
        self.seconds: dict[str, float] = {}
        """Wall time by stage."""
        self._start = time.perf_counter()
        self._folder = folder
        self._sentence = sentence
        self._plan = plan
        self._command = command
        self._store = store
        self._trial = sentence.training.trial
        self._tracker: Tracker = NoTracker()
        self._tracked = False
        self._write_opening()
        log.info("%s: %s", "resumed" if resumed else "started", command)

    @property
    def checkpoints(self) -> Path:
        return self._folder.checkpoints

    @property
    def model_folder(self) -> Path:
        return self._folder.model

    def start_tracking(self) -> None:
        """Opens the tracking in the background; after the heavy imports, which it would slow down."""
        choice = self._sentence.tracker
        if choice.kind == "none" or self._trial:
            return
        self._tracker = MlflowTracker(choice.uri, choice.experiment)
        before = (self._folder.read("status.json") or {}).get("mlflow_run")
        tags = {"stbench.command": self._command, "stbench.folder": str(self._folder.path)}
        self._tracker.start(self._folder.name, _flat(meaning(self._sentence)), tags, resume=before)

    def data(self, splits: Splits) -> None:
        """Names the data sets to the tracker."""
        if isinstance(self._tracker, NoTracker):
            return  # the digest reads every row
        name = self._plan.data.source.name
        for split, context in (("train", "train"), ("validation", "selection"), ("test", "test")):
            rows = getattr(splits, split)
            digest = key_of([list(row.values()) for row in rows])
            self._tracker.dataset(f"{Path(name).stem}-{split}", digest, len(rows), name, context)

    def step(self, entry: Mapping[str, Any], step: int) -> None:
        """One logged entry of the training."""
        self._remember_tracking()
        self._tracker.log({key: value for key, value in entry.items() if key != "step"}, step)

    def finish(
        self,
        verdict: Verdict,
        baseline: Mapping[str, Scores],
        final: Scores,
        trained: Trained,
        splits: Splits,
        truncated: float,
    ) -> Summary:
        """Writes everything, ends the tracking, adds the ledger line."""
        line = verdict_line(verdict, self._folder.name)
        metrics = _paired_metrics(baseline["test"], final)
        # One step on a slice says that the sentence holds together, and nothing about what to try.
        found = [] if self._trial else advise(self._facts(verdict, trained, truncated))
        advice = [(item.overrides, item.reason) for item in found]
        self.seconds["in all"] = time.perf_counter() - self._start
        costs = self._costs(trained)
        self._write_results(verdict, line, baseline, final, trained, metrics)
        write(
            self._report(verdict, line, baseline["test"], final, trained, splits, metrics, advice, costs),
            self._folder.report,
        )
        self._track_end(verdict, line, final)
        shutil.rmtree(self._folder.checkpoints, ignore_errors=True)
        if not self._trial:
            ledger.append(LEDGER, self._ledger_row(verdict))
        self._folder.set_state("finished", seconds=round(self.seconds["in all"], 2))
        return Summary(
            line=line, outcome=verdict.outcome, facts=[*self._ran(trained, splits), *costs],
            metrics={name: pair for name, pair in metrics.items() if name.endswith(SHOWN) or len(metrics) <= 6},
            references=final.references, places=self._places(), advice=advice,
            settle="" if self._trial else verdict.settle,
        )  # fmt: skip

    def close(self, state: Literal["failed", "interrupted"], status: Status) -> None:
        """The run did not come to its end."""
        self._remember_tracking()
        self._folder.set_state(state)
        self._tracker.finish(status)

    def _remember_tracking(self) -> None:
        """Keeps the tracker's id of this run as soon as training begins: whoever goes on with the run goes on with that."""
        if not self._tracked and (run := self._tracker.run_id):
            self._folder.set_state("running", mlflow_run=run)
            self._tracked = True

    # --- opening

    def _write_opening(self) -> None:
        from omegaconf import OmegaConf

        folder = self._folder
        folder.write(
            "config.yaml", OmegaConf.to_yaml(OmegaConf.create(self._sentence.model_dump(mode="json", by_alias=True)))
        )
        folder.write("command.txt", self._command + "\n")
        folder.write("plan.txt", console.plan_text(self._plan) + "\n")
        folder.write("environment.json", environment())
        inputs = self._plan.data.source.inputs
        folder.write("inputs.json", {str(file): [file.stat().st_size, file.stat().st_mtime_ns] for file in inputs})

    # --- ending

    def _facts(self, verdict: Verdict, trained: Trained, truncated: float) -> Facts:
        plan, training = self._plan, self._plan.training
        losses = [entry["loss"] for entry in trained.history if "loss" in entry]
        dims = {name.removesuffix("_active_dims"): value for name, value in verdict.extras.items()}
        mined = plan.data.mining is not None or plan.data.shape in ("triplet", "n_tuple", "ranked_list")
        return Facts(
            outcome=verdict.outcome, model_type=plan.blueprint.type, loss=plan.loss.cls,
            negatives="mined" if mined else "none", n=verdict.n, needed=verdict.needed, best_step=trained.best_step,
            last_step=trained.last_step, first_loss=losses[0] if losses else None, last_loss=losses[-1] if losses else None,
            learning_rate=training.learning_rate, epochs=training.epochs, train_rows=trained.rows,
            batch_size=training.batch_size, truncated_share=truncated, active_dims=dims or None, in_batch=plan.loss.in_batch,
            max_seq_length=plan.blueprint.max_seq_length, max_steps=training.max_steps if training.max_steps == trained.last_step else None,
        )  # fmt: skip

    def _write_results(
        self,
        verdict: Verdict,
        line: str,
        baseline: Mapping[str, Scores],
        final: Scores,
        trained: Trained,
        metrics: Mapping[str, tuple[float, float]],
    ) -> None:
        folder = self._folder
        folder.write("verdict.json", {"line": line, **verdict.as_dict()})
        folder.write(
            "metrics.json",
            {
                "test": {name: {"baseline": before, "final": after} for name, (before, after) in metrics.items()},
                "selection_baseline": baseline["validation"].score,
                "references": final.references,
                "best_step": trained.best_step,
                "last_step": trained.last_step,
                "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
                "cache": {"taken": self._store.taken, "made": self._store.made},
            },
        )
        folder.write("history.json", list(trained.history))
        _write_samples(baseline["test"], final, folder.path / "samples.parquet")

    def _report(
        self,
        verdict: Verdict,
        line: str,
        baseline: Scores,
        final: Scores,
        trained: Trained,
        splits: Splits,
        metrics: Mapping[str, tuple[float, float]],
        advice: list[tuple[str, str]],
        costs: list[tuple[str, str]],
    ) -> Record:
        return Record(
            run=self._folder.name, line=line, verdict=verdict.as_dict(), command=self._command,
            facts=self._ran(trained, splits),
            metrics=[MetricRow(name, before, after) for name, (before, after) in metrics.items()],
            references=final.references, history=trained.history, best_step=trained.best_step,
            samples=_sample_rows(baseline, final, splits), advice=advice, plan=console.plan_text(self._plan),
            config=(self._folder.path / "config.yaml").read_text(encoding="utf-8"), environment=environment(),
            costs=[*costs, *((name, f"{value:.1f} s") for name, value in self.seconds.items())],
            files=["model", "metrics.json", "samples.parquet", "history.json", "config.yaml", "plan.txt"],
        )  # fmt: skip

    def _track_end(self, verdict: Verdict, line: str, final: Scores) -> None:
        plain = {"verdict.score": verdict.score, "verdict.baseline": verdict.baseline, "verdict.delta": verdict.delta}
        interval = {"verdict.ci95_low": verdict.low, "verdict.ci95_high": verdict.high, "verdict.p": verdict.p}
        self._tracker.log({**plain, **interval, **final.metrics}, 0)
        self._folder.write("verdict.txt", line + "\n")
        for name in (
            "verdict.txt",
            "verdict.json",
            "metrics.json",
            "config.yaml",
            "plan.txt",
            "report.html",
            "samples.parquet",
        ):
            self._tracker.artifacts(self._folder.path / name)
        self._tracker.artifacts(self._folder.model, "model")
        self._remember_tracking()
        with console.progress("tracking"):
            trouble = self._tracker.finish("FINISHED")
        if trouble:
            console.note(trouble)

    def _ran(self, trained: Trained, splits: Splits) -> list[tuple[str, str]]:
        plan, training = self._plan, self._plan.training
        return [
            ("ran", f"{plan.blueprint.type}, {plan.blueprint.base.name}, {plan.loss.cls}"),
            ("data", f"{trained.rows:,} training rows ({plan.data.shape}), {len(splits.test):,} test rows"),
            (
                "training",
                f"{trained.last_step:,} steps of {training.batch_size}, learning rate {training.learning_rate:g},"
                f" best at step {trained.best_step}, {plan.precision} on {plan.device}",
            ),
        ]

    def _costs(self, trained: Trained) -> list[tuple[str, str]]:
        scale = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**30
        slowest = sorted(((value, name) for name, value in self.seconds.items() if name != "in all"), reverse=True)[:3]
        parts = ", ".join(f"{name} {value:.1f} s" for value, name in slowest)
        taken = f"; {len(self._store.taken)} taken from the cache" if self._store.taken else ""
        return [("time", f"{self.seconds['in all']:.1f} s ({parts}){taken}"), ("memory", f"{peak:.1f} GiB at the peak")]

    def _places(self) -> dict[str, str]:
        places = {"model": str(self._folder.model), "report": str(self._folder.report), "log": str(self._folder.log)}
        if not self._trial and self._sentence.tracker.kind == "mlflow":
            places["tracking"] = (
                f"{self._sentence.tracker.uri} (make ui, or mlflow ui --backend-store-uri {self._sentence.tracker.uri})"
            )
        return places

    def _ledger_row(self, verdict: Verdict) -> dict[str, str]:
        return {
            "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"), "run": self._folder.name, "verdict": verdict.outcome,
            "score": f"{verdict.score:.4f}", "baseline": f"{verdict.baseline:.4f}", "delta": f"{verdict.delta:+.4f}",
            "ci95": f"[{verdict.low:+.3f},{verdict.high:+.3f}]", "p": f"{verdict.p:.4f}", "n": str(verdict.n),
            "metric": verdict.metric, "command": self._command,
        }  # fmt: skip


def environment() -> dict[str, str]:
    """Versions and machine, for whoever repeats the run."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        **{name: version(name) for name in PACKAGES},
    }


def _paired_metrics(baseline: Scores, final: Scores) -> dict[str, tuple[float, float]]:
    """Metrics under readable names, the deciding one first."""
    names = [final.primary, *(key for key in final.metrics if key != final.primary)]
    own = [key for key in names if key in baseline.metrics and not is_reference(key)]
    found: dict[str, tuple[float, float]] = {}
    for key in own:
        # Several data sets have metrics of one name: the deciding one takes it, the others keep theirs in full.
        found.setdefault(key if readable(key) in found else readable(key), (baseline.metrics[key], final.metrics[key]))
    return found


def _write_samples(baseline: Scores, final: Scores, path: Path) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    columns: dict[str, Any] = {"id": list(final.samples["id"])}
    for side, scores in (("baseline", baseline), ("final", final)):
        columns.update({f"{side}_{name}": values for name, values in scores.samples.items() if name != "id"})
    write_table(pyarrow.table(columns), path)


def _sample_rows(baseline: Scores, final: Scores, splits: Splits) -> list[SampleRow]:
    """Queries with their own value before and after; none for set-level metrics."""
    if "value" not in final.samples:
        return []
    asked = splits.collections.get("test")
    texts = asked.queries if asked else {content_hash(anchor): anchor for anchor in anchors_of(splits.test)}
    rows = zip(final.samples["id"], baseline.samples["value"], final.samples["value"], strict=True)
    return [
        SampleRow(str(key), texts.get(str(key), str(key)), float(before), float(after)) for key, before, after in rows
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
