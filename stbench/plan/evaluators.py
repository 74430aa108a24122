"""Which evaluator judges the held-out rows, and by which of its metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stbench.config.aliases import by_class
from stbench.config.discovery import choices, load
from stbench.config.sentence import Evaluator, ModelType, Sentence, Shape, Statistic
from stbench.config.suggest import did_you_mean
from stbench.data.roles import Mapped
from stbench.data.shapes import Conversion, path
from stbench.errors import Problem
from stbench.plan.plan import EvaluatorPlan

BARE: tuple[Shape, ...] = ("pair", "labeled_text")
"""Shapes that bring no irrelevant documents along."""
_ALSO = "evaluator.also=[{}]"
_CUT = re.compile(r"(.+@)([1-9]\d*)")


def choose_evaluator(
    sentence: Sentence, mapped: Mapping[str, Mapped], name: str
) -> tuple[EvaluatorPlan | None, list[Problem]]:
    """The evaluator called `name` as it judges the held-out rows, with those reported beside it; or what keeps it from that."""
    type_, choice, shapes = sentence.model.type, sentence.evaluator, _shapes(mapped)
    also, problems = _also(sentence, shapes["test"])
    if choice.kind == "auto":
        decided = choice.choose.get(type_, {}).get(shapes["test"])
        if decided is None:
            mend = "dataset.test=FILE with another shape, or another model type"
            what = f"no evaluator of a {type_} reads {shapes['test']} rows"
            return None, [Problem(what, "evaluator=auto", mend), *problems]
        name, choice = decided, _decided(decided, choice)
    found = _planned(name, choice, type_, shapes, f"evaluator={name}")
    if isinstance(found, Problem) or problems:
        return None, [*([found] if isinstance(found, Problem) else []), *problems]
    return replace(found, also=tuple(one for one in also if one.name != name)), []


def _planned(
    name: str, choice: Evaluator, type_: ModelType, shapes: Mapping[str, Shape], where: str
) -> EvaluatorPlan | Problem:
    steps = _steps(shapes, choice)
    if type_ not in choice.classes or steps is None:
        return _unfit(choice, type_, shapes, where)
    metric = choice.metric or ""
    statistic = statistic_of(metric, choice.metrics)
    if statistic is None:
        return _no_metric(metric, choice)
    return EvaluatorPlan(
        name=name, kind=choice.kind, cls=choice.classes[type_], metric=metric, statistic=statistic,
        depth=choice.depth or 10, batch_size=choice.batch_size or 64, arguments=cutoffs(choice.kind, metric),
        steps=steps, greater_is_better=metric not in choice.lower_is_better,
        first_stage=choice.kind == "reranking" and any(shape in BARE for shape in _read(shapes, steps)),
    )  # fmt: skip


def _also(sentence: Sentence, shape: Shape) -> tuple[list[EvaluatorPlan], list[Problem]]:
    """The evaluators that are reported beside the deciding one, on the test split alone."""
    known = [name for name in choices()["evaluator"] if load("evaluator", name).get("kind") != "auto"]
    names = {said: by_class("evaluator", said) for said in sentence.evaluator.also}
    problems = [
        Problem(f"there is no evaluator called '{said}'", f"evaluator.also={said}", did_you_mean(said, known, _ALSO))
        for said, name in names.items()
        if name not in known
    ]
    found = [
        _planned(
            name,
            _decided(name, sentence.evaluator, "depth", "batch_size"),
            sentence.model.type,
            {"test": shape},
            f"evaluator.also={said}",
        )
        for said, name in names.items()
        if name in known
    ]
    problems += [one for one in found if isinstance(one, Problem)]
    return [one for one in found if isinstance(one, EvaluatorPlan)], problems


def _shapes(mapped: Mapping[str, Mapped]) -> dict[str, Shape]:
    """Shapes of the rows of each judged split; what has no file is held out of another."""
    validation = mapped.get("validation", mapped["train"])
    test = mapped.get("test") or validation
    return {"test": test.shape, "validation": validation.shape}


def _decided(name: str, said: Evaluator, *options: str) -> Evaluator:
    """The evaluator called `name`, with those of the `options` that were said."""
    given = said.model_dump(include=set(options or ("depth", "batch_size", "metric")), exclude_none=True)
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


def _unfit(choice: Evaluator, type_: ModelType, shapes: Mapping[str, Shape], where: str) -> Problem:
    needed = f"{' or '.join(choice.classes)} with {' or '.join(choice.shapes)} rows"
    unread = next((shape for shape in shapes.values() if _steps({"test": shape}, choice) is None), shapes["test"])
    mend = "leave it out" if where.startswith("evaluator.also") else "evaluator=auto"
    mend = "validation and test rows of one shape" if len(set(shapes.values())) > 1 else mend
    return Problem(f"it judges {needed}, not {type_} with {unread} rows", where, mend)


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
