"""What cannot work, each rule a small function: choices in, problems out. All of them are reported at once."""

from __future__ import annotations

from stbench.errors import Problem
from stbench.plan.data_rules import DATA_RULES
from stbench.plan.draft import Draft, Rule
from stbench.plan.loss_rules import LOSS_RULES
from stbench.plan.model_rules import MODEL_RULES
from stbench.plan.training_rules import TRAINING_RULES

RULES: tuple[Rule, ...] = (*MODEL_RULES, *LOSS_RULES, *DATA_RULES, *TRAINING_RULES)


def problems(draft: Draft) -> list[Problem]:
    """Everything that is wrong with `draft`."""
    return [problem for rule in RULES for problem in rule(draft)]
