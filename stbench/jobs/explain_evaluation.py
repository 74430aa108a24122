"""The plan of an evaluation in words: each decision, and what it was derived from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stbench.config.sentence import Sentence
from stbench.jobs.judged import Judged, shape_of_test
from stbench.plan.collections import explain_collection
from stbench.plan.explain import explain_roles
from stbench.plan.explain_model import RANDOM_NEEDS, explain_model
from stbench.plan.hardware import choose_device, choose_precision
from stbench.plan.plan import Decision
from stbench.plan.references import explain_references

if TYPE_CHECKING:
    from stbench.jobs.evaluation_plan import EvaluationPlan


def explain_evaluation(
    plan: EvaluationPlan, found: Judged, sentence: Sentence, chosen: Mapping[str, str]
) -> Iterator[Decision]:
    """The lines of the plan, in the order in which the data flows."""
    yield Decision("job", "evaluate", "the model is scored as it is; loss, negatives and training are not asked")
    yield from _rows(plan, found, chosen["dataset"])
    yield from explain_model(plan.blueprint, RANDOM_NEEDS)
    if plan.against is not None:
        yield from _against(plan.against, sentence)
    evaluator, tested = plan.evaluator, shape_of_test(plan.data.mapped)
    why = f", by model type and {tested.shape} rows" if chosen["evaluator"] == "auto" else ""
    yield Decision("evaluator", evaluator.cls, f"evaluator={evaluator.name}{why}")
    for step in evaluator.steps.get("test", ()):
        yield Decision("test rows", f"{step.source} → {step.target}", f"{step.says}, for the evaluator")
    gives = "gives the verdict between the two models" if plan.against else "is the score"
    yield Decision("metric", evaluator.metric, f"{gives}, with a bootstrap interval over the test rows")
    for one in evaluator.also:
        yield Decision("also reported", f"{one.cls}: {one.metric}", "on the same rows; never decides")
    yield from explain_references(evaluator, plan.data.searched)
    device, _ = choose_device(sentence.hardware)
    yield Decision("device", plan.device, device.name)
    static = plan.blueprint.base.architecture == "static"
    yield Decision("precision", plan.precision, choose_precision(sentence.precision, device, static)[1])


def _rows(plan: EvaluationPlan, found: Judged, dataset: str) -> Iterator[Decision]:
    tested = shape_of_test(plan.data.mapped)
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
