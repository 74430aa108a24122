"""Keeps a verdict over several seeds: its files, its line in the ledger, its tracked figures, its report."""

from __future__ import annotations

from collections.abc import Sequence

from stbench.evaluation.scores import Scores
from stbench.records.folder import RunFolder, Summary
from stbench.records.logbook import Logbook, environment
from stbench.records.record import ledger_cells
from stbench.records.report import MetricRow, Record, write
from stbench.verdict.judge import Verdict
from stbench.verdict.line import verdict_line

FILES = ("verdict.txt", "verdict.json", "seeds.json", "config.yaml", "plan.txt", "report.html")


def keep(
    book: Logbook, verdict: Verdict, runs: Sequence[tuple[int, RunFolder]], pairs: Sequence[tuple[Scores, Scores]]
) -> Summary:
    """Writes everything, ends the tracking, adds the ledger line; `runs` are the seeds with the folders of their runs."""
    line = verdict_line(verdict, book.folder.name)
    each = [
        {"seed": seed, "run": folder.name, "baseline": before.score, "score": after.score}
        for (seed, folder), (before, after) in zip(runs, pairs, strict=True)
    ]
    facts = [(f"seed {one['seed']}", f"{one['baseline']:.4f} → {one['score']:.4f}  {one['run']}") for one in each]
    spent = book.costs()
    book.folder.write("verdict.json", {"line": line, **verdict.as_dict()})
    book.folder.write("verdict.txt", f"{line}\n")
    book.folder.write("seeds.json", each)
    metrics = {verdict.metric: (verdict.baseline, verdict.score)}
    write(
        Record(
            run=book.folder.name, line=line, verdict=verdict.as_dict(), command=book.command, facts=facts,
            metrics=[MetricRow(name, before, after) for name, (before, after) in metrics.items()],
            plan=(book.folder.path / "plan.txt").read_text(encoding="utf-8"),
            config=(book.folder.path / "config.yaml").read_text(encoding="utf-8"), environment=environment(), spent=spent,
            files=[*(f"../{folder.name}/report.html" for _, folder in runs), "seeds.json", "config.yaml", "plan.txt"],
        ),
        book.folder.report,
    )  # fmt: skip
    _track_end(book, verdict)
    book.add_to_ledger(ledger_cells(verdict))
    book.finished()
    return Summary(
        line=line, outcome=verdict.outcome, facts=[*facts, *spent], metrics=metrics, references={}, places=book.places(),
        settle="" if book.trial else verdict.settle,
    )  # fmt: skip


def _track_end(book: Logbook, verdict: Verdict) -> None:
    plain = {"verdict.score": verdict.score, "verdict.baseline": verdict.baseline, "verdict.delta": verdict.delta}
    interval = {"verdict.ci95_low": verdict.low, "verdict.ci95_high": verdict.high, "verdict.p": verdict.p}
    book.tracker.log({**plain, **interval, **{f"verdict.{name}": value for name, value in verdict.extras.items()}}, 0)
    for name in FILES:
        book.tracker.artifacts(book.folder.path / name)
    book.end_tracking()
