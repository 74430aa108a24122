"""Each part of a mixture is judged with its own prompts, whatever the model carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.evaluation.mixture import judges_of, prompts_of_judge
from stbench.evaluation.recording import recording
from stbench.models.build import build
from stbench.models.prompts import Prompts, of_model

if TYPE_CHECKING:
    from stbench.plan.plan import Plan


@pytest.fixture
def mixed(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Plan:
    parts = [f"dataset.parts.{name}.train={data['pair']}" for name in ("one", "two")]
    own = ("dataset.parts.one.prompts.query=old ", "dataset.parts.two.prompts.document=new ")
    return plan_of("base_model=path", f"base_model.path={tiny.plain}", "dataset=mixture", *parts, *own)


def test_the_prompts_of_a_part_are_not_those_of_the_one_that_decides(mixed: Plan) -> None:
    assert mixed.blueprint.prompts == Prompts("old ")
    found = {judge.plan.part: prompts_of_judge(judge, mixed) for judge in judges_of(mixed)}
    assert found == {"one": Prompts("old ", "", ""), "two": Prompts("", "new ", "")}
    assert prompts_of_judge(judges_of(mixed)[0], mixed.alone[0]) is None


def test_baselines_of_parts_with_other_prompts_are_others(mixed: Plan) -> None:
    one, two = (plan.blueprint.identity() for plan in mixed.alone)
    assert one != two


def test_an_evaluation_has_its_prompts_on_the_model(mixed: Plan) -> None:
    class Seen:
        primary_metric = "score"

        def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
            self.prompts_seen = of_model(model)
            return {"score": 1.0}

    cls: Any = recording(Seen)  # type: ignore[arg-type]
    evaluator = cls()
    evaluator.sample_ids, evaluator.kept = ["a"], lambda seen, metrics: evaluator.outcomes.update(value=np.ones(1))
    model: Any = build(mixed.blueprint, 1)
    evaluator.prompts = Prompts("", "new ", "")
    evaluator(model)
    assert evaluator.prompts_seen == Prompts(None, "new ", None)
    assert of_model(model) == Prompts("old ", None, None)
    evaluator.prompts = None
    evaluator(model)
    assert evaluator.prompts_seen == Prompts("old ", None, None)
