"""The stages of a run on a slice of their work, each against the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from stbench import console
from stbench.cache import Store
from stbench.data.shapes import Conversion
from stbench.errors import Refused
from stbench.jobs.cost import Cost, evaluations_of, steps_of
from stbench.jobs.slices import held_out_slice, training_slice
from stbench.models.miner import Miner, Rescorer
from stbench.models.teacher import Teacher
from stbench.plan.plan import DataPlan, EvaluatorPlan, Plan

if TYPE_CHECKING:
    from stbench.data.splits import Splits
    from stbench.models.base import Base

T = TypeVar("T")
WARM_UP = 4
"""Rows that a teacher is asked about before the clock starts: its weights are loaded then."""


class Measuring:
    """Measures the stages of `plan` one after the other, `steps` training steps among them.

    `store` should be one that nobody else uses: what comes out of a cache takes no time.
    """

    def __init__(self, plan: Plan, store: Store, steps: int) -> None:
        self.plan = plan
        self._store = store
        self._steps = steps
        self._miners: dict[str, Miner] = {}
        self.costs: list[Cost] = []
        self.notes: list[str] = []

    def libraries(self) -> None:
        from stbench.libraries import load_libraries

        self._timed("libraries", lambda: load_libraries(self.plan.device, self.plan.threads), "imports")

        from stbench.training.arguments import check_extra
        from stbench.training.mixture import checked_losses

        if problems := [*check_extra(self.plan), *checked_losses(self.plan)]:
            raise Refused(*problems)

    def data(self) -> dict[str, Splits]:
        """All rows, by part of a mixture; the empty name stands for a single data set."""
        from stbench.config.mixture import telling
        from stbench.data.prepare import divided

        def read() -> dict[str, Splits]:
            found = {}
            for one in self.plan.alone:
                with telling(one.part):
                    found[one.part] = divided(one.data)
            return found

        found = self._timed("data", read, "read, cleaned and split: all rows")
        return {name: found[name] for name in (part.name for part in self.plan.parts)} if self.plan.parts else found

    def conversions(self, whole: dict[str, Splits]) -> tuple[dict[str, Splits], dict[str, int]]:
        """(slices of the training rows in the shape that the loss takes, how many rows all of them will become)."""
        slices, rows = {}, {}
        for one in self.plan.alone:
            part = training_slice(whole[one.part], one.data, self.plan.training, self._steps)
            slices[one.part], rows[one.part] = self._converted(part, one.data, len(whole[one.part].train), one.part)
        order = list(whole)
        return {name: slices[name] for name in order}, {name: rows[name] for name in order}

    def _converted(self, splits: Splits, data: DataPlan, number: int, part: str) -> tuple[Splits, int]:
        rows, whole = splits.train, float(number)
        for step in data.steps:
            before = len(rows)
            small, one = replace(splits, train=rows), replace(data, steps=(step,), corpus=None)
            if step.mines:
                rows = self._mined(small, one, data, whole / before, part)
            elif step.asks_teacher:
                rows = self._asked(small, one, step, whole / before, part)
            else:
                stage = _of(f"conversion {step.source} → {step.target}", part)
                rows = self._timed(stage, partial(self._apply, small, one), "", whole / before)
            whole *= len(rows) / before
        return replace(splits, train=rows), max(1, round(whole))

    def _apply(self, splits: Splits, data: DataPlan, rescorer: Rescorer | None = None) -> Any:
        from stbench.data.prepare import converted

        return converted(splits, data, self._store, self._miner(data.miner), self._teacher, rescorer).train

    def _mined(self, splits: Splits, one: DataPlan, data: DataPlan, factor: float, part: str) -> Any:
        """Texts through the miner, and pairs through the rescorer."""
        miner = self._miner(one.miner)
        assert miner is not None
        assert one.mining is not None
        miner.load()
        pairs, alone = len(splits.train), replace(one, rescorer=None)
        texts = len({*splits.train["anchor"]}) + len({*splits.train["positive"]})
        more = data.corpus.count if data.corpus else 0
        beside = f" and {more:,} documents" if more else ""
        how = f"{pairs:,} of {pairs * factor:,.0f} pairs{beside} through {miner.base.name}; kept by content"
        rows = self._timed(_of("mining", part), lambda: self._apply(splits, alone), how, factor + more / texts)
        if one.rescorer is None:
            return rows
        rescorer = Rescorer(one.rescorer, self.plan.device)
        rescorer.load()
        start = time.perf_counter()
        rows = self._apply(splits, one, rescorer)
        seconds = max(0.0, time.perf_counter() - start - self.costs[-1].seconds)
        most, here = one.mining.range_max, min(one.mining.range_max, texts)
        asked = f"{pairs * here:,} of {pairs * factor * most:,.0f} pairs through {one.rescorer.name}; kept by content"
        self.costs.append(Cost(_of("rescoring", part), seconds, factor * most / here, how=asked))
        return rows

    def _asked(self, splits: Splits, one: DataPlan, step: Conversion, factor: float, part: str) -> Any:
        teacher = self._teacher
        assert teacher is not None
        few = splits.train.select(range(min(WARM_UP, len(splits.train))))
        teacher.answer(few, step, self._store)
        number = len(splits.train)
        how = f"{number:,} of {number * factor:,.0f} rows through {teacher.plan.base.name}; kept by content"
        return self._timed(_of("teacher", part), lambda: self._apply(splits, one), how, factor)

    def model(self) -> Any:
        from stbench.models.build import build

        return self._timed("model", lambda: build(self.plan.blueprint, self.plan.seed, self._store), "built", times=2)

    def training(self, model: Any, slices: dict[str, Splits], rows: dict[str, int]) -> tuple[int, float, int]:
        """(steps of the whole run, seconds of one, bytes of a checkpoint)."""
        from stbench.jobs.timed_steps import checkpoint_bytes, timed_steps
        from stbench.plan.mixture import batches
        from stbench.training.mixture import loss_of, rows_of

        splits = next(iter(slices.values()))
        if self.plan.parts:
            splits = replace(slices[self.plan.part], parts=slices)
        loss = loss_of(self.plan, model, splits)
        found, trainer = timed_steps(self.plan, model, loss, rows_of(splits), self._steps)
        training = self.plan.training
        steps = steps_of(training, batches(list(rows.values()), training.batch_size, training.sampling))
        step = sum(found) / len(found)
        how = f"{len(found)} steps of {training.batch_size} rows, the first one not counted"
        self.costs.append(Cost("training", step, times=steps, how=f"the mean of {how}"))
        if training.patience:
            self.notes.append("early stopping may end the training before its last step")
        return steps, step, checkpoint_bytes(trainer, model)

    def evaluations(self, model: Any, whole: dict[str, Splits], steps: int) -> None:
        """Each evaluator on a slice of its split, and how often the run asks it."""
        lead = self.plan.alone[0]
        while_training = evaluations_of(self.plan.training, steps)
        self._evaluation(lead, lead.evaluator, "validation", whole[lead.part], model, 1 + while_training, "selection")
        for one in self.plan.alone:
            for evaluator in (one.evaluator, *one.evaluator.also):
                name = "test" if evaluator is one.evaluator else f"also {evaluator.name}"
                times = 2 + (self._sizes if evaluator is lead.evaluator else 0)
                self._evaluation(one, evaluator, "test", whole[one.part], model, times, name)
        self.notes.append("scores of the untouched model that the cache already has cost nothing")

    def _evaluation(
        self, plan: Plan, evaluator: EvaluatorPlan, split: str, splits: Splits, model: Any, times: int, name: str
    ) -> None:
        from stbench.evaluation.build import build_evaluator
        from stbench.evaluation.evaluate import evaluate

        some, factor = held_out_slice(splits, split)
        retriever = self._miner(evaluator.retriever)

        def built() -> Any:
            return build_evaluator(
                evaluator, plan.blueprint.type, getattr(some, split), split, plan.precision, retriever, self._store,
                some.collections.get(split), self._teacher,
            )  # fmt: skip

        try:
            recorder = self._timed(_of(f"preparing {name}", plan.part), built, "", factor)
            how = f"{len(getattr(some, split)):,} of {len(getattr(splits, split)):,} rows"
            if whole := splits.collections.get(split):
                how += f" over {len(some.collections[split].corpus):,} of {len(whole.corpus):,} documents"
            self._timed(_of(name, plan.part), lambda: evaluate(model, recorder, evaluator), how, factor, times)
        except Refused as refusal:
            what = refusal.problems[0].what
            self.notes.append(f"{_of(name, plan.part)} could not be measured on a slice ({what})")

    @cached_property
    def _sizes(self) -> int:
        """Encodings of the test split for the sizes that a modifier trains, before and after."""
        from stbench.evaluation.baseline import sizes_of

        dims, layers = sizes_of(self.plan)
        return 2 * max(1, len(layers)) if dims or layers else 0

    def saving(self, model: Any) -> int:
        """Bytes of the finished model."""
        from pathlib import Path
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            self._timed("saving", lambda: model.save_pretrained(folder), "the model in its folder")
            return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())

    def _miner(self, base: Base | None) -> Miner | None:
        return self._miners.setdefault(base.location, Miner(base, self.plan.device)) if base else None

    @cached_property
    def _teacher(self) -> Teacher | None:
        found = next(filter(None, (one.data.teacher for one in self.plan.alone)), None)
        return Teacher(found, self.plan.device) if found else None

    def _timed(self, stage: str, work: Callable[[], T], how: str, factor: float = 1.0, times: int = 1) -> T:
        from stbench.jobs.timed_steps import finish_work

        start = time.perf_counter()
        with console.progress(f"measuring: {stage}"):
            done = work()
            if stage != "libraries":
                finish_work(self.plan.device)
        self.costs.append(Cost(stage, time.perf_counter() - start, factor, times, how))
        return done


def _of(stage: str, part: str) -> str:
    return f"{stage} ({part})" if part else stage
