"""The other models of a run, in the plan: the miner, what rescores its finds, and the teacher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from stbench.config.sentence import ModelType, Sentence
from stbench.data.shapes import TEACHERS, Means
from stbench.errors import Problem, Refused
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint
from stbench.models.choose import named_base
from stbench.models.digest import weights_digest
from stbench.plan.draft import Draft
from stbench.plan.hardware import choose_device, choose_precision
from stbench.plan.plan import TeacherPlan

_CALLED: dict[ModelType, str] = {
    "sentence_transformer": "a bi-encoder", "cross_encoder": "a cross-encoder", "sparse_encoder": "a sparse encoder",
    "multi_vector_encoder": "a multi-vector encoder",
}  # fmt: skip
_TAUGHT: dict[str, ModelType] = {"bi_encoder": "sentence_transformer", "sparse_encoder": "sparse_encoder"}
"""The model type that can learn the embeddings of each kind of teacher."""
_LAST_OF_HEADS = (
    "classifier.weight",
    "score.weight",
    "classifier.out_proj.weight",
    "classification_head.out_proj.weight",
)
"""Weights of shape (labels, width)."""


def teachers_of(student: ModelType) -> list[Means]:
    """Kinds of teachers that a model type can learn from: anybody's scores, embeddings of its own kind."""
    return [kind for kind in TEACHERS if _TAUGHT.get(kind, student) == student]


def helper(name: str, option: str) -> Base:
    """The model that `option` names: a choice of base_model, a folder or a Hub id.

    Raises `Refused` when there is none; it speaks of that option.
    """
    try:
        return named_base(name, option)
    except Refused as refusal:
        raise Refused(*(_said_of(option, name, problem) for problem in refusal.problems)) from None


def _said_of(option: str, name: str, problem: Problem) -> Problem:
    mend = f"{option}=FOLDER for weights on disk" if "base_model" in problem.mend else problem.mend
    return Problem(problem.what, f"{option}={name}", mend)


def helpers_fit(draft: Draft) -> Iterator[Problem]:
    """Other models are what they are taken for: that is told by their files, before any weight is loaded."""
    sentence = draft.sentence
    mines = any(step.mines for step in draft.steps or ())
    asks = any(step.asks_teacher for step in draft.steps or ())
    if mines:
        yield from _fits("bi_encoder", sentence.negatives.miner, "negatives.miner")
    if mines and sentence.negatives.rescore:
        yield from _fits("cross_encoder", sentence.negatives.rescore, "negatives.rescore")
    if asks and sentence.teacher.model:
        yield from _fits(sentence.teacher.kind, sentence.teacher.model, "teacher.model", draft)


def _fits(kind: str, name: str, option: str, draft: Draft | None = None) -> Iterator[Problem]:
    try:
        base = helper(name, option)
    except Refused as refusal:
        yield from refusal.problems
        return
    where = f"{option}={name}"
    found = scores_pairs(base, where) if kind == "cross_encoder" else embeds(base, kind, where)
    yield from found
    if draft and not found and kind in _TAUGHT:
        yield from _suits(base, kind, where, draft)


def scores_pairs(base: Base, where: str) -> list[Problem]:
    """What keeps a model from giving pairs one score each."""
    mend = "name a cross-encoder with one label (a reranker)"
    if base.type not in (None, "cross_encoder"):
        others = {"sentence_transformer": "teacher=bi_encoder", "sparse_encoder": "teacher=sparse_encoder"}
        other = f", or {others[base.type]}" if where.startswith("teacher") and base.type in others else ""
        return [Problem(f"{base.name} is {_CALLED[base.type]}, which scores no pairs", where, mend + other)]
    if base.type is None and base.tensors and not base.trained_head:
        return [Problem(f"{base.name} has no trained head, so its scores would be chance", where, mend)]
    labels = _labels(base)
    return [Problem(f"{base.name} gives {labels} classes, not one score", where, mend)] if labels > 1 else []


def _labels(base: Base) -> int:
    """Labels of a classification head; 1 where its files do not tell."""
    return next((shape[0] for name, shape in base.tensors.items() if name in _LAST_OF_HEADS), 1)


def embeds(base: Base, kind: str, where: str) -> list[Problem]:
    """What keeps a model from giving texts embeddings of the kind that is learned."""
    wanted, mend = _TAUGHT[kind], f"name {_CALLED[_TAUGHT[kind]]}"
    teaches = where.startswith("teacher")
    if base.type == "cross_encoder" or (base.type is None and base.trained_head):
        mend += ", or teacher=cross_encoder" if teaches else "; a cross-encoder rescores: negatives.rescore=…"
        return [Problem(f"{base.name} is a cross-encoder: it scores pairs and embeds nothing", where, mend)]
    if base.type not in (None, wanted):
        other = next((name for name, type_ in _TAUGHT.items() if type_ == base.type), None)
        mend += f", or teacher={other}" if teaches and other else ""
        return [Problem(f"{base.name} is {_CALLED[base.type]}", where, mend)]
    if kind == "sparse_encoder" and not (base.is_sparse("splade") or base.mlm_head):
        mend = "name a SPLADE model, or another with a masked-LM head"
        return [Problem(f"{base.name} has no masked-LM head, so it weighs no words", where, mend)]
    return []


def _suits(teacher: Base, kind: str, where: str, draft: Draft) -> Iterator[Problem]:
    """The student learns embeddings of its own kind, and sparse ones over its own vocabulary."""
    student = draft.sentence.model.type
    if student != _TAUGHT[kind]:
        fitting = next((other for other, type_ in _TAUGHT.items() if type_ == student), "cross_encoder")
        what = f"{_CALLED[student]} cannot learn the embeddings of {_CALLED[_TAUGHT[kind]]}"
        yield Problem(what, f"teacher={kind}", f"teacher={fitting}, or model={_TAUGHT[kind]}")
    elif kind == "sparse_encoder" and teacher.vocabulary != draft.base.vocabulary:
        what = f"{teacher.name} weighs {teacher.vocabulary:,} words, the student {draft.base.vocabulary:,}"
        yield Problem(what, where, "name a teacher with the student's vocabulary, or another base_model")


def teacher_plan(sentence: Sentence, student: Base) -> TeacherPlan | None:
    """The teacher, and the size to which its embeddings are projected where they are larger than the student's."""
    chosen = sentence.teacher
    if chosen.kind == "none" or chosen.model is None:
        return None
    base = helper(chosen.model, "teacher.model")
    size = sentence.base_model.projection or _size(student)
    projected = size if chosen.kind == "bi_encoder" and chosen.projection == "auto" and _size(base) > size else None
    # Its own: a student of static embeddings has nothing that half precision would speed up.
    device, _ = choose_device(sentence.hardware)
    precision, *_ = choose_precision(sentence.precision, device, base.architecture == "static")
    return TeacherPlan(chosen.kind, base, chosen.batch_size, projected, chosen.max_seq_length, precision)


def taught_dimensions(sentence: Sentence, student: Base) -> int | None:
    """Dimensions of the embeddings that a bi-encoder teacher gives; None without one, or where its files tell nothing."""
    if sentence.teacher.kind != "bi_encoder":
        return None
    with suppress(Refused):  # the rules say what is wrong with it
        plan = teacher_plan(sentence, student)
        return (plan.dimensions or _size(plan.base)) if plan else None
    return None


def _size(base: Base) -> int:
    return Blueprint("sentence_transformer", base, "cpu").dimensions


def same_weights(one: Base, other: Base) -> bool:
    """Whether two models are one, as far as the plan can tell without fetching any."""
    if not (one.local and other.local):
        return (one.location, one.revision) == (other.location, other.revision)
    return one.parameters == other.parameters and weights_digest(one) == weights_digest(other)
