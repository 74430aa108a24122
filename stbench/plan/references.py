"""What is scored beside the model on the same queries, for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stbench.config.sentence import Sentence
from stbench.errors import Problem
from stbench.evaluation.bm25 import describe
from stbench.plan.plan import Decision, EvaluatorPlan


def with_references(evaluator: EvaluatorPlan | None, sentence: Sentence) -> tuple[EvaluatorPlan | None, list[Problem]]:
    """`evaluator` with BM25 and the fusion with it as they were said, or what keeps them from being scored."""
    if evaluator is None:
        return None, []
    choice = sentence.evaluator
    retrieves = evaluator.kind == "retrieval"
    problems = []
    if choice.fusion == "on" and not retrieves:
        what = f"evaluator={evaluator.name} searches no corpus, so there is no ranking to fuse with BM25's"
        problems.append(Problem(what, "evaluator.fusion=on", "evaluator.fusion=auto, or evaluator=retrieval"))
    elif choice.fusion == "on" and not choice.bm25:
        problems.append(Problem("there is no BM25 to fuse with", "evaluator.fusion=on", "evaluator.bm25=true"))
    scored = retrieves and choice.bm25
    return replace(
        evaluator, bm25=choice.language if scored else None, fusion=scored and choice.fusion != "off"
    ), problems


def explain_references(evaluator: EvaluatorPlan) -> Iterator[Decision]:
    """Lines of the plan."""
    if evaluator.bm25 is not None:
        fused = ", and the model's ranking fused with it" if evaluator.fusion else ""
        why = f"bm25s, {describe(evaluator.bm25)} (evaluator.language); evaluator.bm25=false leaves it out"
        yield Decision("reference", f"BM25{fused}", why)
