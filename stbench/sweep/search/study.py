"""The trials of a search as Optuna keeps them on disk: where one was killed, the next goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from stbench.errors import Problem, Refused, in_words
from stbench.records.folder import RunFolder
from stbench.records.sweep import State
from stbench.sweep.search.goal import Goal, Moment
from stbench.sweep.search.kinds import build
from stbench.sweep.search.settings import Settings

FILE = "study.db"
TOLD, GOES_ON = "told", "goes on"
"""Attributes of a trial: what is told of it at its end; the number of the killed one that it repeats."""


@dataclass(frozen=True)
class Told:
    """What is kept of a trial beside Optuna's own."""

    state: State
    factors: Mapping[str, str]
    run: str
    """Name of its folder; empty where it was refused."""
    command: str
    reason: str = ""
    steps: int = 0
    """Of training, that it took."""
    reused: bool = False
    """Its run had finished before it."""


@dataclass(frozen=True)
class Past:
    """A trial that has come to its end."""

    number: int
    """From 1 upwards."""
    told: Told
    values: tuple[float, ...] = ()
    """By objective; of a pruned one its last score."""
    moments: tuple[Moment, ...] = field(default=(), compare=False)
    """What was reported on the way."""
    started: str = field(default="", compare=False)
    ended: str = field(default="", compare=False)


class Study:
    """Optuna's study, and how its trials ended."""

    def __init__(self, study: Any) -> None:
        self._study = study

    @property
    def past(self) -> list[Past]:
        """All that count: a killed one is repeated by another, and one that was drawn in vain never began."""
        trials = self._study.get_trials(deepcopy=False)
        repeated = _repeated(trials)
        return [
            _past(one)
            for one in trials
            if one.state.is_finished() and TOLD in one.user_attrs and one.number not in repeated
        ]

    @property
    def front(self) -> list[int]:
        """Numbers of the trials that no other beats in all objectives."""
        return [one.number + 1 for one in self._study.best_trials]

    def recover(self) -> int:
        """Trials that were left running are to be repeated before any other is drawn. Returns how many."""
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        left, repeated = [one for one in trials if one.state == TrialState.RUNNING], _repeated(trials)
        for one in left:
            # In this order: whoever is killed in between finds it again.
            if one.params and one.number not in repeated:
                self._study.enqueue_trial(dict(one.params), user_attrs={GOES_ON: one.number})
            self._study.tell(one.number, state=TrialState.FAIL)
        return len(left)

    def ask(self) -> Any:
        """A trial to draw for; one that repeats another knows what that has reported."""
        trial = self._study.ask()
        before = trial.user_attrs.get(GOES_ON)
        if before is not None:
            found = self._study.get_trials(deepcopy=False)[before]
            self.report(trial, [Moment(percent, score) for percent, score in found.intermediate_values.items()])
        return trial

    def report(self, trial: Any, moments: Sequence[Moment]) -> None:
        """Scores that are known already, so that others are held against them; nothing is stopped by it."""
        for one in moments:
            self.is_behind(trial, one)

    def is_behind(self, trial: Any, moment: Moment) -> bool:
        """Keeps a score; returns whether the pruner sees no hope for the trial."""
        known = self._study.get_trials(deepcopy=False)[trial.number].intermediate_values
        # A run that goes on from a checkpoint tells some of its scores again.
        if moment.percent not in known:
            trial.report(moment.score, moment.percent)
        return bool(trial.should_prune())

    def drawn_in_vain(self, trial: Any) -> None:
        from optuna.trial import TrialState

        self._study.tell(trial, state=TrialState.FAIL)

    def end(self, trial: Any, told: Told, values: Sequence[float] = ()) -> Past:
        from optuna.trial import TrialState

        trial.set_user_attr(TOLD, asdict(told))
        state = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(told.state, TrialState.FAIL)
        self._study.tell(trial, list(values) if state == TrialState.COMPLETE else None, state)
        return _past(self._study.get_trials(deepcopy=False)[trial.number])


def open_study(folder: RunFolder, goal: Goal, settings: Settings, fresh: bool = False) -> Study:
    """The study in `folder`, whose lock the caller holds; `fresh` forgets what is there.

    Raises `Refused` where what is there is none.
    """
    import optuna

    optuna.logging.disable_default_handler()
    file, pruner = folder.path / FILE, build(settings.pruner, len(goal.objectives))
    for name in (FILE, f"{FILE}-journal") if fresh else ():
        (folder.path / name).unlink(missing_ok=True)
    try:
        found = optuna.create_study(
            storage=f"sqlite:///{file}", study_name=folder.name, directions=goal.directions, load_if_exists=True,
            pruner=pruner,
        )  # fmt: skip
    except Exception as error:
        what = f"the study cannot be read: {in_words(error)}"
        raise Refused(Problem(what, str(file), "force=true starts over")) from error
    number = len(found.get_trials(deepcopy=False))
    found.sampler = build(settings.sampler, len(goal.objectives), settings.seed_after(number))
    return Study(found)


def _repeated(trials: Sequence[Any]) -> set[int]:
    return {one.user_attrs[GOES_ON] for one in trials if GOES_ON in one.user_attrs}


def _past(trial: Any) -> Past:
    moments = tuple(Moment(percent, score) for percent, score in sorted(trial.intermediate_values.items()))
    times = (trial.datetime_start.isoformat(), trial.datetime_complete.isoformat())
    return Past(trial.number + 1, Told(**trial.user_attrs[TOLD]), tuple(trial.values or ()), moments, *times)
