"""The library's training argument `prompts`, so that the model reads in training what it reads in evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stbench.models.prompts import for_training, of_model
from stbench.plan.plan import Plan
from stbench.plan.prompts import brought, compares_alike
from stbench.training.mixture import called

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

ByColumn = str | dict[str, str]


def training_prompts(plan: Plan, model: Any, rows: Dataset | DatasetDict) -> ByColumn | dict[str, ByColumn] | None:
    """One prompt, one for each column, or either for each part of a mixture; None where there is none."""
    type_ = plan.blueprint.type
    if not isinstance(rows, dict):
        return for_training(of_model(model), rows.column_names, compares_alike(type_, plan.evaluator.kind))
    own = brought(type_, plan.blueprint.base)
    found = {
        called(part.name): for_training(
            part.prompts.over(own), rows[called(part.name)].column_names, compares_alike(type_, part.evaluator.kind)
        )
        for part in plan.parts
    }
    return {name: prompts for name, prompts in found.items() if prompts} or None
