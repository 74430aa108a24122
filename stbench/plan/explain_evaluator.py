"""The lines of the plan about who judges, how, and by what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stbench.plan.plan import DataPlan, Decision, EvaluatorPlan
from stbench.plan.references import explain_references


def explain_evaluator(
    chosen: Mapping[str, str], evaluator: EvaluatorPlan, data: DataPlan, decides: bool = True
) -> Iterator[Decision]:
    """An evaluator with its metric, what it does to the held-out rows, and what is reported beside it.

    Of a mixture that of one part `decides`; the others see the test rows alone.
    """
    yield Decision("evaluator", evaluator.cls, _why(chosen, evaluator, data))
    for split in evaluator.steps if decides else ("test",):
        steps = evaluator.steps.get(split, ())
        yield from (Decision(f"{split} rows", f"{step.source} → {step.target}", step.says) for step in steps)
    both = "decides the checkpoint (selection split) and the verdict (test split)"
    yield Decision("metric", evaluator.metric, both if decides else "on the test split; never decides")
    yield from explain_references(evaluator, data.searched)
    for one in evaluator.also:
        yield Decision("also reported", f"{one.cls}: {one.metric}", one.says or "on the test split; never decides")


def _why(chosen: Mapping[str, str], evaluator: EvaluatorPlan, data: DataPlan) -> str:
    judged = data.mapped.get("test") or data.mapped.get("validation") or data.mapped["train"]
    auto = f", by model type and {judged.shape} rows" if chosen["evaluator"] == "auto" else ""
    return f"evaluator={evaluator.name}{auto}" + (f": {evaluator.says}" if evaluator.says else "")
