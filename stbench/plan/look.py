"""A look at each data set of a sentence: files, first rows, roles, and what loss and evaluator make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stbench.cache import Store
from stbench.config.sentence import LossForType, Sentence, Teacher
from stbench.data.roles import Mapped, map_roles
from stbench.data.shapes import path
from stbench.data.sources import Head, Source, head, open_source
from stbench.errors import Problem, Refused
from stbench.models.base import Base
from stbench.models.choose import named_base
from stbench.plan.draft import Draft
from stbench.plan.evaluators import choose_evaluator
from stbench.plan.helpers import taught_dimensions
from stbench.plan.own_collection import Held, judged_by_own_collection
from stbench.plan.plan import EvaluatorPlan
from stbench.plan.prompts import pooling_problems, prompt_problems
from stbench.plan.references import with_references
from stbench.plan.spoken import Spoken
from stbench.plan.ways import targets_of


@dataclass(frozen=True)
class Look:
    """What is known of a data set before anything is decided."""

    said: Spoken
    source: Source
    heads: Mapping[str, Head]
    mapped: Mapping[str, Mapped]
    asked: Draft
    """The sentence as it was said of this data set."""
    draft: Draft
    """The same, less what the other parts of a mixture do (see `relaxed`)."""
    evaluator: EvaluatorPlan | None
    problems: Sequence[Problem] = ()
    """What keeps the evaluator from judging the rows."""

    @property
    def sentence(self) -> Sentence:
        return self.draft.sentence

    @property
    def loss(self) -> LossForType:
        assert self.draft.loss is not None  # a rule refuses the others
        return self.draft.loss

    @property
    def judge(self) -> EvaluatorPlan:
        assert self.evaluator is not None  # its problems refuse it
        return self.evaluator


def look(parts: Sequence[Spoken], base: Base, store: Store) -> list[Look]:
    """A look at each of `parts`.

    Raises `Refused` with all that cannot be read.
    """
    looks: list[Look] = []
    problems: list[Problem] = []
    for part in parts:
        try:
            looks.append(_look(part, base, store, alone=len(parts) == 1))
        except Refused as refusal:
            problems += map(part.told, refusal.problems)
    if problems:
        raise Refused(*problems)
    return looks


def _look(said: Spoken, base: Base, store: Store, alone: bool) -> Look:
    sentence = said.sentence
    source = open_source(sentence.dataset, store)
    heads = {split: head(source.files(split), split) for split in source.splits}
    mapped = map_splits(sentence, heads, source.files("train")[0].name)
    held = judged_by_own_collection(Held(source, heads, mapped), sentence.evaluator, store)
    source, heads, mapped = held.source, held.heads, held.mapped
    shape = mapped["train"].shape
    classes = len(mapped["train"].classes) if shape in ("class_pair", "labeled_text") else 2
    asked = Draft(sentence, dict(said.chosen), base, shape, classes)
    draft = asked if alone else relaxed(asked)
    evaluator, problems = choose_evaluator(
        draft.sentence, mapped, said.chosen["evaluator"], draft.steps or [], _sizes(draft, heads, mapped)
    )
    evaluator, more = with_references(evaluator, draft.sentence, source.collection is not None, named_base)
    unread = prompt_problems(sentence, said.chosen["prompts"], evaluator.kind) if evaluator else ()
    pooled = pooling_problems(sentence, base)
    return Look(said, source, heads, mapped, asked, draft, evaluator, [*problems, *more, *unread, *pooled])


def _sizes(draft: Draft, heads: Mapping[str, Head], mapped: Mapping[str, Mapped]) -> tuple[int, int] | None:
    """Dimensions of the embeddings that a bi-encoder is to learn, and of its own."""
    if draft.sentence.model.type != "sentence_transformer":
        return None
    given, rows = mapped["train"].columns.get("embedding"), heads["train"].rows
    taught = len(rows[0][given]) if given else taught_dimensions(draft.sentence, draft.base)
    return (taught, draft.dimensions) if taught else None


def map_splits(sentence: Sentence, heads: Mapping[str, Head], train_name: str) -> dict[str, Mapped]:
    """Roles of each split; classes and the range of the scores are those of the training rows."""
    roles, classes = sentence.dataset.roles, sentence.dataset.classes
    train = map_roles(heads["train"].rows, heads["train"].columns, roles, classes, train_name)
    mapped = {"train": train}
    for split, rows in heads.items():
        if split != "train":
            own = map_roles(rows.rows, rows.columns, roles, classes or list(train.classes) or None, f"dataset.{split}")
            mapped[split] = replace(own, score_range=train.score_range or own.score_range)
    return mapped


def relaxed(draft: Draft) -> Draft:
    """`draft` without the teacher, the mining or the in-batch negatives that its loss cannot use, and other parts may."""
    given = dict(_relaxations(draft))
    return replace(draft, sentence=draft.sentence.model_copy(update=given)) if given else draft


def _relaxations(draft: Draft) -> Iterator[tuple[str, object]]:
    sentence, loss = draft.sentence, draft.loss
    if loss is None:
        return
    targets, when = targets_of(sentence, loss), sentence.negatives.when
    if sentence.teacher.kind != "none" and path(draft.shape, targets, draft.means, ["ask"]) is None:
        yield "teacher", Teacher(kind="none")
    if when == "always" and path(draft.shape, targets, draft.means, ["mine"]) is None:
        yield "negatives", sentence.negatives.model_copy(update={"when": "needed"})
    elif when == "in_batch" and draft.sampler != "no_duplicates":
        yield "negatives", sentence.negatives.model_copy(update={"when": "never"})
