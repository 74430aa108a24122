"""Keeps a run: its folder, its log, its tracking, its ledger line and its report."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench import console
from stbench.audit.finding import Audit
from stbench.cache import Store
from stbench.config.sentence import Sentence
from stbench.data.splits import anchors_of, content_hash
from stbench.evaluation.cost import Costs
from stbench.evaluation.scores import Scores
from stbench.evaluation.sizes import Size
from stbench.plan.plan import Plan
from stbench.records.beside import Aside, beside, paired_metrics
from stbench.records.cost_table import cost_facts
from stbench.records.facts import facts_of
from stbench.records.folder import RunFolder, Summary
from stbench.records.judgement import KEY, Judgement
from stbench.records.logbook import Logbook, environment, opened, peak_bytes
from stbench.records.report import MetricRow, Record, SampleRow, write
from stbench.records.tracker import Tracker
from stbench.verdict.advice import advise
from stbench.verdict.judge import Verdict
from stbench.verdict.line import verdict_line
from stbench.verdict.metric_names import SHOWN

if TYPE_CHECKING:
    from stbench.data.splits import Splits
    from stbench.training.train import Trained

FILES = (
    "model",
    "metrics.json",
    "cost.json",
    "audit.json",
    "samples.parquet",
    "history.json",
    "profile.json",
    "trace.json",
    "config.yaml",
    "plan.txt",
)
"""That a report leads to, where they are there."""


@contextmanager
def recording(folder: RunFolder, sentence: Sentence, plan: Plan, command: str, store: Store) -> Iterator[Recording]:
    """Opens the records of a run and closes them the way the run ended: finished, failed or interrupted."""
    with opened(folder, sentence, console.plan_text(plan), plan.sources, command, store) as book:
        yield Recording(book, plan)


class Recording:
    """What a run tells about itself while it goes on."""

    def __init__(self, book: Logbook, plan: Plan) -> None:
        self.seconds = book.seconds
        """Wall time by stage."""
        self._book = book
        self._folder = book.folder
        self._sentence = book.sentence
        self._plan = plan
        self._command = book.command
        self._store = book.store
        self._trial = book.trial

    @property
    def checkpoints(self) -> Path:
        return self._folder.checkpoints

    @property
    def model_folder(self) -> Path:
        return self._folder.model

    @property
    def _tracker(self) -> Tracker:
        return self._book.tracker

    def start_tracking(self) -> None:
        """Opens the tracking in the background; after the heavy imports, which it would slow down."""
        self._book.start_tracking()

    def data(self, splits: Splits) -> None:
        """Names the data sets to the tracker."""
        for plan in self._plan.alone:
            rows = splits.parts.get(plan.part, splits)
            for split, context in (("train", "train"), ("validation", "selection"), ("test", "test")):
                self._book.name_rows(plan.data.source.name, split, getattr(rows, split), context, plan.part)

    def audit(self, found: Audit) -> None:
        """Keeps what was found in the data, also of a run that does not come to its end."""
        self._folder.write("audit.json", found.as_dict())

    def step(self, entry: Mapping[str, Any], step: int) -> None:
        """One logged entry of the training."""
        self._book.remember_tracking()
        self._log(entry, step)

    def finish(
        self,
        verdict: Verdict,
        baseline: Mapping[str, Scores],
        scores: Mapping[str, Scores],
        trained: Trained,
        splits: Splits,
        sizes: tuple[Size, ...] = (),
        costs: Costs | None = None,
        audit: Audit | None = None,
    ) -> Summary:
        """Writes everything, ends the tracking, adds the ledger line; `scores` are those of the trained model."""
        final = scores["test"]
        also = beside(baseline, scores, resamples=self._sentence.verdict.resamples, seed=self._sentence.seed)
        aside = Aside(also, sizes, costs, audit)
        line = verdict_line(verdict, self._folder.name)
        metrics = paired_metrics(baseline["test"], final)
        # One step on a slice says that the sentence holds together, and nothing about what to try.
        told = facts_of(self._plan, verdict, baseline["validation"], trained, splits, audit)
        advice = [] if self._trial else [(item.overrides, item.reason) for item in advise(told)]
        spent = self._book.costs()
        self._write_results(verdict, line, baseline, final, trained, metrics, aside)
        write(
            self._report(verdict, line, baseline["test"], final, trained, splits, metrics, advice, spent, aside),
            self._folder.report,
        )
        self._track_end(verdict, line, final, trained, aside)
        self._book.add_to_ledger(ledger_cells(verdict))
        self._book.finished()
        # Last: until the run is finished, they are what another process goes on from.
        shutil.rmtree(self._folder.checkpoints, ignore_errors=True)
        return Summary(
            line=line, outcome=verdict.outcome, facts=[*self._ran(trained, splits), *(cost_facts(costs) if costs else []), *spent],
            metrics={
                **{name: pair for name, pair in metrics.items() if name.endswith(SHOWN) or len(metrics) <= 6},
                **{one.name: (one.baseline, one.final) for one in also},
            },
            references=final.references, places={"model": str(self._folder.model), **self._book.places()}, advice=advice,
            settle="" if self._trial else verdict.settle or "; ".join(verdict.reservations), sizes=sizes,
        )  # fmt: skip

    def _write_results(
        self,
        verdict: Verdict,
        line: str,
        baseline: Mapping[str, Scores],
        final: Scores,
        trained: Trained,
        metrics: Mapping[str, tuple[float, float]],
        aside: Aside,
    ) -> None:
        folder = self._folder
        folder.write("verdict.json", {"line": line, **verdict.as_dict()})
        folder.write(
            "metrics.json",
            {
                "test": {name: {"baseline": before, "final": after} for name, (before, after) in metrics.items()},
                "also": {one.evaluator: one.as_dict() for one in aside.also},
                "sizes": [asdict(size) for size in aside.sizes],
                "selection_baseline": baseline["validation"].score,
                "references": final.references,
                KEY: Judgement.of(final).as_dict(),
                "best_step": trained.best_step,
                "last_step": trained.last_step,
                "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
                "rows_per_second": trained.rows_per_second,
                "peak_bytes": peak_bytes(),
                "cache": {"taken": self._store.taken, "made": self._store.made},
            },
        )
        folder.write("history.json", list(trained.history))
        if trained.profile:
            folder.write("profile.json", trained.profile.as_dict())
        if aside.costs:
            folder.write("cost.json", aside.costs.as_dict())
        if aside.audit:
            self.audit(aside.audit)
        write_samples(baseline["test"], final, folder.path / "samples.parquet")

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
        spent: list[tuple[str, str]],
        aside: Aside,
    ) -> Record:
        return Record(
            run=self._folder.name, line=line, verdict=verdict.as_dict(), command=self._command,
            facts=self._ran(trained, splits),
            metrics=[MetricRow(name, before, after) for name, (before, after) in metrics.items()],
            also=aside.also, sizes=aside.sizes, references=final.references, history=trained.history,
            best_step=trained.best_step, samples=sample_rows(baseline, final, splits), advice=advice,
            plan=console.plan_text(self._plan),
            config=(self._folder.path / "config.yaml").read_text(encoding="utf-8"), environment=environment(),
            audit=aside.audit, costs=aside.costs, spent=spent, stages=dict(self.seconds), pace=trained.pace,
            profile=trained.profile,
            files=self._folder.there(FILES),
        )  # fmt: skip

    def _track_end(self, verdict: Verdict, line: str, final: Scores, trained: Trained, aside: Aside) -> None:
        plain = {"verdict.score": verdict.score, "verdict.baseline": verdict.baseline, "verdict.delta": verdict.delta}
        interval = {"verdict.ci95_low": verdict.low, "verdict.ci95_high": verdict.high, "verdict.p": verdict.p}
        # A training that was resumed at its end has neither.
        paces = {"rows_per_second": trained.rows_per_second, "seconds_to_first_step": trained.seconds_to_first_step}
        pace = {f"training.{name}": value for name, value in paces.items() if value}
        # A process that was killed may have had no time to hand on what its last checkpoint holds; what stands, stands once.
        for entry in trained.history:
            self._log(entry, entry["step"])
        self._tracker.log({**plain, **interval, **final.metrics, **aside.metrics(), **pace}, 0)
        self._folder.write("verdict.txt", line + "\n")
        for name in (
            "verdict.txt",
            "verdict.json",
            "metrics.json",
            "config.yaml",
            "plan.txt",
            "report.html",
            "samples.parquet",
            *self._folder.there(["cost.json", "audit.json"]),
        ):
            self._tracker.artifacts(self._folder.path / name)
        self._tracker.artifacts(self._folder.model, "model")
        self._book.end_tracking()

    def _log(self, entry: Mapping[str, Any], step: int) -> None:
        self._tracker.log({key: value for key, value in entry.items() if key != "step"}, step)

    def _ran(self, trained: Trained, splits: Splits) -> list[tuple[str, str]]:
        plan, training = self._plan, self._plan.training
        losses = [part.loss.cls for part in plan.parts or plan.alone]
        shapes = [f"{len(splits.parts[part.name].train):,} {part.name}: {part.data.shape}" for part in plan.parts] or [
            plan.data.shape
        ]
        return [
            ("ran", f"{plan.blueprint.type}, {plan.blueprint.base.name}, {' + '.join(dict.fromkeys(losses))}"),
            ("data", f"{trained.rows:,} training rows ({', '.join(shapes)}), {len(splits.test):,} test rows"),
            (
                "training",
                f"{trained.last_step:,} steps of {training.batch_size}, learning rate {training.learning_rate:g},"
                f" best at step {trained.best_step}, {plan.precision} on {plan.device}{_pace(trained)}",
            ),
        ]


def _pace(trained: Trained) -> str:
    rate = f", {trained.rows_per_second:,.0f} rows a second" if trained.rows_per_second else ""
    first = trained.seconds_to_first_step  # a training that was resumed at its end has none
    return rate + (f", the first step after {first:.1f} s" if first else "")


def ledger_cells(verdict: Verdict) -> dict[str, str]:
    """What the ledger tells of a verdict."""
    return {
        "verdict": verdict.outcome, "score": f"{verdict.score:.4f}", "baseline": f"{verdict.baseline:.4f}",
        "delta": f"{verdict.delta:+.4f}", "ci95": f"[{verdict.low:+.3f},{verdict.high:+.3f}]",
        "p": f"{verdict.p:.4f}", "n": str(verdict.n), "metric": verdict.metric,
    }  # fmt: skip


def write_samples(baseline: Scores, final: Scores, path: Path) -> None:
    """The outcomes of both models, a row a sample, as Parquet."""
    import pyarrow
    from pyarrow.parquet import write_table

    columns: dict[str, Any] = {"id": list(final.samples["id"])}
    for side, scores in (("baseline", baseline), ("final", final)):
        columns.update({f"{side}_{name}": values for name, values in scores.samples.items() if name != "id"})
    write_table(pyarrow.table(columns), path)


def sample_rows(baseline: Scores, final: Scores, splits: Splits) -> list[SampleRow]:
    """Queries with their own value before and after; none for set-level metrics."""
    if "value" not in final.samples:
        return []
    asked = splits.collections.get("test")
    texts = asked.queries if asked else {content_hash(anchor): anchor for anchor in anchors_of(splits.test)}
    rows = zip(final.samples["id"], baseline.samples["value"], final.samples["value"], strict=True)
    return [
        SampleRow(str(key), texts.get(str(key), str(key)), float(before), float(after)) for key, before, after in rows
    ]
