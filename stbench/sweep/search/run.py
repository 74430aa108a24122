"""A search, top to bottom: options, space, what can run, the study, the trials, the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from stbench import console
from stbench.errors import Interrupted
from stbench.jobs.lifecycle import terminable
from stbench.records.folder import RunFolder
from stbench.run import command
from stbench.sweep.record import SweepRecord, is_silent, kept, lines_of, named
from stbench.sweep.search import explain
from stbench.sweep.search.compose import Composed, Composer
from stbench.sweep.search.goal import Goal
from stbench.sweep.search.ground import Ground, survey
from stbench.sweep.search.result import Found, more, place_of, rows
from stbench.sweep.search.runner import Runner
from stbench.sweep.search.search import Search
from stbench.sweep.search.settings import Settings, settings_of
from stbench.sweep.search.space import Space, space_of
from stbench.sweep.search.study import FILE, Study, Told, open_study
from stbench.task import gravest

Runners = Callable[[int, bool], AbstractContextManager[Runner]]
"""Opens what runs as many trials; whether these wait for a reply at each score."""


@dataclass(frozen=True)
class Hands:
    """What runs the trials."""

    runner: Runners
    name: str
    """Of the launcher."""
    stops: bool
    """Whether it can stop a trial half-way."""
    warm_up: Callable[[], None] = lambda: None


def run_search(config: Any, loader: Any, overrides: Sequence[Any], said: Mapping[str, Any], hands: Hands) -> int:
    """Returns the gravest exit code of the trials that ran; a pruned one is none.

    Raises `Refused` where the options or the words give no search, or the same one is running already.
    """
    try:
        settings = settings_of(said)
        space = space_of(overrides, lambda key: "." not in key and bool(loader.get_group_options(key)))
        only = any(one.key_or_group == "plan" and one.value() == "only" for one in overrides)
        if not only and not _is_there(folder_of(space, settings), settings.trials):
            hands.warm_up()
        composer = Composer(loader, config, settings.objectives)
        with console.progress("planning combinations", space.combinations) as advance:
            ground = survey(space, composer.facts, advance)
        lines = [*_of_hydra(config), *lines_of(overrides)]
        return _searched(_Asked(settings, ground, composer, hands, lines), only)
    except KeyboardInterrupt:
        console.show_interrupted("stopped before any trial")
        return Interrupted.exit_code


@dataclass(frozen=True)
class _Asked:
    """What is to be searched."""

    settings: Settings
    ground: Ground
    composer: Composer
    hands: Hands
    lines: Sequence[str]
    """The words of the command."""

    @property
    def goal(self) -> Goal:
        return Goal(self.settings.objectives, self.ground.facts.greater_is_better)

    @property
    def stays(self) -> str:
        """Why no trial is stopped half-way; empty where the pruner is asked."""
        if self.settings.pruner.name == "none":
            return "none"
        if not self.goal.prunes:
            what = "several objectives" if len(self.goal.objectives) > 1 else "an objective that is known at the end"
            return f"off: Optuna has none for {what}"
        return "" if self.hands.stops else f"off: hydra/launcher={self.hands.name} cannot stop a trial half-way"

    @property
    def first(self) -> Composed:
        """A sentence like those that will be drawn."""
        one, space = self.ground.legal[0], self.ground.space
        lowest = {other.name: other.ends[0] for other in space.quantities if other.name in one.takes}
        return self.composer.compose(space.words({**one.picks, **lowest}))


def folder_of(space: Space, settings: Settings) -> RunFolder:
    """Named by what is asked: the same space, words and objectives are the same study, which more trials go on with."""
    factors = sorted(f"{one.key}={one.says}" for one in (*space.choices, *space.quantities))
    fixed = sorted(word for word in space.fixed if not is_silent(word.partition("=")[0].lstrip("+~")))
    words = [settings.name] if settings.name else sorted(space.said)
    return named("search", words, [factors, fixed, list(settings.objectives), settings.name])


def _is_there(folder: RunFolder, trials: int) -> bool:
    """Whether an earlier command has ended with as many trials."""
    return len((folder.read(place_of(folder).name) or {}).get("trials", ())) >= trials


def _of_hydra(config: Any) -> list[str]:
    return [str(word) for word in config.hydra.overrides.hydra if not str(word).startswith("hydra.mode=")]


def _searched(asked: _Asked, only: bool) -> int:
    folder = folder_of(asked.ground.space, asked.settings)
    if only:
        there = (folder.path / FILE).is_file()
        _explain(asked, _found(open_study(folder, asked.goal, asked.settings), asked.goal) if there else None)
        return 0
    first, said = asked.first.sentence, command(["-m", *asked.lines])
    title = f"Search over {', '.join(asked.ground.space.said)}"
    with kept(folder, first, said, title) as record:
        study = open_study(folder, asked.goal, asked.settings, fresh=first.force)
        repeated = study.recover()
        _explain(asked, _found(study, asked.goal))
        if repeated:
            console.note(f"{repeated} trial{'s' * (repeated > 1)} of a search that was stopped go on first")
        return _ran(asked, study, record)


def _ran(asked: _Asked, study: Study, record: SweepRecord) -> int:
    missing = asked.settings.trials - len(study.past)
    with terminable(), _runner(asked, record, missing) as runner:
        search = Search(
            study, asked.ground, asked.goal, asked.composer.compose, runner, asked.settings.trials,
            prunes=not asked.stays, closed=record.left_behind,
        )  # fmt: skip
        search.run()
    study.recover()
    found = _found(study, asked.goal, search)
    record.folder.write(place_of(record.folder).name, found.as_dict())
    record.end(rows(found), more(found))
    codes = [ending.code for ending in search.endings.values()]
    if search.is_whole:
        return gravest(codes)
    told = f"{len(found.past)} of {asked.settings.trials} trials have ended"
    console.show_interrupted(f"the search was stopped, {told}; the same command goes on from here")
    return Interrupted.exit_code


@contextmanager
def _runner(asked: _Asked, record: SweepRecord, missing: int) -> Iterator[Runner]:
    """Jobs name the search as their parent, where there are any."""
    if missing <= 0:
        with asked.hands.runner(1, False) as runner:
            yield runner
        return
    with record.tracking(missing), asked.hands.runner(missing, not asked.stays) as runner:
        yield runner


def _found(study: Study, goal: Goal, search: Search | None = None) -> Found:
    past = tuple(study.past)
    stopped: dict[int, Told] = {}
    for one in search.stopped if search else ():
        reason = search.endings[one.number].reason if search else ""
        stopped[one.number] = Told(
            "interrupted", one.drawn.factors, one.job.folder.name, one.job.command, reason, one.steps
        )
    front = tuple(study.front) if any(one.told.state == "finished" for one in past) else ()
    return Found(goal, past, front, stopped, frozenset(search.endings) if search else frozenset())


def _explain(asked: _Asked, found: Found | None) -> None:
    tables = explain.tables(asked.ground, asked.settings, asked.goal, asked.stays, found)
    console.show_tables(tables)
    for text in explain.notes(asked.ground, asked.settings):
        console.note(text)
