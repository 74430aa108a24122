"""A search without a training: a small space, laws that are a function, jobs that do what a script says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from stbench.errors import Problem, Refused
from stbench.records.folder import RunFolder
from stbench.sweep.messages import Message, Score, Stage
from stbench.sweep.pool import Ready
from stbench.sweep.search.goal import Goal
from stbench.sweep.search.ground import Ground, survey
from stbench.sweep.search.legal import Facts
from stbench.sweep.search.search import Search
from stbench.sweep.search.settings import Settings, settings_of
from stbench.sweep.search.space import Space, space_of
from stbench.sweep.search.study import Study, open_study
from stbench.task import Ending

GROUPS = ("loss", "model", "adapter")
STEPS, EVAL_STEPS = 100, 0.2
FACTS = Facts("ndcg@10", True, "ndcg@10 by retrieval on files", EVAL_STEPS)
LEARNING_RATE = "rate=tag(log,interval(0.001,1))"
Values = dict[str, str]


def space(*words: str) -> Space:
    return space_of(OverridesParser.create().parse_overrides(list(words)), lambda key: key in GROUPS)


def values_of(words: Sequence[str]) -> Values:
    return dict(word.split("=", 1) for word in words)


def lawful(law: Callable[[Values], str | tuple[str, str] | None] = lambda values: None) -> Callable[..., Facts]:
    """A law is what is wrong with values: nothing, a text, or a text and where it stands."""

    def attempt(words: Sequence[str]) -> Facts:
        wrong = law(values_of(words))
        if wrong:
            what, where = wrong if isinstance(wrong, tuple) else (wrong, "")
            raise Refused(Problem(what, where))
        return FACTS

    return attempt


def ground_of(*words: str, law: Callable[[Values], Any] = lambda values: None) -> Ground:
    return survey(space(*words), lawful(law))


def settings(trials: int = 4, **said: Any) -> Settings:
    plain = {
        "trials": trials,
        "seed": 12,
        "objectives": ["score"],
        "sampler": "tpe",
        "pruner": "none",
        "batch": None,
        "name": None,
    }
    return settings_of({**plain, **said})  # fmt: skip


class Jobs:
    """Runs jobs by `script`: from a job's values to its scores at each fifth of the training, and its exit code."""

    def __init__(self, script: Callable[[Values], tuple[Sequence[float], int]], places: int = 1) -> None:
        self._script = script
        self._places = places
        self._work: dict[int, tuple[Any, Iterator[Message]]] = {}
        self._said: dict[int, str] = {}
        self.started: list[Values] = []
        self.lines: list[str] = []
        self.stopping = False

    @property
    def has_room(self) -> bool:
        return len(self._work) < self._places and not self.stopping

    @property
    def is_idle(self) -> bool:
        return not self._work

    def start(self, number: int, label: str, job: Any) -> None:
        self.started.append(values_of(job.words))
        self._work[number] = (job, self._messages(number, job))

    def _messages(self, number: int, job: Any) -> Iterator[Message]:
        scores, code = self._script(values_of(job.words))
        job.folder.path.mkdir(parents=True, exist_ok=True)
        job.folder.set_state("running")
        yield Stage("training", 0, STEPS, "")
        steps = [round(STEPS * EVAL_STEPS * place) for place in range(1, len(scores) + 1)]
        for step, score in zip(steps, scores, strict=True):
            yield Score(step, score, STEPS)
            if stop := self._said.get(number):
                job.folder.set_state("interrupted")
                yield Ending(130, stop)
                return
        if code == 0:
            finish(job.folder, list(zip(steps, scores, strict=True)))
        yield Ending(code, "" if code == 0 else f"it broke with {code}")

    def wait(self) -> Iterator[tuple[int, Message]]:
        for number, (_, messages) in list(self._work.items()):
            message = Ending(130, "stopped") if self.stopping else next(messages)
            if isinstance(message, Ending):
                del self._work[number]
            yield number, message

    def reply(self, number: int, stop: str = "") -> None:
        self._said[number] = stop

    def stop(self) -> None:
        self.stopping = True

    def tell(self, code: int, text: str) -> None:
        self.lines.append(f"{code} {text}")


def finish(folder: RunFolder, scores: Sequence[tuple[int, float]], **cost: float) -> None:
    """What a run leaves that has come to its end."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write("history.json", [{"step": step, "score": score} for step, score in scores])
    folder.write("metrics.json", {"last_step": scores[-1][0], "seconds": {"training": 2.5}})
    folder.write("verdict.json", {"outcome": "WIN", "score": 0.5})
    if cost:
        folder.write("cost.json", {"after": cost})
    folder.set_state("finished")


def compose(words: Sequence[str], number: int = 0, refused: Mapping[str, str] | None = None) -> Any:
    """A job that is named by its words."""
    for word in words:
        if word in (refused or {}):
            raise Refused(Problem((refused or {})[word], word))
    folder = RunFolder(json.dumps(sorted(words)).translate(str.maketrans('[]", ', "_____")))
    return SimpleNamespace(
        words=tuple(words), ready=Ready(None, folder), folder=folder, command=" ".join(["stbench", *words]),
        sentence=SimpleNamespace(training=SimpleNamespace(eval_steps=None)), done=folder.state() == "finished",
    )  # fmt: skip


GOAL = Goal(("score",), greater_is_better=True)
STUDY = RunFolder("search")


def study_of(found: Settings, goal: Goal = GOAL) -> Study:
    STUDY.path.mkdir(parents=True, exist_ok=True)
    return open_study(STUDY, goal, found)


def search_with(
    jobs: Jobs, ground: Ground, found: Settings, goal: Goal = GOAL, study: Study | None = None, **more: Any
) -> Search:
    more.setdefault("compose", compose)
    return Search(
        study or study_of(found, goal), ground, goal, more.pop("compose"), jobs, found.trials,
        prunes=found.pruner.name != "none", **more,
    )  # fmt: skip
