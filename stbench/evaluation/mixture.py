"""Who judges a sentence: its evaluators, and those of the parts of a mixture, which are reported and never decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stbench.cache import Store
from stbench.data.splits import Splits
from stbench.evaluation.baseline import ALSO, judges, untouched
from stbench.evaluation.evaluate import evaluate
from stbench.evaluation.recording import Recorder
from stbench.evaluation.scores import Scores
from stbench.models.prompts import Prompts
from stbench.plan.plan import EvaluatorPlan, Plan
from stbench.plan.prompts import brought


@dataclass(frozen=True)
class Judge:
    """One evaluator on one split of one data set."""

    name: str
    """`validation` and `test` decide; the names of the others begin with `ALSO`."""
    plan: Plan
    """As it would be for this data set alone."""
    split: str
    evaluator: EvaluatorPlan

    def splits(self, whole: Splits) -> Splits:
        """Those of its data set."""
        return whole.parts.get(self.plan.part, whole)


def judges_of(plan: Plan) -> list[Judge]:
    """Every evaluation: those of the part that decides, then the test splits of the others."""
    deciding = plan.alone[0]
    own = [Judge(name, deciding, split, evaluator) for name, (split, evaluator) in judges(deciding).items()]
    return [*own, *_others(plan)]


def _others(plan: Plan) -> list[Judge]:
    return [Judge(f"{ALSO}{one.part}.{one.evaluator.name}", one, "test", one.evaluator) for one in plan.alone[1:]]


def prompts_of_judge(judge: Judge, plan: Plan) -> Prompts | None:
    """Prompts of its part of a mixture, "" where it has none; None where the model's own are all there are."""
    if not plan.parts:
        return None
    blueprint = judge.plan.blueprint
    return blueprint.prompts.over(brought(blueprint.type, blueprint.base)).over(Prompts("", "", ""))


def baselines(
    plan: Plan, splits: Splits, evaluators: Mapping[str, Recorder], model: Callable[[], Any], store: Store
) -> dict[str, Scores]:
    """Scores of the untouched model by each evaluator; `model()` is asked for only where the cache is empty."""
    own = untouched(plan.alone[0], splits, evaluators, model, store)
    parts = {
        one.name: untouched(one.plan, one.splits(splits), {one.split: evaluators[one.name]}, model, store)[one.split]
        for one in _others(plan)
    }
    return {**own, **parts}


def finals(plan: Plan, evaluators: Mapping[str, Recorder], model: Any) -> dict[str, Scores]:
    """Scores of the trained model by each evaluator of a test split."""
    return {
        one.name: evaluate(model, evaluators[one.name], one.evaluator) for one in judges_of(plan) if one.split == "test"
    }
