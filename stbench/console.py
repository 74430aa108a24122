"""What a person sees: plan, progress, summary, verdict, refusals. The only module that prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stbench import watched
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from rich.console import RenderableType

    from stbench.evaluation.sizes import Size
    from stbench.jobs.cost import Estimate
    from stbench.jobs.mined_rows import Pair
    from stbench.plan.plan import DataPlan, Shown
    from stbench.records.comparison_text import TextTable
    from stbench.records.finished import FinishedRun, LeftOut
    from stbench.records.folder import Summary

_COLOURS = {"WIN": "bold green", "MARGINAL": "bold yellow", "REGRESSION": "bold red"}
_NARROWEST_PIPE = 140
_WIDEST_PIPE = 1000


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _NARROWEST_PIPE
    return Console(stderr=stderr, width=width, highlight=False, emoji=False)


def show_version() -> int:
    from stbench import __version__

    print(f"stbench {__version__}")
    return 0


def show_refusal(refusal: Refused) -> None:
    """Every problem, where it stands, and what mends it; on stderr."""
    out = _console(stderr=True)
    for problem in refusal.problems:
        where = f"[bold]{escape(problem.where)}[/]: " if problem.where else ""
        out.print(f"[bold red]✗[/] {where}{escape(problem.what)}", soft_wrap=True)
        if problem.mend:
            out.print(f"  [green]→[/] {escape(problem.mend)}", soft_wrap=True)


def show_failure(message: str, log: Path | None) -> None:
    out = _console(stderr=True)
    out.print(f"[bold red]✗[/] failed: {escape(message)}", soft_wrap=True)
    if log is not None:
        out.print(f"  [green]→[/] the whole story is in {escape(str(log))}", soft_wrap=True)


def show_interrupted(message: str) -> None:
    _console(stderr=True).print(f"[bold yellow]■[/] {escape(message)}", soft_wrap=True)


def list_choices(words: Sequence[str]) -> int:
    """`python -m stbench list [GROUP …] [--config-dir DIR]`: every choice with one line.

    Raises `Refused` for a group that there is not.
    """
    from stbench.config.preflight import listed
    from stbench.config.suggest import did_you_mean

    groups, found = listed(words)
    unknown = [word for word in groups if word not in found]
    if unknown:
        raise Refused(
            *(
                Problem(f"there is no group '{word}'", f"list {word}", did_you_mean(word, found, "list {}"))
                for word in unknown
            )
        )
    out = _console()
    for group in groups or sorted(found):
        table = Table(
            title=f"[bold]{group}[/]", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 2)
        )
        for name, choice in sorted(found[group].items()):
            table.add_row(f"[cyan]{group}={name}[/]", escape(choice.summary))
        out.print(table)
    return 0


def show_plan(plan: Shown) -> None:
    """All decisions with their reasons, three sample rows, and what the run will need."""
    out = _console()
    table = Table(
        title=f"[bold]Plan[/] {escape(plan.run)}",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        show_header=False,
    )
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for decision in plan.decisions:
        table.add_row(decision.what, escape(decision.value), escape(decision.why))
    memory, disk = plan.memory_bytes / 2**30, plan.disk_bytes / 2**20
    table.add_row(
        "needs",
        f"about {memory:.1f} GiB of memory, {disk:,.0f} MiB of disk",
        plan.needs,
    )
    out.print(table)
    out.print("[cyan]samples[/]")
    for name, data in _data_sets(plan).items():
        _show_samples(out, name, data)


def _data_sets(plan: Shown) -> dict[str, DataPlan]:
    """By the names of the parts, where they are those of a mixture."""
    from stbench.plan.plan import Plan

    parts = plan.parts if isinstance(plan, Plan) else ()
    return {part.name: part.data for part in parts} or {"": plan.data}


def _show_samples(out: Console, part: str, data: DataPlan) -> None:
    """Three rows; of each part of a mixture one."""
    split = next(iter(data.heads))
    mapped = data.mapped[split]
    for number, row in enumerate(data.heads[split].rows[: 1 if part else 3], 1):
        for role, column in mapped.columns.items():
            text = f"  {part or number} [dim]{role}[/] {escape(_short(row[column], 110))}"
            out.print(text, no_wrap=True, overflow="ellipsis")


def plan_text(plan: Shown) -> str:
    """The plan as plain text, for the run's folder."""
    width = max(len(decision.what) for decision in plan.decisions)
    return "\n".join(
        f"{decision.what:<{width}}  {decision.value}" + (f"  ({decision.why})" if decision.why else "")
        for decision in plan.decisions
    )


def say(text: str) -> None:
    """A finished stage."""
    _console().print(f"[green]✓[/] {escape(text)}", soft_wrap=True)


def note(text: str) -> None:
    """Something worth knowing that stops nothing."""
    _console().print(f"[yellow]![/] {escape(text)}", soft_wrap=True)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A bar on stderr while a stage runs; yields `advance(done, text="")`, which sets how much is done."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    out, whole = _console(stderr=True), total
    watched.stage(what, 0, whole)
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("[dim]{task.fields[text]}"),
    )  # fmt: skip
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bars:
        task = bars.add_task(what, total=total, text="")

        def advance(done: int, text: str | None = None, total: int | None = None) -> None:
            given = {"text": text, "total": total}
            more: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
            bars.update(task, completed=done, **more)
            watched.stage(what, done, total or whole, text or "")

        yield advance


@contextmanager
def live(drawing: Callable[[], RenderableType]) -> Iterator[Callable[[], None]]:
    """What `drawing` returns, on stderr, drawn anew by each call of what is yielded; nothing where that is no terminal."""
    from rich.live import Live

    out = _console(stderr=True)
    if not out.is_terminal:
        yield lambda: None
        return
    with Live(drawing(), console=out, transient=True, auto_refresh=False) as screen:
        yield lambda: screen.update(drawing(), refresh=True)


def show_job(mark: str, text: str) -> None:
    """One line about a job of a sweep."""
    _console().print(f"{mark} {escape(text)}", soft_wrap=True)


def show_summary(summary: Summary) -> None:
    """What ran, each metric before and after, where everything is, what to try next, and the verdict as the last line."""
    out = _console()
    _show_facts(out, summary.facts)
    out.print(_metrics(summary.metrics, summary.references))
    if summary.sizes:
        out.print(_sizes(summary.sizes))
    _show_places(out, summary.places)
    for overrides, reason in summary.advice:
        out.print(f"[cyan]try next [/] {escape(overrides)}  [dim]{escape(reason)}[/]", soft_wrap=True)
    if summary.settle:
        out.print(f"[cyan]settle   [/] {escape(summary.settle)}", soft_wrap=True)
    out.print()
    show_verdict_line(summary.line, summary.outcome)


def _show_facts(out: Console, facts: Sequence[tuple[str, str]]) -> None:
    out.print()
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in facts:
        table.add_row(label, escape(text))
    out.print(table)
    out.print()


def _show_places(out: Console, places: Mapping[str, str]) -> None:
    for label, place in places.items():
        out.print(f"[cyan]{label:<9}[/] {escape(place)}", soft_wrap=True)


def show_score(summary: Summary, score: str) -> None:
    """What was scored, every metric, where everything is, and the score; the verdict, where there is one, is the last line."""
    out = _console()
    _show_facts(out, summary.facts)
    compared = summary.line != score
    out.print(_metrics(summary.metrics, summary.references) if compared else _alone(summary))
    _show_places(out, summary.places)
    if summary.settle:
        out.print(f"[cyan]settle   [/] {escape(summary.settle)}", soft_wrap=True)
    out.print()
    for line in dict.fromkeys((score, summary.line)):
        show_verdict_line(line, summary.outcome)


def show_mined(facts: Sequence[tuple[str, str]], pairs: Sequence[Pair], places: Mapping[str, str]) -> None:
    """What was mined, and some of it."""
    out = _console()
    _show_facts(out, facts)
    for number, pair in enumerate(pairs, 1):
        out.print(f"  {number} [dim]anchor[/] {escape(_short(pair.anchor, 110))}", no_wrap=True, overflow="ellipsis")
        for text, score, rank in zip(pair.texts, pair.scores, pair.ranks, strict=True):
            kind = "positive" if text is pair.texts[0] else f"rank {rank}" if rank is not None else "random"
            said = f"{kind} {score:.3f}" if score is not None else kind
            out.print(f"    [dim]{said:<14}[/] {escape(_short(text, 100))}", no_wrap=True, overflow="ellipsis")
    _show_places(out, places)


def show_estimate(rows: Sequence[tuple[str, str, str]], found: Estimate, place: str) -> None:
    """What each stage would take and how that was found, and all of it in one line."""
    out = _console()
    out.print()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("stage", "in the run", "measured"):
        table.add_column(name, justify="right" if name == "in the run" else "left", header_style="dim")
    for stage, whole, how in rows:
        table.add_row(f"[cyan]{escape(stage)}[/]", whole, f"[dim]{escape(how)}[/]")
    out.print(table)
    for text in found.notes:
        note(text)
    note("cost, report and tracking are not counted: some seconds")
    _show_places(out, {"estimate": place})
    out.print()
    out.print(escape(found.line()), soft_wrap=True)


def _alone(summary: Summary) -> Table:
    """Metrics of one model."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("metric", "score"):
        table.add_column(name, justify="left" if name == "metric" else "right", header_style="dim")
    for name, (_, value) in summary.metrics.items():
        table.add_row(escape(name), f"{value:.4f}")
    for name, value in summary.references.items():
        table.add_row(f"[dim]{escape(name)}[/]", f"[dim]{value:.4f}[/]")
    return table


def show_verdict_line(line: str, outcome: str) -> None:
    out = _console()
    style = _COLOURS.get(outcome, "")
    out.print(escape(line).replace(outcome, f"[{style}]{outcome}[/]", 1) if style else escape(line), soft_wrap=True)


def _metrics(metrics: Mapping[str, tuple[float, float]], references: Mapping[str, float]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("metric", "baseline", "score", "delta"):
        table.add_column(name, justify="left" if name == "metric" else "right", header_style="dim")
    for name, (before, after) in metrics.items():
        table.add_row(escape(name), f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}")
    for name, value in references.items():
        table.add_row(f"[dim]{escape(name)}[/]", "", f"[dim]{value:.4f}[/]", "")
    return table


def _sizes(sizes: Sequence[Size]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("dimensions", "layers", "baseline", "score", "bytes a document", "s for 1,000 texts", "parameters"):
        table.add_column(name, justify="right", header_style="dim")
    for one in sizes:
        layers = "" if one.layers is None else str(one.layers)
        table.add_row(
            str(one.dim), layers, f"{one.baseline:.4f}", f"{one.score:.4f}", f"{one.bytes_per_document:,}",
            f"{one.seconds_per_1000:.2f}", f"{one.parameters / 1e6:.1f} M",
        )  # fmt: skip
    return table


def show_runs(runs: Sequence[FinishedRun], left_out: Sequence[LeftOut]) -> None:
    """What would be compared, without comparing it."""
    out = _console()
    for run in runs:
        out.print(f"[cyan]{escape(run.name)}[/]  [dim]{escape(run.words)}[/]", soft_wrap=True)
    show_left_out(left_out)


def show_left_out(left_out: Sequence[LeftOut]) -> None:
    """Folders that could not be compared, and why."""
    out = _console()
    for one in left_out:
        mend = f"  [green]→[/] {escape(one.mend)}" if one.mend else ""
        out.print(f"[yellow]![/] left out: {escape(one.name)}: {escape(one.reason)}{mend}", soft_wrap=True)


def show_tables(tables: Sequence[TextTable]) -> None:
    """Tables under their titles; in a file or a pipe as wide as they are, so that no name is broken."""
    out = _console()
    if not out.is_terminal:
        out.width = _WIDEST_PIPE
    for one in tables:
        table = Table(title=f"[bold]{escape(one.title)}[/]", title_justify="left", box=None, padding=(0, 2, 0, 0))
        for place, name in enumerate(one.columns):
            table.add_column(
                escape(name), justify="left" if name in one.words else "right", header_style="dim", style="cyan" if place == 0 else "",
                overflow="fold", no_wrap=name not in one.words, max_width=one.widest if name in one.words else None,
            )  # fmt: skip
        for row in one.rows:
            table.add_row(*map(escape, row))
        out.print()
        out.print(table)


def show_best(remarks: Sequence[str], places: Mapping[str, str], lines: Sequence[str]) -> None:
    """How to read the tables above, where everything is, and a line for the best run of each group."""
    out = _console()
    out.print()
    for text in remarks:
        out.print(f"[dim]{escape(text)}[/]")
    _show_places(out, places)
    out.print()
    for line in lines:
        out.print(escape(line), soft_wrap=True)


def show_finished(
    run: str, lines: Sequence[str], outcome: str, place: str, changed: Sequence[str], label: str = "report"
) -> None:
    """The last lines of a run that is already there; `label` says what is at `place`."""
    out = _console()
    out.print(f"[green]✓[/] {escape(run)} has already run; [bold]force=true[/] starts over", soft_wrap=True)
    for file in changed:
        out.print(
            f"[yellow]![/] {escape(file)} has changed since; [bold]force=true[/] takes the change in", soft_wrap=True
        )
    out.print(f"[cyan]{label}[/] {escape(place)}", soft_wrap=True)
    for line in lines:
        show_verdict_line(line, outcome)


def _short(value: object, length: int) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"
