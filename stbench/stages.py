"""The middle steps of a run: each does one thing with the library, and tells on the console how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from stbench import console, watched
from stbench.cache import Store
from stbench.config.sentence import Sentence
from stbench.errors import Refused
from stbench.evaluation.scores import Scores
from stbench.plan.plan import Plan
from stbench.verdict.judge import Verdict, judge, readable

if TYPE_CHECKING:
    from stbench.audit.finding import Audit, Finding
    from stbench.data.splits import Splits
    from stbench.evaluation.cost import Costs
    from stbench.evaluation.recording import Recorder
    from stbench.evaluation.sizes import Measured, Size
    from stbench.models.base import Base
    from stbench.models.miner import Miner, Rescorer
    from stbench.models.teacher import Teacher
    from stbench.records.record import Recording
    from stbench.training.train import Trained

PERFECT = 0.9999
"""A score of the untouched model that real held-out data does not give."""
DENSEST = 1000.0
"""Mean active dimensions of documents above which a sparse model counts as collapsed into a dense one."""


class Stages:
    """Steps 3 to 9, sharing the plan, the store and the model."""

    def __init__(self, plan: Plan, store: Store, record: Recording) -> None:
        self._plan = plan
        self._store = store
        self._record = record
        self._advance: Callable[..., None] = lambda *_, **__: None
        self._miners: list[Miner] = []
        self._load_libraries()

    def _load_libraries(self) -> None:
        """The heavy imports, then the checks that need them: still before any data or weight is loaded."""
        with self._timed("libraries"), console.progress("loading libraries"):
            from stbench.libraries import load_libraries

            load_libraries(self._plan.device, self._plan.threads)

            from stbench.evaluation.mixture import judges_of
            from stbench.evaluation.nano import check
            from stbench.training.arguments import check_extra
            from stbench.training.mixture import checked_losses

            judges = [one.evaluator for one in judges_of(self._plan)]
            problems = [*check_extra(self._plan), *checked_losses(self._plan), *dict.fromkeys(check(judges))]
        if problems:
            raise Refused(*problems)
        self._record.start_tracking()

    def data(self) -> Splits:
        from stbench.data.mixture import prepare_all
        from stbench.data.prepare import describe

        with self._timed("data"), console.progress("preparing data") as advance:
            self._advance = advance
            splits = prepare_all(self._plan, self._store, self._miner, self._teacher, self._rescorer)
        console.say(f"data: {describe(splits, self._plan.data.steps)} ({self._record.seconds['data']:.1f} s)")
        for what, number in splits.counts.items():
            console.note(f"{number:,} {what}")
        self._record.data(splits)
        return splits

    def audit(self, splits: Splits) -> Audit:
        """Leaks, repetitions and contradictions; what it finds is told at once, before hours are spent on it."""
        from stbench.audit.examine import examine

        with self._timed("audit"), console.progress("looking for leaks and noise"):
            found = examine(self._plan, splits, self._store)
        number = (
            f"{len(found.findings)} finding{'s' * (len(found.findings) != 1)}" if found.findings else "nothing found"
        )
        console.say(f"audit: {number} ({self._record.seconds['audit']:.1f} s)")
        self._tell(found.findings)
        self._record.audit(found)
        return found

    def whole_audit(
        self, found: Audit, splits: Splits, baseline: Mapping[str, Scores], final: Mapping[str, Scores]
    ) -> Audit:
        """What only model and scores tell is added: truncated texts, ties."""
        from stbench.audit.ties import ties
        from stbench.audit.truncation import truncation

        more = [
            *truncation(self._model, splits.test, self._plan),
            *ties(baseline["test"], final["test"], self._plan.precision),
        ]
        self._tell(more)
        return found.with_more(more)

    def _tell(self, findings: Sequence[Finding]) -> None:
        for one in findings:
            console.note(f"{one.says}" + (f": {one.override}" if one.override else ""))

    def evaluators(self, splits: Splits) -> dict[str, Recorder]:
        from stbench.config.mixture import telling
        from stbench.evaluation.build import build_evaluator
        from stbench.evaluation.mixture import judges_of, prompts_of_judge

        found = {}
        with self._timed("evaluators"), console.progress("preparing evaluation") as advance:
            self._advance = advance
            for one in judges_of(self._plan):
                rows = one.splits(splits)
                with telling(one.plan.part):
                    found[one.name] = build_evaluator(
                        one.evaluator, one.plan.blueprint.type, getattr(rows, one.split), one.split, one.plan.precision,
                        self._miner_of(one.evaluator.retriever), self._store, rows.collections.get(one.split),
                        self._teacher,
                    )  # fmt: skip
                found[one.name].prompts = prompts_of_judge(one, self._plan)
        return found

    def baseline(self, splits: Splits, evaluators: Mapping[str, Recorder]) -> dict[str, Scores]:
        from stbench.evaluation.mixture import baselines

        with (
            self._timed("baseline"),
            console.progress("scoring the untouched model") as advance,
            self._watching(advance, list(evaluators.values())),
        ):
            scores = baselines(self._plan, splits, evaluators, lambda: self._model, self._store)
        test = scores["test"]
        console.say(
            f"baseline: {readable(test.primary)} {test.score:.4f} on the test split ({self._record.seconds['baseline']:.1f} s)"
        )
        if test.greater_is_better and test.score >= PERFECT:
            console.note(
                "a perfect score before training: held-out texts stand in the training data, or it is too easy"
            )
        return scores

    def train(self, splits: Splits, evaluators: Mapping[str, Recorder], baseline: Mapping[str, Scores]) -> Trained:
        from transformers import set_seed

        from stbench.models.adapter import trained_parameters
        from stbench.models.tokens import learn_tokens
        from stbench.records.spent import too_dear
        from stbench.training.mixture import loss_of, rows_of
        from stbench.training.train import Watchers, train

        set_seed(self._plan.seed)
        learn_tokens(self._model, [splits.train, *(part.train for part in splits.parts.values())], self._store)
        loss = loss_of(self._plan, self._model, splits)
        primary = baseline["validation"].primary
        with self._timed("training"), console.progress("training", self._plan.training.steps) as advance:
            shown = _Shown(advance, baseline["validation"].score)
            # The last one may end the training there.
            watchers = Watchers(shown.step, [shown.log, self._record.step, watched.logged])
            trained = train(
                self._plan,
                self._model,
                loss,
                rows_of(splits),
                evaluators["validation"],
                primary,
                self._record.checkpoints,
                watchers,
            )
        seconds = self._record.seconds["training"]
        self._record.seconds["training"] -= trained.seconds_evaluating
        self._record.seconds["selection"] = trained.seconds_evaluating
        if self._plan.blueprint.adapter is not None:
            moving, whole = trained_parameters(self._model)
            console.say(f"adapter: {moving:,} of {whole:,} parameters were trained ({moving / whole:.2%})")
        console.say(f"training: {trained.last_step:,} steps, best at step {trained.best_step} ({seconds:.1f} s)")
        if note := too_dear(self._record.seconds, self._plan.training.eval_steps):
            console.note(note)
        return trained

    def final(self, evaluators: Mapping[str, Recorder]) -> dict[str, Scores]:
        from stbench.evaluation.mixture import finals

        with (
            self._timed("final score"),
            console.progress("scoring the best checkpoint") as advance,
            self._watching(advance, [one for name, one in evaluators.items() if name != "validation"]),
        ):
            return finals(self._plan, evaluators, self._model)

    def sizes_before(self, splits: Splits, evaluators: Mapping[str, Recorder]) -> tuple[Measured, ...]:
        """The untouched model at the sizes that the modifier trains."""
        from stbench.evaluation.baseline import untouched_sizes

        if self._plan.modifier is None:
            return ()
        with self._timed("sizes"), console.progress("scoring the untouched model at each size"):
            return untouched_sizes(self._plan, splits, evaluators["test"], lambda: self._model, self._store)

    def sizes(self, evaluators: Mapping[str, Recorder], before: Sequence[Measured]) -> tuple[Size, ...]:
        """The trained model at each of these sizes, and what it costs."""
        from stbench.evaluation.baseline import sizes_of
        from stbench.evaluation.sizes import measured, paired

        if not before:
            return ()
        with self._timed("sizes"), console.progress("scoring the best checkpoint at each size"):
            return paired(before, measured(self._model, evaluators["test"], *sizes_of(self._plan)))

    def verdict(
        self, baseline: Mapping[str, Scores], final: Mapping[str, Scores], sentence: Sentence, audit: Audit
    ) -> Verdict:
        dims, chosen = active_dims(final["test"]), sentence.verdict
        with self._timed("verdict"):
            return judge(
                baseline["test"], final["test"], min_effect=chosen.min_effect, resamples=chosen.resamples,
                seed=sentence.seed, reservations=[*collapsed(dims), *audit.reservations(chosen.max_leak)],
                extras={**dims, **audit.extras(chosen.max_leak)},
            )  # fmt: skip

    def save(self, splits: Splits) -> None:
        from stbench.models.save import save
        from stbench.models.tokens import forget_tokens

        forget_tokens(self._model)
        with self._timed("saving"), console.progress("saving and checking the model"):
            save(self._model, self._plan, self._record.model_folder, splits.test)

    def cost(self, splits: Splits, baseline: Mapping[str, Scores], final: Mapping[str, Scores]) -> Costs | None:
        """Of the saved model, and of the untouched one, built anew so that both are measured side by side."""
        from stbench.evaluation.cost_texts import cost_texts
        from stbench.evaluation.metering import compared

        if not self._plan.evaluator.cost:
            return None
        texts = cost_texts(splits.test, splits.collections.get("test"))
        dims = active_dims(baseline["test"]), active_dims(final["test"])
        try:
            with self._timed("cost"), console.progress("measuring speed and size"):
                return compared(self._plan, self._model, self._store, texts, dims)
        except (RuntimeError, OSError, MemoryError) as error:
            # The model is saved and judged: no room for a second one must not lose that.
            console.note(f"speed and size could not be measured: {str(error) or type(error).__name__}")
            return None

    @cached_property
    def _model(self) -> Any:
        from stbench.models.build import build
        from stbench.models.tokens import remember_tokens

        model = build(self._plan.blueprint, self._plan.seed, self._store)
        remember_tokens(model)
        return model

    @cached_property
    def _miner(self) -> Miner | None:
        return self._miner_of(next(filter(None, (plan.data.miner for plan in self._plan.alone)), None))

    def _miner_of(self, base: Base | None) -> Miner | None:
        """What searches with `base`; a reranker's first stage may be the miner too, and is loaded once then."""
        from stbench.models.miner import Miner

        found = next((one for one in self._miners if one.base == base), None)
        if found is None and base is not None:
            found = Miner(base, self._plan.device, self._at_work)
            self._miners.append(found)
        return found

    @cached_property
    def _rescorer(self) -> Rescorer | None:
        from stbench.models.miner import Rescorer

        base = next(filter(None, (plan.data.rescorer for plan in self._plan.alone)), None)
        return Rescorer(base, self._plan.device, self._at_work) if base else None

    @cached_property
    def _teacher(self) -> Teacher | None:
        from stbench.models.teacher import Teacher

        found = next(filter(None, (plan.data.teacher for plan in self._plan.alone)), None)
        return Teacher(found, self._plan.device, self._at_work) if found else None

    @contextmanager
    def _at_work(self, model: Any, texts: int, what: str) -> Iterator[None]:
        """Counts the texts that go through a miner or a teacher, behind the bar of the stage at hand."""
        from stbench.evaluation.watch import counting

        with counting(lambda: model, texts, partial(self._advance, text=what)):
            yield

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._record.seconds[what] = self._record.seconds.get(what, 0.0) + time.perf_counter() - start

    @contextmanager
    def _watching(self, advance: Any, evaluators: list[Recorder]) -> Iterator[None]:
        """Counts texts as they go through the model."""
        from stbench.evaluation.watch import counting

        with counting(lambda: self._model, sum(item.work for item in evaluators), advance):
            yield


class _Shown:
    """What stands behind the training bar."""

    def __init__(self, advance: Any, baseline: float) -> None:
        self._advance = advance
        self._loss = ""
        self._score = f"selection {baseline:.4f}"

    def step(self, done: int, total: int) -> None:
        self._advance(done, f"{self._loss} {self._score}", total)

    def log(self, entry: Mapping[str, Any], step: int) -> None:
        if "loss" in entry:
            self._loss = f"loss {entry['loss']:.4f}"
        if "score" in entry:
            self._score = f"selection {entry['score']:.4f}"


def active_dims(scores: Scores) -> dict[str, float]:
    """`query_active_dims` and `corpus_active_dims` of a sparse model; empty for others."""
    found = {key: value for key, value in scores.metrics.items() if key.endswith("active_dims")}
    names = ("query_active_dims", "corpus_active_dims")
    # Of scored pairs the library counts both sides together.
    return {name: value for name in names for key, value in found.items() if key.endswith(name) or len(found) == 1}


def collapsed(dims: Mapping[str, float]) -> list[str]:
    """Why the vectors are none that an index could hold; nothing where they are."""
    corpus = dims.get("corpus_active_dims")
    if corpus is None or 1 <= corpus <= DENSEST:
        return []
    state = "empty" if corpus < 1 else "dense"
    return [f"the vectors are {state}: {corpus:,.0f} active dimensions a document (healthy: 150 to 250)"]
