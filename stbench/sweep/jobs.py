"""The jobs of a sweep: every combination of what was said, each composed, checked and named before any of them runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from stbench.config.check import checked
from stbench.config.composition import refusal
from stbench.config.fingerprint import run_name
from stbench.config.secrets import redacted
from stbench.config.sentence import Sentence
from stbench.errors import Refused
from stbench.jobs.lifecycle import is_done
from stbench.records.folder import RunFolder
from stbench.run import as_said, choices_of, command
from stbench.sweep.pool import Ready


@dataclass(frozen=True)
class Planned:
    """One combination."""

    number: int
    """From 1 upwards."""
    overrides: tuple[str, ...]
    factors: Mapping[str, str]
    """What differs between the jobs, and its value here."""
    command: str
    sentence: Sentence | None = None
    chosen: Mapping[str, str] | None = None
    folder: RunFolder | None = None
    refused: str = ""
    """Why it cannot run, in one line."""
    same_as: int | None = None
    """The number of an earlier job that says the same."""

    @property
    def label(self) -> str:
        return in_words(self.factors)

    @property
    def done(self) -> bool:
        return bool(self.folder and self.sentence and is_done(self.folder, self.sentence))

    @property
    def waits(self) -> bool:
        """Whether there is something to run."""
        return not (self.refused or self.same_as or self.done)


def combinations(overrides: Sequence[Any]) -> list[list[str]]:
    """All combinations of Hydra's overrides; of an option that is said twice the last counts.

    Raises `Refused` for a range without steps, which only a search can take values from.
    """
    from stbench.errors import Problem

    choices: dict[str, list[str]] = {}
    for one in overrides:
        key = one.get_key_element()
        if not one.is_sweep_override():
            choices[key] = [f"{key}={one.get_value_element_as_str()}"]
        elif one.is_discrete_sweep():
            choices[key] = [f"{key}={value}" for value in one.sweep_string_iterator()]
        else:
            mend = f"say values, as in {key}=A,B, or search: hydra/sweeper=optuna"
            raise Refused(Problem("an interval has no values to go through", str(one.input_line), mend))
    return [list(words) for words in product(*choices.values())]


def factors_of(jobs: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Of each job what is not the same for all of them."""
    said = [dict(word.split("=", 1) for word in words if "=" in word) for words in jobs]
    keys = dict.fromkeys(key for one in said for key in one)
    swept = [key for key in keys if len({one.get(key) for one in said}) > 1]
    return [{key.lstrip("+~"): one[key] for key in swept if key in one} for one in said]


def in_words(factors: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in factors.items())


def labels_of(jobs: Sequence[Sequence[str]]) -> list[str]:
    """What tells each job from the others; nothing where there is one alone."""
    return [in_words(factors) for factors in factors_of(jobs)]


def planned(loader: Any, master: Any, jobs: Sequence[Sequence[str]]) -> list[Planned]:
    """Each job, composed by Hydra's `loader` in the sweep's own configuration `master`."""
    found: list[Planned] = []
    names: dict[str, int] = {}
    for number, (words, factors) in enumerate(zip(jobs, factors_of(jobs), strict=True), 1):
        one = _planned(loader, master, number, words, factors)
        if one.folder:
            first = names.setdefault(one.folder.name, number)
            one = one if first == number else replace(one, same_as=first)
        found.append(one)
    return found


def _planned(loader: Any, master: Any, number: int, words: Sequence[str], factors: Mapping[str, str]) -> Planned:
    said = command([redacted(word) for word in words])
    try:
        config = composed(loader, master, words, number)
        sentence, chosen = checked(sentence_of(config)), choices_of(config.hydra)
    except Refused as problem:
        return Planned(number, tuple(words), factors, said, refused=problem.in_one_line())
    said = command(as_said(config.hydra.overrides.task))
    folder = RunFolder(run_name(sentence, chosen))
    return Planned(number, tuple(words), factors, said, sentence, chosen, folder)


def ready(loader: Any, master: Any, words: Sequence[str], number: int) -> Ready:
    """A job as a pool takes it.

    Raises `Refused` as composing and checking do.
    """
    config = composed(loader, master, words, number)
    return Ready(config, RunFolder(run_name(checked(sentence_of(config)), choices_of(config.hydra))))


def sentence_of(config: Any) -> Any:
    """What a task is handed: the configuration of a job without Hydra's own part."""
    from omegaconf import OmegaConf, open_dict

    found = config.copy()
    OmegaConf.set_readonly(found, False)
    with open_dict(found):
        del found["hydra"]
    return found


def composed(loader: Any, master: Any, words: Sequence[str], number: int) -> Any:
    """The configuration of one job, with Hydra's own part.

    Raises `Refused` where it cannot be composed.
    """
    from omegaconf import open_dict

    try:
        config = loader.load_sweep_config(master, list(words))
    except Exception as error:
        if (refused := refusal(error)) is None:
            raise
        raise refused from None
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
    return config
