"""The finished runs that a sentence names, and those that it would have named, had they come to an end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stbench.cache import Store, cache_folder
from stbench.config.sentence import Sentence
from stbench.errors import Problem, Refused
from stbench.jobs.named_runs import named_runs
from stbench.records.comparison import Statistics
from stbench.records.finished import FinishedRun, LeftOut, read_run
from stbench.records.folder import EXPERIMENTS


def gathered(words: Sequence[str], root: Path = EXPERIMENTS) -> tuple[list[FinishedRun], list[LeftOut]]:
    """(finished runs, folders that a pattern has found and that hold none).

    Raises `Refused` with every name that fits no folder, and every folder that was named itself and holds no finished run.
    """
    named, found = named_runs(words, root)
    asked, others = [read_run(path) for path in named], [read_run(path) for path in found]
    problems = [
        Problem(one.reason, f"runs=[{one.name}]", one.mend) for one in asked if isinstance(one, LeftOut)
    ]  # fmt: skip
    if problems:
        raise Refused(*problems)
    runs = [one for one in (*asked, *others) if isinstance(one, FinishedRun)]
    return runs, [one for one in others if isinstance(one, LeftOut) and not one.other_job]


def gate(sentence: Sentence) -> None:
    """Raises `Refused` where the sentence wants an exit code that runs beside each other do not give."""
    if sentence.verdict.fail_on != "never":
        what = f"job={sentence.job.kind} gives no verdict"
        mend = "job=evaluate job.against=NAME holds two models against each other, or leave it out"
        raise Refused(Problem(what, f"verdict.fail_on={sentence.verdict.fail_on}", mend))


def statistics_of(sentence: Sentence, every_metric: bool = True) -> Statistics:
    mode = "refresh" if sentence.force and sentence.cache == "on" else sentence.cache
    return Statistics(Store(cache_folder(), mode), sentence.verdict.resamples, sentence.seed, every_metric)
