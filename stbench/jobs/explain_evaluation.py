"""The plan of an evaluation in words: each decision, and what it was derived from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stbench.config.sentence import Sentence
from stbench.jobs.judged import shape_of_test
from stbench.plan.collections import explain_collection
from stbench.plan.explain import explain_roles
from stbench.plan.explain_model import RANDOM_NEEDS, explain_model
from stbench.plan.hardware import choose_device, choose_precision
from stbench.plan.plan import Decision
from stbench.plan.references import explain_references

if TYPE_CHECKING:
    from stbench.jobs.evaluation_plan import EvaluationPlan


def explain_evaluation(plan: EvaluationPlan, sentence: Sentence, chosen: Mapping[str, str]) -> Iterator[Decision]:
    """The lines of the plan, in the order in which the data flows."""
    yield Decision("job", "evaluate", "the model is scored as it is; loss, negatives and training are not asked")
    for one in plan.every:
        yield from _rows(one, one.part or chosen["dataset"])
    yield from explain_model(plan.blueprint, RANDOM_NEEDS)
    if plan.against is not None:
        yield from _against(plan.against, sentence)
    for one in plan.every:
        yield from _judge(one, plan, chosen)
    device, _ = choose_device(sentence.hardware)
    yield Decision("device", plan.device, device.name)
    static = plan.blueprint.base.architecture == "static"
    yield Decision("precision", plan.precision, choose_precision(sentence.precision, device, static)[1])


def _rows(plan: EvaluationPlan, dataset: str) -> Iterator[Decision]:
    tested, found = shape_of_test(plan.data.mapped), plan.rows
    yield from (Decision(note.what, note.value, note.why) for note in plan.data.source.notes)
    rows = [*plan.data.heads.values()][-1]
    about = "" if rows.exact else "about "
    dataset = "own collection" if found.own else dataset
    yield Decision("data", f"{dataset}: {about}{rows.count:,} {found.split} rows", f"shape {tested.shape}")
    yield from explain_roles(tested)
    if found.whole:
        yield Decision("judged", "all of them", "nothing is held out where nothing is trained")
    else:
        mend = "dataset.test=… names rows that are judged as a whole"
        yield Decision("judged", "the rows that a training run would hold out for its verdict", mend)
    if plan.data.searched is not None:
        yield from explain_collection(plan.data.searched, ("test",))


def _against(other: EvaluationPlan, sentence: Sentence) -> Iterator[Decision]:
    about = f"{sentence.job.against}: {other.blueprint.base.name}, {other.blueprint.type}"
    yield Decision("against", about, "scored on the same rows; the verdict is on the difference")
    yield from (line for line in explain_model(other.blueprint, RANDOM_NEEDS) if line.what == "architecture")


def _judge(plan: EvaluationPlan, lead: EvaluationPlan, chosen: Mapping[str, str]) -> Iterator[Decision]:
    evaluator, tested = plan.evaluator, shape_of_test(plan.data.mapped)
    of_part = f" of {plan.part}" if plan.part else ""
    why = f", by model type and {tested.shape} rows" if chosen["evaluator"] == "auto" else ""
    yield Decision(f"evaluator{of_part}", evaluator.cls, f"evaluator={evaluator.name}{why}")
    for step in evaluator.steps.get("test", ()):
        yield Decision("test rows", f"{step.source} → {step.target}", f"{step.says}, for the evaluator")
    if plan.data.teacher is not None:
        yield Decision("teacher", plan.data.teacher.base.name, "asked about the judged rows; kept by content")
    gives = "gives the verdict between the two models" if lead.against else "is the score"
    if plan is not lead:
        gives = "is reported and never decides"
    yield Decision(f"metric{of_part}", evaluator.metric, f"{gives}, with a bootstrap interval over the test rows")
    for one in evaluator.also:
        yield Decision("also reported", f"{one.cls}: {one.metric}", "on the same rows; never decides")
    yield from explain_references(evaluator, plan.data.searched)
