"""Which evaluator judges the held-out rows, and by which of its metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stbench.config.discovery import load
from stbench.config.sentence import Evaluator, Sentence, Shape, Statistic
from stbench.config.suggest import did_you_mean
from stbench.data.roles import Mapped
from stbench.data.shapes import Conversion, path
from stbench.errors import Problem
from stbench.plan.plan import EvaluatorPlan

JUDGED = ("test", "validation")
"""The rows that give the verdict, and those that choose the checkpoint."""
BARE: tuple[Shape, ...] = ("pair", "labeled_text")
"""Shapes that bring no irrelevant documents along."""
_CUT = re.compile(r"(.+@)([1-9]\d*)")


def choose_evaluator(
    sentence: Sentence, mapped: Mapping[str, Mapped], name: str
) -> tuple[EvaluatorPlan | None, list[Problem]]:
    """The evaluator called `name` as it judges the held-out rows, or what keeps it from that."""
    type_, choice, shapes = sentence.model.type, sentence.evaluator, _shapes(mapped)
    if choice.kind == "auto":
        decided = choice.choose.get(type_, {}).get(shapes["test"])
        if decided is None:
            mend = "dataset.test=FILE with another shape, or another model type"
            what = f"no evaluator of a {type_} reads {shapes['test']} rows"
            return None, [Problem(what, "evaluator=auto", mend)]
        name, choice = decided, _decided(decided, choice)
    steps = _steps(shapes, choice)
    if type_ not in choice.classes or steps is None:
        return None, [_unfit(name, choice, sentence, shapes)]
    metric = choice.metric or ""
    statistic = statistic_of(metric, choice.metrics)
    if statistic is None:
        return None, [_no_metric(metric, choice)]
    return EvaluatorPlan(
        name=name, kind=choice.kind, cls=choice.classes[type_], metric=metric, statistic=statistic,
        depth=choice.depth or 10, batch_size=choice.batch_size or 64, arguments=cutoffs(choice.kind, metric),
        steps=steps, greater_is_better=metric not in choice.lower_is_better,
        first_stage=choice.kind == "reranking" and any(shape in BARE for shape in _read(shapes, steps)),
    ), []  # fmt: skip


def _shapes(mapped: Mapping[str, Mapped]) -> dict[str, Shape]:
    """Shapes of the rows of each judged split; what has no file is held out of another."""
    validation = mapped.get("validation", mapped["train"])
    test = mapped.get("test") or validation
    return {"test": test.shape, "validation": validation.shape}


def _decided(name: str, said: Evaluator) -> Evaluator:
    """The evaluator that `auto` decides on, with the options that were said."""
    given = said.model_dump(include={"depth", "batch_size", "metric"}, exclude_none=True)
    return Evaluator.model_validate({**load("evaluator", name), **given})


def _steps(shapes: Mapping[str, Shape], choice: Evaluator) -> dict[str, tuple[Conversion, ...]] | None:
    """Conversions by split; None where a split has no way that needs no model."""
    found = {split: path(shape, choice.shapes, means=()) for split, shape in shapes.items()}
    if any(steps is None for steps in found.values()):
        return None
    return {split: tuple(steps) for split, steps in found.items() if steps}


def _read(shapes: Mapping[str, Shape], steps: Mapping[str, Sequence[Conversion]]) -> list[Shape]:
    """Shapes of the judged rows once they are converted."""
    return [steps[split][-1].target if split in steps else shape for split, shape in shapes.items()]


def _unfit(name: str, choice: Evaluator, sentence: Sentence, shapes: Mapping[str, Shape]) -> Problem:
    needed = f"{' or '.join(choice.classes)} with {' or '.join(choice.shapes)} rows"
    unread = next((shapes[split] for split in JUDGED if _steps({split: shapes[split]}, choice) is None), shapes["test"])
    mend = "validation and test rows of one shape" if len(set(shapes.values())) > 1 else "evaluator=auto"
    return Problem(f"it judges {needed}, not {sentence.model.type} with {unread} rows", f"evaluator={name}", mend)


def statistic_of(metric: str, metrics: Mapping[str, Statistic]) -> Statistic | None:
    """How `metric` follows from the outcomes of samples; None if it is not among `metrics` (k: any number)."""
    cut = _CUT.fullmatch(metric)
    return metrics.get(metric) or (metrics.get(f"{cut[1]}k") if cut else None)


def _no_metric(metric: str, choice: Evaluator) -> Problem:
    known = [name.replace("@k", "@10") for name in choice.metrics]
    return Problem(
        f"this evaluator has no metric '{metric}'",
        "evaluator.metric",
        did_you_mean(metric, known, "evaluator.metric={}"),
    )


def cutoffs(kind: str, metric: str) -> dict[str, object]:
    """The argument that makes the library compute `metric` at its k."""
    cut = _CUT.fullmatch(metric)
    if cut is None:
        return {}
    family, k = cut[1].rstrip("@"), int(cut[2])
    if kind == "reranking":
        return {"at_k": k}
    usual = {"ndcg": [10], "mrr": [10], "map": [100]}.get(family, [1, 3, 5, 10])
    name = "precision_recall_at_k" if family in ("precision", "recall") else f"{family}_at_k"
    return {} if k in usual else {name: sorted([*usual, k])}
