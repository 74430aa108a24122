"""The plan of an evaluation: which rows judge which model by which metric. Nothing that is only about training is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stbench.cache import Store
from stbench.config.sentence import Sentence
from stbench.data.roles import Mapped
from stbench.data.sources import Head
from stbench.data.splits import Sizes
from stbench.errors import Problem, Refused
from stbench.jobs.explain_evaluation import explain_evaluation
from stbench.jobs.judged import Judged, judged, read_heads, shape_of_test
from stbench.jobs.other_model import other_model
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint
from stbench.models.choose import base_of, named_base
from stbench.models.heads import head_of
from stbench.plan import versions
from stbench.plan.collections import searched
from stbench.plan.decide import Defaults
from stbench.plan.draft import Draft, Rule
from stbench.plan.estimate import evaluation_bytes
from stbench.plan.evaluators import choose_evaluator
from stbench.plan.hardware import Mode, choose_device, choose_precision
from stbench.plan.helpers import teacher_plan
from stbench.plan.make import blueprint_of
from stbench.plan.model_rules import MODEL_RULES
from stbench.plan.plan import DataPlan, Decision, EvaluatorPlan
from stbench.plan.references import with_references
from stbench.plan.spoken import Spoken, spoken
from stbench.plan.training_rules import length_within_base

AGAINST = "job.against"
RULES: tuple[Rule, ...] = (*MODEL_RULES, length_within_base)
"""The rules of training that are about the model alone."""


@dataclass(frozen=True)
class EvaluationPlan:
    """What is decided before a model is scored."""

    run: str
    blueprint: Blueprint
    data: DataPlan
    rows: Judged
    """Which rows are judged."""
    evaluator: EvaluatorPlan
    precision: Mode
    seed: int
    memory_bytes: int
    disk_bytes: int
    decisions: tuple[Decision, ...] = ()
    part: str = ""
    """Name of the part of a mixture; empty for a single data set."""
    others: tuple[EvaluationPlan, ...] = ()
    """The same for the other parts of a mixture, which are reported and never decide."""
    against: EvaluationPlan | None = None
    """The same for the model that this one is compared with."""

    @property
    def needs(self) -> str:
        return "weights, one batch, the embeddings; nothing is trained"

    @property
    def device(self) -> str:
        return self.blueprint.device

    @property
    def every(self) -> tuple[EvaluationPlan, ...]:
        """This and those of the other parts of a mixture."""
        return (self, *self.others)


def plan_evaluation(sentence: Sentence, chosen: Mapping[str, str], run: str, store: Store) -> EvaluationPlan:
    """The plan of `sentence`; reads model files and the head of the data, loads nothing heavy.

    Raises `Refused` with everything that cannot work.
    """
    if wrong := versions.found_here():
        raise Refused(*wrong)
    said = spoken(sentence, chosen)
    plan, problems = _planned(said, base_of(chosen["base_model"], sentence.base_model), run, store)
    problems += _gate(sentence)
    if problems or plan is None:
        raise Refused(*problems)
    if sentence.job.against is not None:
        plan = replace(plan, against=_against(plan, said, sentence, store))
    return replace(plan, decisions=tuple(explain_evaluation(plan, sentence, chosen)))


def _against(plan: EvaluationPlan, said: Sequence[Spoken], sentence: Sentence, store: Store) -> EvaluationPlan:
    """The same plan for the other model."""
    other, base = other_model(str(sentence.job.against), sentence, AGAINST)
    of_model = {"base_model": other.base_model, "model": other.model}
    names = {"base_model": base.name, "model": other.model.type}
    theirs = [
        replace(one, sentence=one.sentence.model_copy(update=of_model), chosen={**one.chosen, **names}) for one in said
    ]
    found, problems = _planned(theirs, base, plan.run, store)
    where = f"{AGAINST}={sentence.job.against}"
    problems = [replace(problem, where=where) for problem in problems]
    problems += [] if found is None else _comparable(plan, found, where)
    if problems or found is None:
        raise Refused(*problems)
    return found


def _planned(said: Sequence[Spoken], base: Base, run: str, store: Store) -> tuple[EvaluationPlan | None, list[Problem]]:
    """The plan for one model on each data set, that of the deciding one with the others in it; or what is wrong."""
    plans: list[EvaluationPlan | None] = []
    problems: list[Problem] = []
    for one in said:
        with one.telling():
            plan, found = _on_one(one, base, run, store)
        plans.append(plan)
        problems += [problem for problem in map(one.told, found) if problem not in problems]
    whole = [plan for plan in plans if plan is not None]
    if problems or len(whole) < len(said):
        return None, problems
    lead = next(plan for plan, one in zip(whole, said, strict=True) if one.decides)
    return replace(lead, others=tuple(plan for plan in whole if plan is not lead)), []


def _on_one(said: Spoken, base: Base, run: str, store: Store) -> tuple[EvaluationPlan | None, list[Problem]]:
    sentence = said.sentence
    rows = judged(sentence, store)
    heads, mapped = read_heads(rows, sentence)
    data, classes_problem = _with_classes(sentence, base, _data(sentence, rows, heads, mapped, store))
    tested, head = shape_of_test(data.mapped), head_of(base)
    draft = Draft(sentence, dict(said.chosen), base, tested.shape)
    device, device_problem = choose_device(sentence.hardware)
    precision, _, precision_problem = choose_precision(sentence.precision, device, base.architecture == "static")
    evaluator, problems = choose_evaluator(sentence, {"train": tested, "test": tested}, said.chosen["evaluator"])
    collected = data.source.collection is not None
    evaluator, reference_problems = with_references(evaluator, sentence, collected, named_base)
    evaluator = evaluator and replace(evaluator, decides=False)
    problems = [
        *(problem for rule in (*RULES, saved_as_said) for problem in rule(draft)),
        *filter(None, (device_problem, precision_problem, classes_problem)),
        *problems,
        *reference_problems,
    ]
    if evaluator is None or problems:
        return None, problems
    labels = head.labels or (len(tested.classes) if evaluator.kind == "classes" else 1)
    built = blueprint_of(sentence, Defaults(sentence, base), device.device, labels, head.activation)
    blueprint = replace(built, adapter=None)  # a new one is only there to be trained
    if evaluator.asks_teacher:
        data = replace(data, teacher=teacher_plan(sentence, base))
    texts = data.searched.pairs.documents if data.searched else sum(one.count for one in data.heads.values())
    memory = evaluation_bytes(blueprint, evaluator.batch_size, texts, precision)
    return EvaluationPlan(
        run, blueprint, data, rows, evaluator, precision, sentence.seed, memory, _DISK, part=said.name
    ), []  # fmt: skip


def _data(
    sentence: Sentence, found: Judged, heads: Mapping[str, Head], mapped: Mapping[str, Mapped], store: Store
) -> DataPlan:
    return DataPlan(
        source=found.source, heads=heads, mapped=mapped,
        sizes=Sizes(
            sentence.dataset.validation_size, sentence.dataset.test_size, sentence.dataset.limit,
            sentence.training.rows, sentence.training.evaluation_rows,
        ),
        steps=(), shape=shape_of_test(mapped).shape, mining=None, miner=None,
        searched=searched(sentence, found.source, store), seed=sentence.seed,
    )  # fmt: skip


_DISK = 4 * 2**20
"""Report and scores of samples."""


def _with_classes(sentence: Sentence, base: Base, data: DataPlan) -> tuple[DataPlan, Problem | None]:
    """Class ids in the order of the model's own head, where that has names for them."""
    tested, head = shape_of_test(data.mapped), head_of(base)
    if sentence.model.type != "cross_encoder" or tested.shape != "class_pair" or head.labels is None:
        return data, None
    if not sentence.dataset.classes and head.names:
        named = [closest_spelling(name, tested.classes) for name in head.names]
        if set(tested.classes) <= set(named):
            mapped = {split: replace(one, classes=tuple(named)) for split, one in data.mapped.items()}
            return replace(data, mapped=mapped), None
    if head.labels != len(tested.classes):
        what = f"{base.name} tells {head.labels} classes apart, the rows have {len(tested.classes)}"
        names = ",".join(head.names or tested.classes)
        mend = f"name all of them in the model's order: dataset.classes=[{names}]"
        return data, Problem(what, "dataset.classes", mend)
    return data, None


def closest_spelling(name: str, known: tuple[str, ...]) -> str:
    """`name` as the rows spell it, where only its case is another."""
    return next((one for one in known if one.lower() == name.lower()), name)


def saved_as_said(draft: Draft) -> Iterator[Problem]:
    """What was saved as a reranker, a sparse or a multi-vector encoder is none of the others: its score would say nothing."""
    saved, said = draft.base.type, draft.sentence.model.type
    if saved not in (None, "sentence_transformer", said):
        yield Problem(f"{draft.base.name} was saved as a {saved}", f"model={said}", f"model={saved}")


def _gate(sentence: Sentence) -> Iterator[Problem]:
    """One score alone is neither a win nor a regression."""
    if sentence.verdict.fail_on != "never" and sentence.job.against is None:
        yield Problem(
            "the score of one model is no verdict", f"verdict.fail_on={sentence.verdict.fail_on}",
            "job.against=NAME_OR_DIR compares it with another model, or leave it out",
        )  # fmt: skip


def _comparable(plan: EvaluationPlan, against: EvaluationPlan, where: str) -> list[Problem]:
    """Two models are compared by one metric on the same samples."""
    mine, other = plan.evaluator, against.evaluator
    if (mine.kind, mine.metric) == (other.kind, other.metric):
        return []
    what = (
        f"a {against.blueprint.type} is judged by {other.name}: {other.metric}, a {plan.blueprint.type} by"
        f" {mine.name}: {mine.metric}"
    )
    return [Problem(what, where, f"name a {plan.blueprint.type}, or an evaluator that judges both")]
