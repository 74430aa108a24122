"""Which evaluator judges the held-out rows, and by which of its metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stbench.config.aliases import by_class
from stbench.config.discovery import choices, load
from stbench.config.sentence import Evaluator, ModelType, Sentence, Shape, Statistic
from stbench.config.suggest import did_you_mean
from stbench.data.roles import Mapped
from stbench.data.shapes import TEACHERS, Conversion, path
from stbench.errors import Problem
from stbench.plan.plan import EvaluatorPlan

BARE: tuple[Shape, ...] = ("pair", "labeled_text")
"""Shapes that bring no irrelevant documents along."""
ASKING = ("mse", "distillation")
"""Kinds that hold the model against its teacher, and so may ask it about held-out rows."""
SAYS: dict[tuple[str, Shape | Literal[""]], str] = {
    ("nano_beir", ""): "one half of the queries, chosen by content, selects, the other gives the verdict; published"
    " figures are of all of them (evaluator.also=nano_beir)",
    ("retrieval", "labeled_text"): "each text searches all others for its own label",
    ("retrieval", "damaged_text"): "each text is searched by a copy of itself with 60 % of its words deleted",
    ("reranking", "labeled_text"): "each text ranks what is found among all others by its own label",
    ("label_accuracy", "labeled_text"): "a classifier on the frozen embeddings, fitted on other held-out texts",
    ("label_accuracy", "class_pair"): "a classifier on the frozen embeddings, fitted on other held-out pairs: "
    "the head of the loss is no part of the model",
}
"""Where the library's evaluator is fed in a way that its name does not tell."""
_ALSO = "evaluator.also=[{}]"
_CUT = re.compile(r"(.+@)([1-9]\d*)")


@dataclass(frozen=True)
class _Held:
    """What there is to judge, and the means of the sentence to bring it to an evaluator."""

    type: ModelType
    shapes: Mapping[str, Shape]
    """Of the rows of each judged split."""
    teacher: str
    classes: tuple[str, ...]
    sizes: tuple[int, int] | None = None
    """Of the embeddings that are learned, and of the model's own, where both are known."""

    def lets(self, kind: str) -> bool:
        """Whether embeddings can be held against those of the teacher."""
        return kind != "mse" or self.sizes is None or self.sizes[0] == self.sizes[1]

    def of_test(self) -> _Held:
        return replace(self, shapes={"test": self.shapes["test"]})


def choose_evaluator(
    sentence: Sentence,
    mapped: Mapping[str, Mapped],
    name: str,
    trained: Sequence[Conversion] = (),
    sizes: tuple[int, int] | None = None,
) -> tuple[EvaluatorPlan | None, list[Problem]]:
    """The evaluator called `name` with those reported beside it, as they judge the held-out rows; or what keeps them from it.

    `trained` are the conversions of the training rows, `sizes` those of a teacher's embeddings and of the model's own.
    """
    choice, held = sentence.evaluator, replace(_held(sentence, mapped), sizes=sizes)
    also, problems = _also(sentence, held.of_test())
    if choice.kind == "auto":
        decided = _auto(choice, held, trained)
        if decided is None:
            return None, [_none_reads(choice, held), *problems]
        name, choice = decided, _said(decided, choice, "depth", "batch_size", "metric", "cost")
    found = _planned(name, choice, held, f"evaluator={name}")
    if isinstance(found, Problem) or problems:
        return None, [*([found] if isinstance(found, Problem) else []), *problems]
    return replace(found, also=tuple(one for one in also if one.name != name)), []


def _held(sentence: Sentence, mapped: Mapping[str, Mapped]) -> _Held:
    """What has no file is held out of another split."""
    validation = mapped.get("validation", mapped["train"])
    test = mapped.get("test") or validation
    shapes = {"test": test.shape, "validation": validation.shape}
    return _Held(sentence.model.type, shapes, sentence.teacher.kind, mapped["train"].classes)


def _auto(choice: Evaluator, held: _Held, trained: Sequence[Conversion]) -> str | None:
    """By model type and shape; class pairs that are trained on as triplets are judged as triplets."""
    known, shape = choice.choose.get(held.type, {}), held.shapes["test"]
    if shape == "class_pair" and trained and trained[0].source == shape and not trained[0].needs:
        shape = trained[0].target
    names = known.get(shape, [])
    return next((name for name in names if _steps(_said(name, choice), held.of_test()) is not None), None)


def _none_reads(choice: Evaluator, held: _Held) -> Problem:
    if not held.lets("mse") and held.shapes["test"] == "embedded_text":
        return _other_size(held, "evaluator=auto")
    read = [shape for shape in choice.choose.get(held.type, {}) if shape not in ("text", "embedded_text")]
    return Problem(
        f"no evaluator of a {held.type} reads {held.shapes['test']} rows", "evaluator=auto",
        f"dataset.validation=FILE dataset.test=FILE with rows of shape {', '.join(read)}",
    )  # fmt: skip


def _planned(name: str, choice: Evaluator, held: _Held, where: str) -> EvaluatorPlan | Problem:
    own = choice.kind == "nano_beir"
    if not held.lets(choice.kind):
        return _other_size(held, where)
    steps = {} if own else _steps(choice, held)
    if held.type not in choice.classes or steps is None:
        return _unfit(choice, held, where)
    if own and (absent := _absent(choice, where)):
        return absent
    metric = choice.metric or ""
    lacks = choice.lacks.get(held.type, [])
    metrics = {name: statistic for name, statistic in choice.metrics.items() if name not in lacks}
    statistic = statistic_of(metric, metrics)
    if statistic is None:
        return _no_metric(metric, metrics)
    read = [steps[split][-1].target if split in steps else shape for split, shape in held.shapes.items()]
    return EvaluatorPlan(
        name=name, kind=choice.kind, cls=choice.classes[held.type], metric=metric, statistic=statistic,
        depth=choice.depth or 10, batch_size=choice.batch_size or 64, arguments=_arguments(choice, held.type, metric),
        steps=steps, greater_is_better=metric not in choice.lower_is_better, classes=held.classes,
        first_stage=choice.kind == "reranking" and any(shape in BARE for shape in read),
        says=SAYS.get((choice.kind, "" if own else read[0]), ""), cost=choice.cost,
    )  # fmt: skip


def _also(sentence: Sentence, held: _Held) -> tuple[list[EvaluatorPlan], list[Problem]]:
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
            _said(name, sentence.evaluator, "depth", "batch_size", "hub", "datasets"),
            held,
            f"evaluator.also={said}",
        )
        for said, name in names.items()
        if name in known
    ]
    problems += [one for one in found if isinstance(one, Problem)]
    return [replace(one, decides=False, says="") for one in found if isinstance(one, EvaluatorPlan)], problems


def _said(name: str, said: Evaluator, *options: str) -> Evaluator:
    """The evaluator called `name`, with those of the `options` that were said."""
    given = said.model_dump(include=set(options), exclude_none=True)
    return Evaluator.model_validate({**load("evaluator", name), **given})


def _steps(choice: Evaluator, held: _Held) -> dict[str, tuple[Conversion, ...]] | None:
    """Conversions by split, none of which mines; None where a split has no way."""
    means = [means for means in TEACHERS if means == held.teacher and choice.kind in ASKING]
    found = {split: path(shape, choice.shapes, means) for split, shape in held.shapes.items()}
    if not held.lets(choice.kind):
        return None
    if any(steps is None or {step.name for step in steps} >= _INVENTED for steps in found.values()):
        return None
    return {split: tuple(steps) for split, steps in found.items() if steps}


_INVENTED = {"texts", "damage"}
"""Together they forget what the held-out rows say, and judge by a question that nobody asked."""


def _other_size(held: _Held, where: str) -> Problem:
    taught, own = held.sizes or (0, 0)
    return Problem(
        f"the teacher's embeddings have {taught} dimensions, the model's {own}, so that they cannot be held against each"
        " other", where, f"base_model.projection={taught} gives the model as many, or evaluator=retrieval",
    )  # fmt: skip


def _unfit(choice: Evaluator, held: _Held, where: str) -> Problem:
    needed = f"{' or '.join(choice.classes)} with {' or '.join(choice.shapes)} rows"
    alone = [replace(held, shapes={"test": shape}) for shape in held.shapes.values()]
    unread = next((one for one in alone if _steps(choice, one) is None), alone[0])
    mend = "leave it out" if where.startswith("evaluator.also") else "evaluator=auto"
    mend = "validation and test rows of one shape" if len(set(held.shapes.values())) > 1 else mend
    return Problem(f"it judges {needed}, not {held.type} with {unread.shapes['test']} rows", where, mend)


def statistic_of(metric: str, metrics: Mapping[str, Statistic]) -> Statistic | None:
    """How `metric` follows from the outcomes of samples; None if it is not among `metrics` (k: any number)."""
    cut = _CUT.fullmatch(metric)
    return metrics.get(metric) or (metrics.get(f"{cut[1]}k") if cut else None)


def _no_metric(metric: str, metrics: Mapping[str, Statistic]) -> Problem:
    known = [name.replace("@k", "@10") for name in metrics]
    return Problem(
        f"this evaluator has no metric '{metric}'",
        "evaluator.metric",
        did_you_mean(metric, known, "evaluator.metric={}"),
    )


def _absent(choice: Evaluator, where: str) -> Problem | None:
    """Why the data sets of the Hub cannot be had, if they cannot."""
    from stbench.hub import kept, reachable

    if reachable() or kept(choice.hub or "", None, "dataset"):
        return None
    what = f"it needs {choice.hub} from the Hub, which cannot be reached, and nothing of it is kept here"
    mend = "leave it out" if where.startswith("evaluator.also") else "evaluator=auto, which judges the held-out rows"
    return Problem(what, where, mend)


def _arguments(choice: Evaluator, type_: ModelType, metric: str) -> dict[str, object]:
    """What the library's class is given beside the rows."""
    if choice.kind != "nano_beir":
        return cutoffs(choice.kind, metric)
    own: dict[str, object] = {"dataset_id": choice.hub}
    if choice.datasets:
        own["dataset_names"] = list(choice.datasets)
    return {**own, **cutoffs("reranking" if type_ == "cross_encoder" else "retrieval", metric)}


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
