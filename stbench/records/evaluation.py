"""Keeps an evaluation: its files, its line in the ledger, its tracked metrics, its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench import console
from stbench.evaluation.baseline import ALSO
from stbench.evaluation.cost import Costs
from stbench.evaluation.scores import Scores
from stbench.records.beside import Beside, paired_metrics
from stbench.records.cost_table import cost_facts
from stbench.records.evaluation_report import write_evaluation
from stbench.records.folder import Summary
from stbench.records.judgement import KEY, Judgement
from stbench.records.logbook import Logbook, environment, peak_bytes
from stbench.records.record import ledger_cells, sample_rows, write_samples
from stbench.records.report import MetricRow, Record, write
from stbench.verdict.judge import Verdict
from stbench.verdict.line import score_line, verdict_line
from stbench.verdict.metric_names import SHOWN
from stbench.verdict.score import EVALUATED, Scored

if TYPE_CHECKING:
    from stbench.data.splits import Splits
    from stbench.jobs.evaluation_plan import EvaluationPlan

FILES = ("verdict.txt", "verdict.json", "metrics.json", "config.yaml", "plan.txt", "report.html", "samples.parquet")


@dataclass(frozen=True)
class Evaluated:
    """What came out: the score of one model and, where another was asked for, the verdict between the two."""

    by_name: Mapping[str, Scores]
    """Outcomes by evaluator: `test` decides, the others are reported."""
    scored: Mapping[str, Scored]
    other: Scores | None = None
    """Of the model that it is compared with."""
    verdict: Verdict | None = None
    also: Sequence[Beside] = ()
    """What the evaluators that do not decide say of the two."""
    costs: Costs | None = None

    @property
    def scores(self) -> Scores:
        return self.by_name["test"]

    @property
    def score(self) -> Scored:
        return self.scored["test"]

    @property
    def outcome(self) -> str:
        return self.verdict.outcome if self.verdict else EVALUATED

    @property
    def compared(self) -> Scores:
        """The other model, or the same once more."""
        return self.other or self.scores

    @property
    def beside(self) -> dict[str, Scored]:
        """Scores by the evaluators that do not decide."""
        return {name.removeprefix(ALSO): one for name, one in self.scored.items() if name.startswith(ALSO)}


def keep(book: Logbook, plan: EvaluationPlan, found: Evaluated, splits: Splits) -> tuple[Summary, str]:
    """Writes everything, ends the tracking, adds the ledger line. Returns what the console shows, and the score's line."""
    run = book.folder.name
    score = score_line(found.score, run)
    line = verdict_line(found.verdict, run) if found.verdict else score
    metrics = paired_metrics(found.compared, found.scores)
    facts = _facts(plan, splits)
    spent = book.costs()
    _write_results(book, found, score, line, metrics)
    record = Record(
        run=run, line=line, verdict=_verdict(found), command=book.command, facts=facts,
        metrics=[MetricRow(name, before if found.other else None, after) for name, (before, after) in metrics.items()],
        references=found.scores.references, samples=sample_rows(found.compared, found.scores, splits),
        plan=console.plan_text(plan), config=(book.folder.path / "config.yaml").read_text(encoding="utf-8"),
        environment=environment(), spent=spent, stages=dict(book.seconds),
        files=book.folder.there(["metrics.json", "cost.json", "samples.parquet", "config.yaml", "plan.txt"]),
        costs=found.costs, also=found.also, compared=plan.against.blueprint.base.name if plan.against else "",
    )  # fmt: skip
    if found.verdict:
        write(record, book.folder.report)
    else:
        write_evaluation(record, found.scores, found.beside, book.folder.report)
    _track_end(book, found)
    book.add_to_ledger(ledger_cells(found.verdict) if found.verdict else _cells(found.score))
    book.finished()
    shown = {name: pair for name, pair in metrics.items() if name.endswith(SHOWN) or len(metrics) <= 6}
    shown |= {one.name: (one.baseline, one.final) for one in found.also}
    if not found.verdict:
        shown |= {f"{name}: {one.metric}": (one.score, one.score) for name, one in found.beside.items()}
    summary = Summary(
        line=line, outcome=found.outcome, facts=[*facts, *(cost_facts(found.costs) if found.costs else []), *spent], metrics=shown, references=found.scores.references,
        places=book.places(), settle=found.verdict.settle if found.verdict else "",
    )  # fmt: skip
    return summary, score


def _facts(plan: EvaluationPlan, splits: Splits) -> list[tuple[str, str]]:
    blueprint = plan.blueprint
    facts = [("scored", f"{blueprint.type}, {blueprint.base.name}, {plan.precision} on {plan.device}")]
    if plan.against is not None:
        other = plan.against.blueprint
        facts.append(("against", f"{other.type}, {other.base.name}"))
    asked = splits.collections.get("test")
    searched = f", {len(asked.queries):,} queries over {len(asked.corpus):,} documents" if asked else ""
    return [*facts, ("data", f"{len(splits.test):,} test rows ({plan.data.shape}){searched}")]


def _verdict(found: Evaluated) -> dict[str, Any]:
    if found.verdict is not None:
        return found.verdict.as_dict()
    return {"outcome": EVALUATED, "baseline": None, **found.score.as_dict()}


def _write_results(
    book: Logbook, found: Evaluated, score: str, line: str, metrics: Mapping[str, tuple[float, float]]
) -> None:
    folder = book.folder
    lines = {"score_line": score, "line": line} if found.verdict else {"line": line}
    folder.write("verdict.json", {**lines, **_verdict(found)})
    folder.write("verdict.txt", "".join(f"{text}\n" for text in lines.values()))
    measured = {
        name: {"baseline": before, "final": after} if found.other else {"final": after}
        for name, (before, after) in metrics.items()
    }
    folder.write(
        "metrics.json",
        {
            "test": measured,
            "also": {name: one.as_dict() for name, one in found.beside.items()},
            "references": found.scores.references,
            KEY: Judgement.of(found.scores).as_dict(),
            "seconds": {name: round(value, 3) for name, value in book.seconds.items()},
            "peak_bytes": peak_bytes(),
            "cache": {"taken": book.store.taken, "made": book.store.made},
        },
    )
    if found.costs:
        folder.write("cost.json", found.costs.as_dict())
    if found.other is not None:
        write_samples(found.other, found.scores, folder.path / "samples.parquet")
    else:
        _write_own_samples(found.scores, folder.path / "samples.parquet")


def _write_own_samples(scores: Scores, path: Path) -> None:
    """The outcomes of one model, a row a sample."""
    import pyarrow
    from pyarrow.parquet import write_table

    write_table(pyarrow.table({name: list(values) for name, values in scores.samples.items()}), path)


def _track_end(book: Logbook, found: Evaluated) -> None:
    scored = found.score
    plain = {"score": scored.score, "score.ci95_low": scored.low, "score.ci95_high": scored.high}
    if (verdict := found.verdict) is not None:
        plain |= {"verdict.score": verdict.score, "verdict.baseline": verdict.baseline, "verdict.delta": verdict.delta}
        plain |= {"verdict.ci95_low": verdict.low, "verdict.ci95_high": verdict.high, "verdict.p": verdict.p}
    others = {f"also.{name}.{one.metric}": one.score for name, one in found.beside.items()}
    costs = found.costs.metrics() if found.costs else {}
    book.tracker.log({**plain, **found.scores.metrics, **others, **costs}, 0)
    for name in book.folder.there([*FILES, "cost.json"]):
        book.tracker.artifacts(book.folder.path / name)
    book.end_tracking()


def _cells(scored: Scored) -> dict[str, str]:
    return {
        "verdict": EVALUATED, "score": f"{scored.score:.4f}", "ci95": f"[{scored.low:.3f},{scored.high:.3f}]",
        "n": str(scored.n), "metric": scored.metric,
    }  # fmt: skip
