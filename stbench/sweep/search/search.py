"""The search: draw, run, listen, stop what promises nothing, and keep how each trial ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stbench.config.sentence import Sentence
from stbench.errors import Failed, Interrupted, Problem, Pruned, Refused
from stbench.records.folder import RunFolder
from stbench.records.sweep import State
from stbench.sweep.messages import Message, Score, Stage
from stbench.sweep.outcome import outcome_in
from stbench.sweep.search.compose import Composed
from stbench.sweep.search.drawing import Drawn, draw
from stbench.sweep.search.goal import Goal, last_step, scores_of
from stbench.sweep.search.ground import Ground
from stbench.sweep.search.legal import in_one_line
from stbench.sweep.search.runner import Runner
from stbench.sweep.search.study import Past, Study, Told
from stbench.sweep.search.trial import Trial
from stbench.task import Ending

VAIN = 200
"""Draws in a row that may be refused before the search gives up."""
GOOD = (0, 3)
"""Exit codes of a run that came to its end."""


class Search:
    """Runs until the study has as many trials as were asked for."""

    def __init__(
        self,
        study: Study,
        ground: Ground,
        goal: Goal,
        compose: Callable[[Sequence[str], int], Composed],
        runner: Runner,
        trials: int,
        *,
        prunes: bool = False,
        closed: Callable[[RunFolder, Sentence, str, str], None] = lambda *dead: None,
    ) -> None:
        """`prunes`: whether the pruner is asked at each score. `closed` is told of runs whose processes have died."""
        self._study = study
        self._ground = ground
        self._goal = goal
        self._compose = compose
        self._runner = runner
        self._trials = trials
        self._prunes = prunes
        self._closed = closed
        self._running: dict[int, Trial] = {}
        self._past = {one.number: one for one in study.past}
        self.endings: dict[int, Ending] = {}
        """Of the trials that ended in this search, by number."""
        self.stopped: list[Trial] = []
        """Trials that go on when the search does."""

    def run(self) -> None:
        """Ctrl-C or a termination signal lets the jobs at work save what they have, and starts no other."""
        while True:
            try:
                self._fill()
                # What a signal has cut short may be known as running here alone.
                if not self._running or (self._runner.stopping and self._runner.is_idle):
                    return
                for number, message in self._runner.wait():
                    self._heard(self._running[number], message)
            except (KeyboardInterrupt, Interrupted):
                self._runner.stop()

    def _fill(self) -> None:
        while self._runner.has_room and self._missing > 0:
            self._begin(self._asked())

    @property
    def is_whole(self) -> bool:
        """Whether all trials that were asked for have ended."""
        return self._missing <= 0 and not self._running

    @property
    def _missing(self) -> int:
        waiting = sum(1 + len(one.twins) for one in self._running.values())
        return self._trials - len(self._past) - waiting

    def _asked(self) -> tuple[Any, Drawn]:
        """A trial that can be composed of its choices. Raises `Refused` where none is to be found."""
        reason = ""
        for _ in range(VAIN):
            asked = self._study.ask()
            found = draw(asked, self._ground)
            if isinstance(found, Drawn):
                return asked, found
            self._study.drawn_in_vain(asked)
            reason = in_one_line(found.why)
        mend = "say fewer choices, so that those that go together are found beforehand"
        raise Refused(Problem(f"{VAIN} draws in a row were refused, the last: {reason}", mend=mend))

    def _begin(self, found: tuple[Any, Drawn]) -> None:
        asked, drawn = found
        number = int(asked.number) + 1
        try:
            job = self._compose(drawn.words, number)
        except Refused as refusal:
            told = Told("refused", drawn.factors, "", "", refusal.in_one_line())
            text = f"{number}: {drawn.says}: refused: {told.reason}"
            self._keep(asked, told, Ending(Refused.exit_code, told.reason), text)
            return
        one = Trial(asked, drawn, job)
        twin = next((other for other in self._running.values() if other.job.folder == job.folder), None)
        if twin is not None:
            twin.twins.append(one)
        elif not self._is_known(one):
            self._running[number] = one
            self._runner.start(number, one.label, job)

    def _is_known(self, one: Trial) -> bool:
        """Whether its sentence has come to an end before: what is known is not run again."""
        if one.job.done:
            self._finished(one, Ending(0), reused=True)
            return True
        before = next((past for past in self._past.values() if past.told.run == one.job.folder.name), None)
        if before is None or not ((self._prunes and before.told.state == "pruned") or before.number in self.endings):
            return False
        self._repeat(one, before)
        return True

    def _heard(self, one: Trial, message: Message) -> None:
        if isinstance(message, Score):
            self._scored(one, message)
        elif not isinstance(message, Stage):
            self._ended(one, message)

    def _scored(self, one: Trial, score: Score) -> None:
        one.steps = score.step
        if self._goal.prunes and score.total:
            moment = one.at(score.step, score.value, score.total)
            behind = self._study.is_behind(one.asked, moment)
            if self._prunes and behind and not one.is_last(score.step, score.total) and not self._runner.stopping:
                one.stop = f"pruned at {moment.percent} % of its training: its score {score.value:.4f} was behind"
        self._runner.reply(one.number, one.stop)

    def _ended(self, one: Trial, ending: Ending) -> None:
        del self._running[one.number]
        if ending.code in GOOD:
            past = self._finished(one, ending)
        elif ending.code == Interrupted.exit_code and one.stop:
            past = self._lost(one, "pruned", Ending(0, one.stop))
        elif self._runner.stopping:
            self._stopped(one, ending)
            return
        else:
            past = self._lost(one, "refused" if ending.code == Refused.exit_code else "failed", ending)
        for twin in one.twins:
            self._repeat(twin, past)

    def _stopped(self, one: Trial, ending: Ending) -> None:
        """It stays at work in the study: what is left there is repeated first by whoever goes on."""
        self.endings[one.number] = ending
        self.stopped.append(one)
        self._runner.tell(ending.code, f"{one.label}: {ending.reason}")

    def _finished(self, one: Trial, ending: Ending, reused: bool = False) -> Past:
        folder = one.job.folder
        steps = last_step(folder) or one.steps
        try:
            values = self._goal.values(folder)
        except Failed as error:
            return self._lost(one, "failed", Ending(Failed.exit_code, str(error)))
        if self._goal.prunes and not one.steps:
            # Nobody has heard its scores. One that stopped early counts as whole where it stopped.
            self._study.report(one.asked, [one.at(step, score, steps) for step, score in scores_of(folder)])
        told = Told("finished", one.drawn.factors, folder.name, one.job.command, steps=steps, reused=reused)
        text = f"{one.label}: {self._goal.says(values)}; {outcome_in(folder)}"
        return self._keep(one.asked, told, ending, f"{text}, was there" if reused else text, values)

    def _lost(self, one: Trial, state: State, ending: Ending) -> Past:
        """It has no result."""
        folder = one.job.folder
        if state == "failed":
            self._closed(folder, one.job.sentence, one.job.command, ending.reason)
        told = Told(state, one.drawn.factors, folder.name, one.job.command, ending.reason, one.steps)
        return self._keep(one.asked, told, ending, f"{one.label}: {ending.reason}")

    def _repeat(self, one: Trial, before: Past) -> None:
        """It says what another trial has said, and ends as that did."""
        if before.told.state == "finished":
            self._finished(one, Ending(0), reused=True)
            return
        self._study.report(one.asked, before.moments)
        ending = self.endings.get(before.number, Ending(0))
        reason = f"as trial {before.number}: {before.told.reason}"
        told = Told(before.told.state, one.drawn.factors, before.told.run, one.job.command, reason)
        self._keep(one.asked, told, Ending(ending.code, reason), f"{one.label}: {reason}")

    def _keep(self, asked: Any, told: Told, ending: Ending, text: str, values: Sequence[float] = ()) -> Past:
        past = self._study.end(asked, told, values)
        self._past[past.number] = past
        self.endings[past.number] = ending
        code = Pruned.exit_code if told.state == "pruned" else ending.code
        self._runner.tell(code, text)
        return past
