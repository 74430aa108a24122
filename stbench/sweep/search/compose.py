"""From words to a job, and to what its plan tells: through the same steps that a run goes through by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stbench.config.check import checked
from stbench.config.fingerprint import run_name
from stbench.config.sentence import Sentence
from stbench.errors import Problem, Refused
from stbench.jobs.lifecycle import is_done
from stbench.records.folder import RunFolder
from stbench.run import as_said, choices_of, command
from stbench.sweep.jobs import composed, sentence_of
from stbench.sweep.pool import Ready
from stbench.sweep.search.goal import NEEDS_COST
from stbench.sweep.search.legal import Facts

if TYPE_CHECKING:
    from stbench.plan.plan import Plan


@dataclass(frozen=True)
class Composed:
    """A sentence that can be run."""

    words: tuple[str, ...]
    ready: Ready
    sentence: Sentence
    chosen: Mapping[str, str]
    command: str

    @property
    def folder(self) -> RunFolder:
        return self.ready.folder

    @property
    def done(self) -> bool:
        return is_done(self.folder, self.sentence)


class Composer:
    """Composes in the configuration of the search itself."""

    def __init__(self, loader: Any, master: Any, objectives: Sequence[str]) -> None:
        self._loader = loader
        self._master = master
        self._costs = [name for name in objectives if name in NEEDS_COST]

    def compose(self, words: Sequence[str], number: int = 0) -> Composed:
        """Raises `Refused` as composing and checking do."""
        config = composed(self._loader, self._master, words, number)
        sentence, chosen = checked(sentence_of(config)), choices_of(config.hydra)
        said = command(as_said(config.hydra.overrides.task))
        return Composed(tuple(words), Ready(config, RunFolder(run_name(sentence, chosen))), sentence, chosen, said)

    def facts(self, words: Sequence[str]) -> Facts:
        """Raises `Refused` where the sentence cannot be planned, or ends in no selection score."""
        from stbench.cache import Store, cache_folder
        from stbench.plan.make import make_plan

        one = self.compose(words)
        if found := list(self._unsearchable(one.sentence)):
            raise Refused(*found)
        plan = make_plan(one.sentence, one.chosen, one.folder.name, Store(cache_folder(), one.sentence.cache))
        _check_for_the_library(one.sentence, plan)
        judge, source = plan.evaluator, plan.data.source.name
        judged = f"{judge.metric} by {judge.name} on {source}"
        return Facts(judge.metric, judge.greater_is_better, judged, plan.training.eval_steps)

    def _unsearchable(self, sentence: Sentence) -> list[Problem]:
        problems = []
        if (job := sentence.job.kind) != "train":
            problems.append(Problem(f"job={job} has no selection score to search by", f"job={job}", "job=train"))
        if sentence.seeds != 1:
            mend = "leave it out here; at its end the search says how its best is trained with more seeds"
            problems.append(Problem("each trial trains with one seed", "seeds", mend))
        if self._costs and not sentence.evaluator.cost:
            what = f"{' and '.join(self._costs)} would not be measured"
            problems.append(Problem(what, "evaluator.cost", "evaluator.cost=true, or other hydra.sweeper.objectives"))
        return problems


def _check_for_the_library(sentence: Sentence, plan: Plan) -> None:
    """Arguments that only the library knows; it takes seconds to import, so nobody is asked where none was said."""
    if not (sentence.loss.arguments or sentence.modifier.arguments or sentence.training.extra):
        return
    import logging
    import warnings

    # Libraries warn while they are imported, of what concerns nobody here.
    logging.getLogger().addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems = _unknown_to_the_library(plan)
    if problems:
        raise Refused(*problems)


def _unknown_to_the_library(plan: Plan) -> list[Problem]:
    from stbench.libraries import load_libraries
    from stbench.training.arguments import check_extra
    from stbench.training.mixture import checked_losses

    load_libraries(plan.device)
    return [*check_extra(plan), *checked_losses(plan)]
