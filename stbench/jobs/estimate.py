"""`job=estimate`: what a run of this sentence would take on this machine; nothing is trained, and no line is added anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from stbench import console
from stbench.cache import Store, cache_folder
from stbench.config.fingerprint import run_name
from stbench.config.sentence import Job, Sentence
from stbench.jobs.cost import Estimate, tabled
from stbench.jobs.lifecycle import terminable
from stbench.plan.plan import Plan
from stbench.records.folder import RunFolder

FILE = "estimate.json"
CHECKPOINTS = 2
"""That are kept while a run trains."""
COPIES = 2
"""Of the finished model: in the run's folder, and where it is tracked."""


def run(sentence: Sentence, chosen: Mapping[str, str], command: str, folder: RunFolder) -> int:
    """Plan, then each stage against the clock. Returns the exit code."""
    from stbench.plan.make import make_plan

    trained = run_name(sentence.model_copy(update={"job": Job(kind="train")}), chosen)
    with console.progress("looking at models and data"):
        plan = make_plan(sentence, chosen, trained, Store(cache_folder(), sentence.cache))
    console.show_plan(plan)
    if sentence.plan == "only":
        return 0

    from stbench.records.logbook import opened

    with folder.held(), terminable():
        # What it measured last time was another hour of the same machine.
        again = sentence.model_copy(update={"force": True})
        with opened(
            folder, again, console.plan_text(plan), plan.sources, command, Store(cache_folder(), "off")
        ) as book:
            found = measure(plan, book.store, sentence.job.steps)
            folder.write(FILE, found.as_dict())
            book.costs()
            book.finished()
    console.show_estimate(tabled(found.costs), found, str(folder.path / FILE))
    return 0


def measure(plan: Plan, store: Store, steps: int) -> Estimate:
    """Every stage of `plan` on a slice of its work, in a `store` of its own."""
    from stbench.jobs.measuring import Measuring

    measuring = Measuring(plan, store, steps)
    measuring.libraries()
    whole = measuring.data()
    slices, rows = measuring.conversions(whole)
    model = measuring.model()
    number, step, checkpoint = measuring.training(model, slices, rows)
    measuring.evaluations(model, whole, number)
    finished = measuring.saving(model)
    disk = CHECKPOINTS * checkpoint + COPIES * finished
    free = shutil.disk_usage(".").free
    notes = list(measuring.notes)
    if disk > free:
        notes.append(f"the disk has {free / 2**20:,.0f} MiB left, the run needs {disk / 2**20:,.0f}")
    return Estimate(
        plan.run, tuple(measuring.costs), number, step, peak_memory(plan.device), disk, free, tuple(notes)
    )  # fmt: skip


def peak_memory(device: str) -> int:
    """The most memory that was held so far, on the GPU where there is one."""
    import torch

    from stbench.records.logbook import peak_bytes

    return int(torch.cuda.max_memory_allocated()) if device == "cuda" else peak_bytes()
