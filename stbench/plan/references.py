"""What finds a reranker's candidates, and what is scored beside the model on the same queries, for comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from stbench.config.sentence import Evaluator, Sentence
from stbench.data.searched import Searched
from stbench.errors import Problem
from stbench.evaluation import bm25
from stbench.models.base import Base
from stbench.plan.plan import Decision, EvaluatorPlan

LEXICAL = "bm25"
"""How the sentence calls it."""


def with_references(
    evaluator: EvaluatorPlan | None, sentence: Sentence, collection: bool, base_named: Callable[[str, str], Base]
) -> tuple[EvaluatorPlan | None, list[Problem]]:
    """`evaluator` with its first stage, BM25 and the fusion with it as they were said, or what keeps them from being.

    `collection`: whether the queries search one. Raises `Refused` for a first stage that there is not.
    """
    if evaluator is None:
        return None, []
    every = (evaluator, *evaluator.also)
    problems = list(_problems(every, sentence.evaluator))
    if problems:
        return evaluator, problems
    first, *also = (_with(one, sentence, collection, base_named) for one in every)
    return replace(first, also=tuple(also)), []


def _with(
    evaluator: EvaluatorPlan, sentence: Sentence, collection: bool, base_named: Callable[[str, str], Base]
) -> EvaluatorPlan:
    choice, retrieves = sentence.evaluator, evaluator.kind == "retrieval"
    usual = LEXICAL if collection else sentence.negatives.miner
    first = (choice.first_stage or usual) if evaluator.first_stage else LEXICAL
    option = "evaluator.first_stage" if choice.first_stage else "negatives.miner"
    scored = choice.bm25 and (retrieves or first != LEXICAL)
    return replace(
        evaluator,
        retriever=base_named(first, option) if first != LEXICAL else None,
        depth=choice.depth or (100 if collection else evaluator.depth),
        add_missed=choice.add_missed, bm25=scored, language=choice.language,
        fusion=scored and retrieves and choice.fusion != "off",
    )  # fmt: skip


def _problems(every: Sequence[EvaluatorPlan], choice: Evaluator) -> Iterator[Problem]:
    kinds = [one.kind for one in every]
    said = {"evaluator.first_stage": choice.first_stage, "evaluator.add_missed": choice.add_missed}
    for option, value in said.items():
        if value and not any(one.first_stage for one in every):
            why = "the rows bring theirs along" if "reranking" in kinds else "nothing is reranked"
            mend = "leave it out, or evaluator=reranking with pairs"
            yield Problem(f"no candidates have to be found: {why}", f"{option}={str(value).lower()}", mend)
    if choice.corpus and not {"retrieval", "reranking"} & set(kinds):
        what = f"evaluator={every[0].name} searches no documents"
        yield Problem(what, f"evaluator.corpus={choice.corpus}", "evaluator=auto, or leave it out")
    if choice.fusion == "on" and "retrieval" not in kinds:
        what = f"evaluator={every[0].name} searches no corpus, so there is no ranking to fuse with BM25's"
        yield Problem(what, "evaluator.fusion=on", "evaluator.fusion=auto, or evaluator=retrieval")
    elif choice.fusion == "on" and not choice.bm25:
        yield Problem("there is no BM25 to fuse with", "evaluator.fusion=on", "evaluator.bm25=true")


def explain_references(evaluator: EvaluatorPlan, searched: Searched | None) -> Iterator[Decision]:
    """Lines of the plan."""
    if evaluator.first_stage:
        found = f"first {evaluator.depth} of {evaluator.first_stage_name}"
        if queries := searched.pairs.queries.get("test") if searched else None:
            found += f": up to {queries * evaluator.depth:,} pairs to score in the test split"
        missed = "added to them" if evaluator.add_missed else "missed: it counts as not found"
        yield Decision("candidates", found, f"a relevant document that is not among them is {missed}")
    if evaluator.bm25:
        fused = ", and the model's ranking fused with it" if evaluator.fusion else ""
        why = f"{bm25.describe(evaluator.language)} (evaluator.language); evaluator.bm25=false leaves it out"
        yield Decision("reference", f"{bm25.NAME}{fused}", why)
