"""The plan of a sweep: every job, which are refused and why, which are done, what they share, and how long it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from stbench import console
from stbench.cache import Store, cache_folder, key_of
from stbench.errors import Refused
from stbench.plan.plan import Plan
from stbench.records.folder import EXPERIMENTS, RunFolder
from stbench.sweep.jobs import Planned
from stbench.sweep.outcome import outcome_in
from stbench.sweep.slots import slots

if TYPE_CHECKING:
    from stbench.records.comparison_text import TextTable


@dataclass(frozen=True)
class Expected:
    """One job as it would go."""

    job: Planned
    plan: Plan | None = None
    refused: str = ""
    seconds: float | None = None
    """As long as runs like it have taken; None where there was none."""

    @property
    def says(self) -> str:
        if self.refused:
            return "refused"
        if self.job.same_as:
            return f"says the same as job {self.job.same_as}"
        if self.job.done and self.job.folder:
            return f"done: {outcome_in(self.job.folder)}"
        state = self.job.folder.state() if self.job.folder else None
        steps = f"{self.plan.training.steps:,} steps" if self.plan else "runs"
        return f"goes on: {steps}" if state in ("interrupted", "running") else steps


def show(jobs: Sequence[Planned]) -> int:
    """Prints the plan; returns the exit code, 2 where a job is refused."""
    with console.progress("planning", len(jobs)) as advance:
        found = []
        for number, job in enumerate(jobs, 1):
            found.append(expected(job))
            advance(number)
    console.show_tables([table(found)])
    for text in [*refusals(found), *remarks(found)]:
        console.note(text)
    return 2 if any(one.refused for one in found) else 0


def expected(job: Planned) -> Expected:
    if job.refused or job.sentence is None or job.folder is None or job.chosen is None:
        return Expected(job, refused=job.refused)
    if job.same_as or job.done or job.sentence.job.kind != "train":
        return Expected(job)
    from stbench.plan.make import make_plan

    try:
        plan = make_plan(job.sentence, job.chosen, job.folder.name, Store(cache_folder(), job.sentence.cache))
    except Refused as problem:
        return Expected(job, refused=problem.in_one_line())
    return Expected(job, plan, seconds=seconds_like(job.folder, plan.training.steps))


def table(found: Sequence[Expected]) -> TextTable:
    from stbench.records.comparison_text import TextTable

    names = list(dict.fromkeys(name for one in found for name in one.job.factors))
    rows = [
        [
            str(one.job.number), *(one.job.factors.get(name, "") for name in names), one.says,
            "" if one.seconds is None else f"{one.seconds:,.0f} s",
        ]
        for one in found
    ]  # fmt: skip
    return TextTable("Plan of the sweep", ["#", *names, "what happens", "time"], rows, (*names, "what happens"))


def refusals(found: Sequence[Expected]) -> list[str]:
    """Each reason once, with all jobs that it keeps from running."""
    by_reason: dict[str, list[str]] = {}
    for one in found:
        if one.refused:
            by_reason.setdefault(one.refused, []).append(str(one.job.number))
    return [f"refused, job{'s' * (len(jobs) > 1)} {', '.join(jobs)}: {reason}" for reason, jobs in by_reason.items()]


def remarks(found: Sequence[Expected]) -> list[str]:
    """How many run, what they share, and how long it takes."""
    running = [one for one in found if one.plan]
    counts = Counter(one.says.split(":")[0] for one in found if not one.plan)
    others = "".join(f", {number} {what}" for what, number in counts.items())
    lines = [f"{len(running)} of {len(found)} jobs run{others}"]
    lines += [f"shared: {text}" for text in shared([one.plan for one in running if one.plan])]
    if running:
        lines.append(_time(running))
    return lines


def shared(plans: Sequence[Plan]) -> list[str]:
    """What is made once for several jobs."""
    baselines = Counter(key_of(repr(plan.blueprint), plan.data.source.digest(), repr(plan.evaluator)) for plan in plans)
    mined = Counter(
        key_of(plan.data.source.digest(), repr(plan.data.mining), repr(plan.data.miner))
        for plan in plans
        if plan.data.mining
    )
    asked = Counter(
        key_of(plan.data.source.digest(), repr(plan.data.teacher), repr(plan.data.steps))
        for plan in plans
        if plan.data.teacher
    )
    named = [("baseline score", baselines), ("set of mined negatives", mined), ("teacher's answers", asked)]
    return [
        f"{len(found)} {what}{'s' * (len(found) != 1 and not what.endswith('s'))} for {sum(found.values())} jobs"
        for what, found in named
        if found and len(found) < sum(found.values())
    ]


def _time(running: Sequence[Expected]) -> str:
    known = [one.seconds for one in running if one.seconds is not None]
    places = len(slots(None, len(running)))
    if not known:
        return f"{places} at a time; no run like these has finished here: job=estimate measures one"
    whole = sum(known) + median(known) * (len(running) - len(known))
    return f"{places} at a time, about {whole / places / 60:,.1f} minutes, by runs like these that have finished here"


def seconds_like(folder: RunFolder, steps: int) -> float | None:
    """What runs of the same model, base, data and loss took, their training stretched to `steps`; the median."""
    kind = folder.name.rsplit("-", 1)[0]
    found = []
    for path in EXPERIMENTS.glob(f"{kind}-*"):
        kept = RunFolder(path.name).read("metrics.json")
        if kept and path.name.rsplit("-", 1)[0] == kind and kept.get("last_step"):
            seconds = kept["seconds"]
            training = seconds.get("training", 0.0)
            found.append(seconds["in all"] - training + training * steps / kept["last_step"])
    return median(found) if found else None
