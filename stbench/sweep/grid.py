"""A grid of sentences, top to bottom: combine, plan, run what is missing, rank, record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from stbench import console
from stbench.errors import Interrupted, Problem, Refused, in_words
from stbench.records.sweep import State, SweepRow
from stbench.sweep import explain
from stbench.sweep.board import FAILED
from stbench.sweep.jobs import Planned, combinations, planned
from stbench.sweep.record import SweepRecord, recorded
from stbench.task import Ending, gravest

Launch = Callable[[Sequence[Sequence[str]], int], Sequence[Any]]
STATES: dict[int, State] = {0: "finished", 3: "finished", 2: "refused", 130: "interrupted"}
"""By exit code."""


def run_grid(
    config: Any, loader: Any, overrides: Sequence[Any], launch: Launch, warm_up: Callable[[], None] | None = None
) -> int:
    """Returns the gravest exit code of all jobs.

    Raises `Refused` where the words give no combinations, or the same sweep is running already.
    """
    jobs = planned(loader, config, combinations(overrides))
    if any(job.sentence and job.sentence.plan == "only" for job in jobs):
        return explain.show(jobs)
    jobs = _asked(jobs, warm_up or (lambda: None))
    if all(job.refused for job in jobs):
        raise Refused(*(Problem(job.refused, job.label) for job in jobs))
    with recorded(jobs, overrides) as record:
        endings = _run([job for job in jobs if job.waits], launch, record)
        rows = [_row(job, endings.get(job.number), record) for job in jobs if job.same_as is None]
        record.end(rows)
    return gravest([_code(row, endings.get(row.number)) for row in rows])


def _asked(jobs: Sequence[Planned], warm_up: Callable[[], None]) -> list[Planned]:
    """The jobs, those that their plan refuses told at once; libraries are loaded meanwhile, as soon as one job is none of them."""
    asked, warm = [], False
    with console.progress("planning", len(jobs)) as advance:
        for number, job in enumerate(jobs, 1):
            refused = explain.expected(job).refused if job.waits else job.refused
            if refused:
                console.show_job(FAILED, f"{job.label}: {refused}")
            elif job.waits and not warm:
                warm_up()
                warm = True
            asked.append(replace(job, refused=refused))
            advance(number)
    return asked


def _run(waiting: Sequence[Planned], launch: Launch, record: SweepRecord) -> dict[int, Ending]:
    """How each job ended that had to run."""
    if not waiting:
        return {}
    try:
        with record.tracking(len(waiting)):
            returned = launch([job.overrides for job in waiting], 0)
    except (KeyboardInterrupt, Interrupted):
        stopped = Ending(Interrupted.exit_code, "the sweep was stopped")
        return {job.number: stopped for job in waiting}
    return {job.number: ending_of(one) for job, one in zip(waiting, returned, strict=True)}


def ending_of(returned: Any) -> Ending:
    """Of whatever launcher: those of others hand errors on in their own way."""
    found = returned._return_value
    if isinstance(found, Ending):
        return found
    return Ending(1, in_words(found) if isinstance(found, BaseException) else f"it returned {found!r}")


def _row(job: Planned, ending: Ending | None, record: SweepRecord) -> SweepRow:
    reason = job.refused or (ending.reason if ending else "")
    state: State = "refused" if job.refused else STATES.get(ending.code, "failed") if ending else "finished"
    folder = job.folder
    if folder and job.sentence and state == "failed":
        record.left_behind(folder, job.sentence, job.command, reason)
    status = (folder.read("status.json") if folder else None) or {}
    return SweepRow(
        number=job.number, factors=job.factors, run=folder.name if folder else "", path=folder.path if folder else None,
        state=state, reason=reason, command=job.command, seconds=status.get("seconds"),
        reused=ending is None and not job.refused,
    )  # fmt: skip


def _code(row: SweepRow, ending: Ending | None) -> int:
    if ending is not None:
        return ending.code
    return 2 if row.state == "refused" else 0
