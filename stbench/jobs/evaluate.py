"""`job=evaluate`: a model as it is, scored on the test rows, with an interval; with another model beside it, a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

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
        words, source = console.plan_text(plan), plan.data.source
        with opened(folder, sentence, words, [source], command, store, weights(plan)) as book:
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

        load_libraries(plan.device)
    book.start_tracking()


def _data(plan: EvaluationPlan, store: Store, book: Logbook) -> Splits:
    with book.timed("data"), console.progress("preparing data"):
        splits = judged_rows(plan.data, plan.whole, store)
    console.say(f"data: {len(splits.test):,} test rows ({book.seconds['data']:.1f} s)")
    for what, number in splits.counts.items():
        console.note(f"{number:,} {what}")
    book.name_rows(plan.data.source.name, "test", splits.test)
    return splits


def _judge(plan: EvaluationPlan, splits: Splits, sentence: Sentence, store: Store, book: Logbook) -> Evaluated:
    from stbench.records.beside import beside
    from stbench.records.evaluation import Evaluated
    from stbench.stages import active_dims, collapsed
    from stbench.verdict.judge import judge
    from stbench.verdict.score import score

    drawn = {"resamples": sentence.verdict.resamples, "seed": sentence.seed}
    scores = _scores(plan, splits, store, book)
    dims = active_dims(scores["test"])
    scored = {name: score(one, **drawn, extras=dims if name == "test" else {}) for name, one in scores.items()}
    if plan.against is None:
        return Evaluated(scores, scored)
    others = _scores(plan.against, splits, store, book)
    others = {name: named_alike(others[name], one) for name, one in scores.items() if name in others}
    verdict = judge(
        others["test"], scores["test"], min_effect=sentence.verdict.min_effect, collapsed=collapsed(dims), extras=dims,
        **drawn,
    )  # fmt: skip
    also = beside(others, {name: one for name, one in scores.items() if name in others}, **drawn)
    return Evaluated(scores, scored, others["test"], verdict, also)


def _scores(plan: EvaluationPlan, splits: Splits, store: Store, book: Logbook) -> dict[str, Scores]:
    """The outcome of every test row by each evaluator, kept by content as the baselines of training are."""
    from stbench.evaluation.baseline import untouched
    from stbench.evaluation.watch import counting
    from stbench.models.build import build
    from stbench.verdict.judge import readable

    name = plan.blueprint.base.name
    with book.timed("evaluators"), console.progress("preparing evaluation"):
        evaluators = _evaluators(plan, splits, store)
    with (
        book.timed(f"scoring {name}"),
        console.progress(f"scoring {name}") as advance,
        ExitStack() as counted,
    ):

        @cache
        def model() -> object:
            built = build(plan.blueprint, plan.seed, store)
            work = sum(one.work for one in evaluators.values())
            counted.enter_context(counting(lambda: built, work, advance))
            return built

        found = untouched(plan, splits, evaluators, model, store)
    test, seconds = found["test"], book.seconds[f"scoring {name}"]
    console.say(f"{name}: {readable(test.primary)} {test.score:.4f} ({seconds:.1f} s)")
    return found


def _evaluators(plan: EvaluationPlan, splits: Splits, store: Store) -> dict[str, Recorder]:
    from stbench.evaluation.baseline import judges
    from stbench.evaluation.build import build_evaluator
    from stbench.models.miner import Miner

    base = next((one.retriever for one in (plan.evaluator, *plan.evaluator.also) if one.retriever), None)
    retriever = Miner(base, plan.device) if base else None
    asked = splits.collections.get("test")
    return {
        name: build_evaluator(one, plan.blueprint.type, splits.test, "test", plan.precision, retriever, store, asked)
        for name, (split, one) in judges(plan).items()
        if split == "test"
    }


_SIMILARITY = re.compile(r"(?:cosine|dot|euclidean|manhattan|maxsim|meanmaxsim)_|_(?:cosine|dot|euclidean|manhattan)\b")


def named_alike(scores: Scores, like: Scores) -> Scores:
    """`scores` under the keys of `like`: models of two types compare their vectors by two similarities, which the keys name."""
    if scores.primary == like.primary:
        return scores
    plain = {_SIMILARITY.sub("", key): value for key, value in scores.metrics.items()}
    named = {key: plain[short] for key in like.metrics if (short := _SIMILARITY.sub("", key)) in plain}
    return replace(scores, primary=like.primary, metrics=named)
