"""`seeds=5`: the same sentence with several seeds, each a run of its own, and one verdict over all of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from stbench import console
from stbench.cache import Store, cache_folder
from stbench.config.fingerprint import run_name
from stbench.config.sentence import Sentence
from stbench.errors import Failed, Problem, Refused
from stbench.jobs.lifecycle import exit_code, finished, is_done, terminable
from stbench.records.folder import RunFolder

if TYPE_CHECKING:
    from stbench.evaluation.scores import Scores
    from stbench.plan.plan import Plan
    from stbench.verdict.judge import Verdict


@dataclass(frozen=True)
class Seeded:
    """One of the runs."""

    seed: int
    sentence: Sentence
    command: str
    folder: RunFolder


def run_seeds(sentence: Sentence, chosen: Mapping[str, str], command: str, folder: RunFolder) -> int:
    """Runs what is missing, then judges all runs together. Returns the exit code.

    Raises `Refused` for a job that trains nothing, and what a single run raises.
    """
    if sentence.job.kind != "train":
        what = f"job={sentence.job.kind} trains nothing, so that its seeds would all say the same"
        raise Refused(Problem(what, "seeds", "seeds=1, or job=train"))
    if is_done(folder, sentence) and sentence.plan == "show":
        return finished(folder, sentence)
    runs = seeded(sentence, chosen, command)
    store = Store(cache_folder(), sentence.cache)
    plan = _plan(runs, chosen, store)
    if sentence.plan == "only":
        return 0

    from stbench.records.logbook import opened

    with folder.held(), terminable():
        _run_each(runs, chosen)
        with opened(folder, sentence, console.plan_text(plan), plan.sources, command, store) as book:
            from stbench.records.seeds import keep

            book.start_tracking()
            pairs = [_outcomes(run) for run in runs]
            verdict = _judged(pairs, runs, sentence)
            summary = keep(book, verdict, [(run.seed, run.folder) for run in runs], pairs)
    console.show_summary(summary)
    return exit_code(verdict.outcome, sentence)


def seeded(sentence: Sentence, chosen: Mapping[str, str], command: str) -> list[Seeded]:
    """The sentence once for each seed, as it would be said alone."""
    said = sentence.seeds
    seeds = range(sentence.seed, sentence.seed + said) if isinstance(said, int) else dict.fromkeys(said)
    found = []
    for seed in seeds:
        # The gate is for the verdict over all of them.
        verdict = sentence.verdict.model_copy(update={"fail_on": "never"})
        one = sentence.model_copy(update={"seed": seed, "seeds": 1, "verdict": verdict})
        found.append(Seeded(seed, one, _said(command, seed), RunFolder(run_name(one, chosen))))
    return found


def _said(command: str, seed: int) -> str:
    words = [word for word in shlex.split(command) if not word.startswith(("seed=", "seeds=", "verdict.fail_on="))]
    return shlex.join([*words, f"seed={seed}"])


def _plan(runs: Sequence[Seeded], chosen: Mapping[str, str], store: Store) -> Plan:
    """The plan of the first run, shown for all of them."""
    from stbench.plan.make import make_plan

    with console.progress("looking at models and data"):
        plan = make_plan(runs[0].sentence, chosen, runs[0].folder.name, store)
    console.show_plan(plan)
    console.say(f"the same with {len(runs)} seeds ({', '.join(str(run.seed) for run in runs)}), a run each")
    return plan


def _run_each(runs: Sequence[Seeded], chosen: Mapping[str, str]) -> None:
    from stbench.run import run as run_one

    for number, one in enumerate(runs, 1):
        console.say(f"seed {one.seed}, {number} of {len(runs)}")
        run_one(one.sentence, chosen, one.command, one.folder, planned=True)


def _outcomes(run: Seeded) -> tuple[Scores, Scores]:
    from stbench.records.kept import kept_scores

    try:
        return kept_scores(run.folder)
    except (KeyError, OSError) as error:
        raise Failed(
            f"{run.folder.path} holds no outcomes to combine ({error}): run it again with {run.command} force=true"
        ) from None


def _judged(pairs: Sequence[tuple[Scores, Scores]], runs: Sequence[Seeded], sentence: Sentence) -> Verdict:
    """What denies one of the runs its win denies it to all of them."""
    from stbench.verdict.seeds import judge_seeds

    chosen, told = sentence.verdict, [run.folder.read("verdict.json") for run in runs]
    reservations = dict.fromkeys(reason for one in told for reason in one.get("reservations", ()))
    dims = {name: fmean(one["extras"][name] for one in told) for name in told[0]["extras"]}
    try:
        return judge_seeds(
            pairs, min_effect=chosen.min_effect, resamples=chosen.resamples, seed=sentence.seed,
            reservations=list(reservations), extras=dims,
        )  # fmt: skip
    except ValueError as error:
        raise Failed(f"{error}: run them again with force=true") from None
