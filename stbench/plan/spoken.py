"""What a sentence says of each of its data sets: itself of a single one, of a mixture one sentence for each part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from stbench.config.discovery import load
from stbench.config.mixture import PARTS, told
from stbench.config.sentence import Dataset, DatasetSuggestions, Evaluator, Mixture, Part, Sentence
from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused

_LOSS = re.compile(r"(?<![\w.])loss([.=])(?=\w)")
_EVALUATOR = re.compile(r"(?<![\w.])evaluator=")


@dataclass(frozen=True)
class Spoken:
    """The sentence about one data set: all of a sentence, or what it says of one part of its mixture."""

    name: str
    """Of the part; empty for a single data set."""
    sentence: Sentence
    chosen: Mapping[str, str]
    own_loss: bool = False
    own_evaluator: bool = False
    decides: bool = True
    """Whether its rows choose the checkpoint and give the verdict."""

    @property
    def loss_option(self) -> str:
        """Where the loss is said."""
        return f"{PARTS}.{self.name}.loss" if self.own_loss else "loss"

    def told(self, problem: Problem) -> Problem:
        """`problem` with the options under the names that they have in the mixture, and with the part's name."""
        if not self.name:
            return problem
        what, where = (re.sub(_LOSS, rf"{self.loss_option}\1", text) for text in (problem.what, problem.where))
        if self.own_evaluator:
            where = re.sub(_EVALUATOR, f"{PARTS}.{self.name}.evaluator=", where)
        return told(Problem(what, where, self._mend(problem.mend)), self.name)

    def _mend(self, text: str) -> str:
        """The part may have any loss; options are those of its own, which is named for those who said only its name."""
        place = f"{PARTS}.{self.name}.loss"
        text = re.sub(r"(?<![\w.])loss=", f"{place}=", text)
        if self.own_loss:
            text = re.sub(_LOSS, rf"{place}.use={self.chosen['loss']} {place}\1", text)
        return re.sub(_EVALUATOR, f"{PARTS}.{self.name}.evaluator=", text)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Refusals inside are told with the part's name."""
        try:
            yield
        except Refused as refusal:
            raise Refused(*map(self.told, refusal.problems)) from refusal


def spoken(sentence: Sentence, chosen: Mapping[str, str]) -> list[Spoken]:
    """`sentence` itself, or one for each part of its mixture, in the order in which they stand there.

    Raises `Refused` for what a mixture as a whole cannot be.
    """
    dataset = sentence.dataset
    if found := list(_problems(dataset, chosen["dataset"])):
        raise Refused(*found)
    if not dataset.parts:
        return [Spoken("", sentence, dict(chosen))]
    lengths = [part.suggests.max_seq_length for part in dataset.parts.values()]
    # The model is one: it reads as much as the part with the longest texts needs.
    suggests = DatasetSuggestions(max_seq_length=max((length for length in lengths if length), default=None))
    if None in lengths:
        suggests = DatasetSuggestions()
    decides = dataset.decides or next(iter(dataset.parts))
    return [_spoken(name, part, sentence, chosen, suggests, name == decides) for name, part in dataset.parts.items()]


def _spoken(
    name: str, part: Part, sentence: Sentence, chosen: Mapping[str, str], suggests: DatasetSuggestions, decides: bool
) -> Spoken:
    rows = {option: getattr(part, option) for option in Dataset.model_fields}
    dataset = Mixture.model_construct(**{**rows, "suggests": suggests})
    names = {**chosen, "dataset": part.use, "loss": part.loss.use if part.loss else chosen["loss"]}
    names["evaluator"] = part.evaluator or (chosen["evaluator"] if decides else "auto")
    evaluator = sentence.evaluator
    if not decides or part.evaluator:
        evaluator = _evaluator(evaluator, names["evaluator"], decides)
    alone = {
        "dataset": dataset,
        "loss": part.loss or sentence.loss,
        "evaluator": evaluator,
        "prompts": sentence.prompts,
    }
    if part.prompts is not None:
        alone["prompts"] = sentence.prompts.model_copy(update=part.prompts.model_dump(exclude_none=True))
    own = {"own_loss": part.loss is not None, "own_evaluator": part.evaluator is not None}
    return Spoken(name, sentence.model_copy(update=alone), names, **own, decides=decides)


def _evaluator(said: Evaluator, name: str, decides: bool) -> Evaluator:
    """The evaluator called `name`; what was said beside its sizes is about the part that decides."""
    options = [option for option in Evaluator.model_fields if option not in _OF_A_FILE] if decides else [*_SIZES]
    given = {option: getattr(said, option) for option in options}
    if decides and said.kind == "auto" and said.metric:
        given["metric"] = said.metric
    if not decides and said.fusion == "on":
        given["fusion"] = "auto"
    return Evaluator.model_validate({**load("evaluator", name), **given})


_SIZES = ("depth", "batch_size", "selection_documents", "bm25", "language", "fusion")
_OF_A_FILE = ("summary", "kind", "choose", "shapes", "metric", "metrics", "lower_is_better", "classes")
"""What an evaluator is."""


def _problems(dataset: Mixture, choice: str) -> Iterator[Problem]:
    names = list(dataset.parts)
    if dataset.source != "mixture":
        if names:
            yield Problem(f"dataset={choice} is one data set, without parts", PARTS, "dataset=mixture")
        return
    if len(names) < 2:
        example = f"{PARTS}.docs=python_docs {PARTS}.mine.train=pairs.csv"
        yield Problem("a mixture is made of two data sets at least", PARTS, f"name them: {example}")
        return
    if dataset.decides is not None and dataset.decides not in names:
        mend = did_you_mean(dataset.decides, names, "dataset.decides={}")
        yield Problem(f"no part is called '{dataset.decides}'", f"dataset.decides={dataset.decides}", mend)
    for option, field in Dataset.model_fields.items():
        if option not in ("summary", "source", "suggests") and getattr(dataset, option) != field.get_default():
            mend = f"say it of a part: {PARTS}.{names[0]}.{option}=…"
            yield Problem("the rows of a mixture are those of its parts", f"dataset.{option}", mend)
