"""`job=evaluate`: a model as it is, scored on the test rows, with an interval; with another model beside it, a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from stbench import console
from stbench.cache import Store, cache_folder
from stbench.config.sentence import Sentence
from stbench.jobs.evaluation_plan import EvaluationPlan, plan_evaluation
from stbench.jobs.judged import judged_rows
from stbench.jobs.lifecycle import exit_code, finished, is_done, terminable
from stbench.records.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from stbench.data.splits import Splits
    from stbench.evaluation.cost import Costs
    from stbench.evaluation.recording import Recorder
    from stbench.evaluation.scores import Scores
    from stbench.records.evaluation import Evaluated
    from stbench.records.logbook import Logbook


def run(sentence: Sentence, chosen: Mapping[str, str], command: str, folder: RunFolder) -> int:
    """Plan, data, score, record. Returns the exit code."""
    if is_done(folder, sentence) and sentence.plan == "show":
        return finished(folder, sentence)
    store = Store(cache_folder(), sentence.cache)
    with console.progress("looking at models and data"):
        plan = plan_evaluation(sentence, chosen, folder.name, store)
    console.show_plan(plan)
    if sentence.plan == "only":
        return 0

    from stbench.records.logbook import opened

    with folder.held(), terminable():
        if is_done(folder, sentence):
            return finished(folder, sentence)
        words, sources = console.plan_text(plan), [one.data.source for one in plan.every]
        with opened(folder, sentence, words, sources, command, store, weights(plan)) as book:
            from stbench.records.evaluation import keep

            _load(plan, book)
            splits = _data(plan, store, book)
            found = _judge(plan, splits, sentence, store, book)
            summary, score = keep(book, plan, found, splits)
    console.show_score(summary, score)
    return exit_code(found.outcome, sentence)


def weights(plan: EvaluationPlan) -> list[Path]:
    """Files of the models on disk: a later run may write others under the same name."""
    from pathlib import Path

    bases = [one.blueprint.base for one in (plan, plan.against) if one is not None]
    folders = [Path(base.location) for base in bases if base.local]
    return [file for folder in folders for file in sorted(folder.glob("**/*.safetensors"))]


def _load(plan: EvaluationPlan, book: Logbook) -> None:
    with book.timed("libraries"), console.progress("loading libraries"):
        from stbench.libraries import load_libraries

        load_libraries(plan.device, book.sentence.hardware.threads)
    book.start_tracking()


def _data(plan: EvaluationPlan, store: Store, book: Logbook) -> Splits:
    """The judged rows of the data set that decides, with those of the other parts of a mixture in them."""
    from stbench.config.mixture import telling

    found: dict[str, Splits] = {}
    with book.timed("data"), console.progress("preparing data"):
        for one in plan.every:
            with telling(one.part):
                found[one.part] = judged_rows(one.data, one.rows.whole, store)
    splits = found[plan.part]
    number = ", ".join(f"{len(some.test):,} {name}".strip() for name, some in found.items())
    console.say(f"data: {number} test rows ({book.seconds['data']:.1f} s)")
    for name, some in found.items():
        for what, count in some.counts.items():
            console.note(f"{count:,} {what}" + (f" ({name})" if name else ""))
    book.name_rows(plan.data.source.name, "test", splits.test)
    return replace(splits, parts=found if plan.others else {})


def _judge(plan: EvaluationPlan, splits: Splits, sentence: Sentence, store: Store, book: Logbook) -> Evaluated:
    from stbench.records.beside import beside
    from stbench.records.evaluation import Evaluated
    from stbench.stages import active_dims, collapsed
    from stbench.verdict.judge import judge
    from stbench.verdict.score import score

    drawn = {"resamples": sentence.verdict.resamples, "seed": sentence.seed}
    plans = [one for one in (plan, plan.against) if one is not None]
    models = [_Model(one, store) for one in plans]
    scores = _scores(plan, models[0], splits, store, book)
    dims = active_dims(scores["test"])
    scored = {name: score(one, **drawn, extras=dims if name == "test" else {}) for name, one in scores.items()}
    if plan.against is None:
        return Evaluated(scores, scored, costs=_costs(models, [dims], splits, book))
    others = _scores(plan.against, models[1], splits, store, book)
    others = {name: named_alike(others[name], one) for name, one in scores.items() if name in others}
    verdict = judge(
        others["test"], scores["test"], min_effect=sentence.verdict.min_effect, reservations=collapsed(dims), extras=dims,
        **drawn,
    )  # fmt: skip
    also = beside(others, {name: one for name, one in scores.items() if name in others}, **drawn)
    costs = _costs(models, [dims, active_dims(others["test"])], splits, book)
    return Evaluated(scores, scored, others["test"], verdict, also, costs)


class _Model:
    """What a plan says, built where it is first asked for: scores may come from the cache."""

    def __init__(self, plan: EvaluationPlan, store: Store) -> None:
        self.plan = plan
        self._store = store

    @cached_property
    def built(self) -> Any:
        from stbench.models.build import build

        return build(self.plan.blueprint, self.plan.seed, self._store)


def _costs(
    models: Sequence[_Model], dims: Sequence[Mapping[str, float]], splits: Splits, book: Logbook
) -> Costs | None:
    """Speed and size of the judged model and of the one that it is compared with; timings are never taken from the cache."""
    from stbench.evaluation.cost import Costs, Machine
    from stbench.evaluation.cost_texts import cost_texts
    from stbench.evaluation.metering import Candidate, metered

    if not models[0].plan.evaluator.cost:
        return None
    texts = cost_texts(splits.test, splits.collections.get("test"))
    with book.timed("cost"), console.progress("measuring speed and size"):
        candidates = [Candidate(one.built, one.plan.blueprint.type, one.plan.precision) for one in models]
        found = [cost.with_dims(own) for cost, own in zip(metered(candidates, texts), dims, strict=True)]
    return Costs(found[0], Machine.here(models[0].plan.device), found[1] if len(found) > 1 else None)


def _scores(plan: EvaluationPlan, model: _Model, splits: Splits, store: Store, book: Logbook) -> dict[str, Scores]:
    """The outcome of every test row by each evaluator, kept by content as the baselines of training are."""
    from stbench.evaluation.baseline import ALSO, untouched
    from stbench.evaluation.watch import counting
    from stbench.verdict.judge import readable

    found: dict[str, Scores] = {}
    name = plan.blueprint.base.name
    with book.timed("evaluators"), console.progress("preparing evaluation"):
        evaluators = [_evaluators(one, splits.parts.get(one.part, splits), store) for one in plan.every]
    with (
        book.timed(f"scoring {name}"),
        console.progress(f"scoring {name}") as advance,
        ExitStack() as counted,
    ):

        @cache
        def watched() -> Any:
            work = sum(one.work for some in evaluators for one in some.values())
            counted.enter_context(counting(lambda: model.built, work, advance))
            return model.built

        for one, some in zip(plan.every, evaluators, strict=True):
            scores = untouched(one, splits.parts.get(one.part, splits), some, watched, store)
            if one is plan:
                found.update(scores)
            else:
                found[f"{ALSO}{one.part}.{one.evaluator.name}"] = scores["test"]
    test, seconds = found["test"], book.seconds[f"scoring {name}"]
    console.say(f"{name}: {readable(test.primary)} {test.score:.4f} ({seconds:.1f} s)")
    return found


def _evaluators(plan: EvaluationPlan, splits: Splits, store: Store) -> dict[str, Recorder]:
    from stbench.config.mixture import telling
    from stbench.evaluation.baseline import judges
    from stbench.evaluation.build import build_evaluator
    from stbench.models.miner import Miner
    from stbench.models.teacher import Teacher

    teacher = Teacher(plan.data.teacher, plan.device) if plan.data.teacher else None
    asked, found = splits.collections.get("test"), {}
    for name, (split, one) in judges(plan).items():
        if split != "test":
            continue
        retriever = Miner(one.retriever, plan.device) if one.retriever else None
        with telling(plan.part):
            found[name] = build_evaluator(
                one, plan.blueprint.type, splits.test, "test", plan.precision, retriever, store, asked, teacher
            )
    return found


_SIMILARITY = re.compile(r"(?:cosine|dot|euclidean|manhattan|maxsim|meanmaxsim)_|_(?:cosine|dot|euclidean|manhattan)\b")


def named_alike(scores: Scores, like: Scores) -> Scores:
    """`scores` under the keys of `like`: models of two types compare their vectors by two similarities, which the keys name."""
    if scores.primary == like.primary:
        return scores
    plain = {_SIMILARITY.sub("", key): value for key, value in scores.metrics.items()}
    named = {key: plain[short] for key in like.metrics if (short := _SIMILARITY.sub("", key)) in plain}
    return replace(scores, primary=like.primary, metrics=named)
