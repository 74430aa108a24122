"""One run, top to bottom: compose, plan, data, model, baseline, train, final score, verdict, save, record."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench import console
from stbench.cache import Store, cache_folder
from stbench.config.check import checked
from stbench.config.fingerprint import run_name
from stbench.config.secrets import redacted
from stbench.config.sentence import Sentence
from stbench.errors import Interrupted, Refused, StbenchError, in_words
from stbench.jobs.lifecycle import exit_code, finished, is_done, terminable
from stbench.records.folder import RunFolder
from stbench.records.logs import to_file
from stbench.task import Ending

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run_job(config: DictConfig, hydra: Any) -> Ending:
    """One composed sentence, from its check to how it ended; every error is told in a few lines."""
    folder = None
    try:
        sentence = checked(config)
        chosen = choices_of(hydra)
        folder = RunFolder(run_name(sentence, chosen))
        return Ending(run(sentence, chosen, command(as_said(hydra.overrides.task)), folder))
    except Refused as refusal:
        console.show_refusal(refusal)
        return Ending(refusal.exit_code, refusal.in_one_line())
    except (KeyboardInterrupt, Interrupted) as stop:
        said = str(stop) or "stopped; the same command goes on from where it was"
        console.show_interrupted(said)
        return Ending(Interrupted.exit_code, said)
    except StbenchError as error:
        console.show_failure(str(error), _told(folder))
        return Ending(error.exit_code, str(error))
    except Exception as error:
        console.show_failure(in_words(error), _told(folder))
        return Ending(1, in_words(error))


def choices_of(hydra: Any) -> dict[str, str]:
    """The choice of each group."""
    return {str(key): str(value) for key, value in hydra.runtime.choices.items() if value is not None}


def run(
    sentence: Sentence, chosen: Mapping[str, str], command: str, folder: RunFolder, *, planned: bool = False
) -> int:
    """The ten steps, or another job. Returns the exit code; raises what `run_job` turns into messages.

    `planned`: the plan has been shown already.
    """
    if sentence.seeds != 1:
        from stbench.jobs.seeds import run_seeds

        return run_seeds(sentence, chosen, command, folder)
    if (job := sentence.job.kind) != "train":
        other: int = import_module(f"stbench.jobs.{job}").run(sentence, chosen, command, folder)
        return other
    if is_done(folder, sentence) and sentence.plan == "show":
        return finished(folder, sentence)

    from stbench.plan.make import make_plan

    store = Store(cache_folder(), sentence.cache)
    with console.progress("looking at models and data"):
        plan = make_plan(sentence, chosen, folder.name, store)
    if not planned:
        console.show_plan(plan)
    if sentence.plan == "only":
        return 0

    from stbench.records.record import recording

    with folder.held(), terminable():
        # Another process may have finished it while this one planned.
        if is_done(folder, sentence):
            return finished(folder, sentence)
        with recording(folder, sentence, plan, command, store) as record:
            from stbench.stages import Stages

            stages = Stages(plan, store, record)
            splits = stages.data()
            audit = stages.audit(splits)
            evaluators = stages.evaluators(splits)
            baseline = stages.baseline(splits, evaluators)
            sizes_before = stages.sizes_before(splits, evaluators)
            trained = stages.train(splits, evaluators, baseline)
            final = stages.final(evaluators)
            sizes = stages.sizes(evaluators, sizes_before)
            verdict = stages.verdict(baseline, final, sentence, audit)
            stages.save(splits)
            costs = stages.cost(splits, baseline, final)
            audit = stages.whole_audit(audit, splits, baseline, final)
            summary = record.finish(verdict, baseline, final, trained, splits, sizes, costs, audit)
    console.show_summary(summary)
    return exit_code(verdict.outcome, sentence)


def _told(folder: RunFolder | None) -> Path | None:
    """The run's log, with the traceback of the error at hand at its end."""
    import logging

    if folder is None:
        return None
    with to_file(folder.log):
        logging.getLogger("stbench").exception("failed")
    return folder.log


def as_said(overrides: Any) -> list[str]:
    """The overrides of a job, what they take from the environment not taken yet: passwords come that way."""
    from omegaconf import OmegaConf

    words: Any = OmegaConf.to_container(overrides, resolve=False)
    return [redacted(str(word)) for word in words]


def command(overrides: Sequence[str]) -> str:
    """The command line that says this sentence."""
    import shlex

    words = [word.removeprefix("++") for word in overrides if word not in ("force=true", "force=True")]
    return shlex.join([*_program(), *words])


def _program() -> list[str]:
    return ["stbench"] if sys.argv[0].endswith("stbench") else ["python", "-m", "stbench"]
