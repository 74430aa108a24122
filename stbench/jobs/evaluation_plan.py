"""The plan of an evaluation: which rows judge which model by which metric. Nothing that is only about training is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from stbench.plan import rules, versions
from stbench.plan.collections import searched
from stbench.plan.decide import Defaults
from stbench.plan.estimate import evaluation_bytes
from stbench.plan.evaluators import choose_evaluator
from stbench.plan.hardware import Mode, choose_device, choose_precision
from stbench.plan.make import blueprint_of
from stbench.plan.model_rules import MODEL_RULES
from stbench.plan.plan import DataPlan, Decision, EvaluatorPlan
from stbench.plan.references import with_references

AGAINST = "job.against"
RULES: tuple[rules.Rule, ...] = (
    rules.base_fits_model_type,
    rules.splade_needs_its_head,
    rules.revision_is_of_the_hub,
    rules.length_within_base,
    *MODEL_RULES,
)
"""The rules of training that are about the model alone."""


@dataclass(frozen=True)
class EvaluationPlan:
    """What is decided before a model is scored."""

    run: str
    blueprint: Blueprint
    data: DataPlan
    whole: bool
    """Whether all rows of the test split are judged, or those that training holds out."""
    evaluator: EvaluatorPlan
    precision: Mode
    seed: int
    memory_bytes: int
    disk_bytes: int
    decisions: tuple[Decision, ...] = ()
    against: EvaluationPlan | None = None
    """The same for the model that this one is compared with."""

    @property
    def needs(self) -> str:
        return "weights, one batch, the embeddings; nothing is trained"

    @property
    def device(self) -> str:
        return self.blueprint.device


def plan_evaluation(sentence: Sentence, chosen: Mapping[str, str], run: str, store: Store) -> EvaluationPlan:
    """The plan of `sentence`; reads model files and the head of the data, loads nothing heavy.

    Raises `Refused` with everything that cannot work.
    """
    if wrong := versions.found_here():
        raise Refused(*wrong)
    base = base_of(chosen["base_model"], sentence.base_model)
    found = judged(sentence, store)
    heads, mapped = read_heads(found, sentence)
    data = _data(sentence, found, heads, mapped, store)
    plan, problems = _planned(sentence, dict(chosen), base, data, run, found.whole)
    problems += list(_gate(sentence))
    against = None
    if sentence.job.against is not None and not problems:
        other, other_base = other_model(sentence.job.against, sentence, AGAINST)
        names = {**chosen, "base_model": other_base.name, "model": other.model.type}
        against, more = _planned(other, names, other_base, data, run, found.whole)
        problems += [replace(problem, where=f"{AGAINST}={sentence.job.against}") for problem in more]
    if problems or plan is None:
        raise Refused(*problems)
    problems = list(_comparable(plan, against, sentence))
    if problems:
        raise Refused(*problems)
    plan = replace(plan, against=against)
    return replace(plan, decisions=tuple(explain_evaluation(plan, found, sentence, chosen)))


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


def _planned(
    sentence: Sentence, chosen: dict[str, str], base: Base, data: DataPlan, run: str, whole: bool
) -> tuple[EvaluationPlan | None, list[Problem]]:
    """The plan for one model, or what is wrong."""
    head = head_of(base)
    data, classes_problem = _with_classes(sentence, base, data)
    tested = shape_of_test(data.mapped)
    draft = rules.Draft(sentence, chosen, base, tested.shape)
    device, device_problem = choose_device(sentence.hardware)
    precision, _, precision_problem = choose_precision(sentence.precision, device, base.architecture == "static")
    evaluator, problems = choose_evaluator(sentence, {"train": tested, "test": tested}, chosen["evaluator"])
    collected = data.source.collection is not None
    evaluator, reference_problems = with_references(evaluator, sentence, collected, named_base)
    problems = [
        *(problem for rule in (*RULES, saved_as_said) for problem in rule(draft)),
        *filter(None, (device_problem, precision_problem, classes_problem)),
        *problems,
        *reference_problems,
    ]
    if evaluator is None or problems:
        return None, problems
    classes = len(tested.classes) if evaluator.kind == "classes" else 1
    labels = head.labels or classes
    built = blueprint_of(sentence, Defaults(sentence, base), device.device, labels, head.activation)
    blueprint = replace(built, adapter=None)  # a new one is only there to be trained
    rows = data.searched.pairs.documents if data.searched else sum(one.count for one in data.heads.values())
    memory = evaluation_bytes(blueprint, evaluator.batch_size, rows, precision)
    return EvaluationPlan(run, blueprint, data, whole, evaluator, precision, sentence.seed, memory, _DISK), []


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


def saved_as_said(draft: rules.Draft) -> Iterator[Problem]:
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


def _comparable(plan: EvaluationPlan, against: EvaluationPlan | None, sentence: Sentence) -> Iterator[Problem]:
    """Two models are compared by one metric on the same samples."""
    if against is None:
        return
    if (plan.evaluator.kind, plan.evaluator.metric) != (against.evaluator.kind, against.evaluator.metric):
        yield Problem(
            f"a {against.blueprint.type} is judged by {against.evaluator.name}: {against.evaluator.metric}, a"
            f" {plan.blueprint.type} by {plan.evaluator.name}: {plan.evaluator.metric}",
            f"{AGAINST}={sentence.job.against}", f"name a {plan.blueprint.type}, or an evaluator that judges both",
        )  # fmt: skip
