"""Real training with the library's trainer, a few steps at a time: what is left, and what goes on after a stop."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psutil import Process
from sentence_transformers.base.evaluation import BaseEvaluator
from tiny_models import Tiny

from stbench.errors import Failed, Interrupted
from stbench.models.build import build
from stbench.training.callbacks import CHECKSUM, checksum
from stbench.training.losses import build_loss
from stbench.training.train import Trained, Watchers, newest_checkpoint, train

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.config.sentence import ModelType
    from stbench.plan.plan import Plan

ROWS = 40
NOBODY = Watchers(lambda done, total: None, [])


class Scripted(BaseEvaluator):
    """Scores that were thought up beforehand, by step; remembers the weights it was shown."""

    def __init__(self, scores: Mapping[int, float] | None = None, greater_is_better: bool = True) -> None:
        super().__init__()
        self.greater_is_better = greater_is_better
        self.primary_metric = "score"
        self.seen: dict[int, str] = {}
        self._scores = scores or {}

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        self.seen[steps] = checksum(model)
        return {"score": self._scores.get(steps, 0.0)}


@pytest.fixture(autouse=True)
def _no_model_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checkpoint would write one, which takes longer than the steps between two."""
    from sentence_transformers.base.model import BaseModel

    monkeypatch.setattr(BaseModel, "_create_model_card", lambda *_, **__: None)


@pytest.fixture(autouse=True, scope="module")
def _quick_collection() -> Iterator[None]:
    """The trainer collects garbage at its start, among all that the imports have left."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def plan(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Plan:
    """Two epochs of five steps, with dropout, evaluated every two steps."""
    words = ("training.batch_size=8", "training.epochs=2", "training.eval_steps=2", "training.learning_rate=1e-3")
    place = (f"base_model.path={tiny.plain}", f"dataset.train={data['pair']}")
    return plan_of("base_model=path", "dataset=files", *place, *words)


def pairs() -> Dataset:
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "anchor": [f"what is thing number {i}?" for i in range(ROWS)],
            "positive": [f"thing number {i} is a {('tool', 'plant')[i % 2]}" for i in range(ROWS)],
        }
    )


def changed(plan: Plan, **options: Any) -> Plan:
    return replace(plan, training=replace(plan.training, **options))


class Run:
    """One process's view of a run in `folder`."""

    def __init__(
        self, plan: Plan, folder: Path, evaluator: Scripted | None = None, rows: Dataset | None = None
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.evaluator = evaluator or Scripted()
        self.rows = rows or pairs()
        self.model = build(plan.blueprint, plan.seed)
        self.loss = build_loss(plan, self.model, self.rows)

    def __call__(self, watchers: Watchers = NOBODY) -> Trained:
        return train(self.plan, self.model, self.loss, self.rows, self.evaluator, "score", self.folder, watchers)


def test_the_best_checkpoint_is_what_is_left_in_memory(plan: Plan, tmp_path: Path) -> None:
    run = Run(plan, tmp_path, Scripted({2: 0.1, 4: 0.9, 6: 0.3, 8: 0.4, 10: 0.2}))
    before = checksum(run.model)
    trained = run()
    assert (trained.best_step, trained.last_step, trained.rows) == (4, 10, ROWS)
    assert len(set(run.evaluator.seen.values())) == 5
    assert checksum(run.model) == run.evaluator.seen[4] != before


def test_the_best_is_the_lowest_where_lower_is_better(plan: Plan, tmp_path: Path) -> None:
    run = Run(plan, tmp_path, Scripted({2: 0.5, 4: 0.3, 6: 0.1, 8: 0.2, 10: 0.4}, greater_is_better=False))
    assert run().best_step == 6
    assert checksum(run.model) == run.evaluator.seen[6]


def test_of_equal_checkpoints_the_first_is_the_best(plan: Plan, tmp_path: Path) -> None:
    assert Run(plan, tmp_path, Scripted({4: 0.5, 6: 0.5}))().best_step == 4


def test_the_best_may_be_a_step_of_the_warm_up_that_moved_nothing(plan: Plan, tmp_path: Path) -> None:
    slow = replace(plan, training=replace(plan.training, warmup=0.9, eval_steps=1.0))
    run = Run(slow, tmp_path, Scripted({1: 0.9}))
    before = checksum(run.model)
    assert run().best_step == 1
    assert checksum(run.model) == before


def test_history_holds_losses_and_scores_by_step(plan: Plan, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    entries: list[tuple[dict[str, Any], int]] = []
    watchers = Watchers(lambda *step: steps.append(step), [lambda entry, step: entries.append((entry, step))])
    trained = Run(plan, tmp_path, Scripted({2: 0.1, 4: 0.9}))(watchers)
    losses = {entry["step"]: entry["loss"] for entry in trained.history if "loss" in entry}
    scores = {entry["step"]: entry["score"] for entry in trained.history if "score" in entry}
    assert list(losses) == list(range(1, 11))
    assert scores == {2: 0.1, 4: 0.9, 6: 0.0, 8: 0.0, 10: 0.0}
    assert steps == [(step, 10) for step in range(1, 11)]
    assert {step: entry["loss"] for entry, step in entries if "loss" in entry} == losses
    assert {step: entry["score"] for entry, step in entries if "score" in entry} == scores


def test_every_step_has_its_time_and_memory(plan: Plan, tmp_path: Path) -> None:
    trained = Run(plan, tmp_path)()
    assert [one.step for one in trained.pace] == list(range(1, 11))
    assert trained.rows_per_second == pytest.approx(8 * 10 / sum(one.seconds for one in trained.pace))
    assert sum(one.seconds for one in trained.pace) < trained.seconds
    alive = time.time() - Process().create_time()
    assert (
        alive - trained.seconds < trained.seconds_to_first_step < alive - sum(one.seconds for one in trained.pace[1:])
    )
    assert 0 < trained.seconds_evaluating < trained.seconds


@pytest.mark.parametrize(
    ("options", "evaluated"),
    [
        ({"eval_steps": 4.0}, [4, 8, 10]),
        ({"eval_steps": 100.0}, [10]),
        ({"max_steps": 3}, [2, 3]),
        ({"max_steps": 99}, [2, 4, 6, 8, 10]),
        ({"epochs": 1.5, "eval_steps": 3.0}, [3, 6, 8]),
        ({"gradient_accumulation": 2, "eval_steps": 4.0}, [4, 6]),
    ],
)
def test_the_last_step_is_evaluated_too(plan: Plan, tmp_path: Path, options: Any, evaluated: list[int]) -> None:
    run = Run(changed(plan, **options), tmp_path)
    trained = run()
    assert list(run.evaluator.seen) == evaluated
    assert trained.last_step == evaluated[-1]


def test_the_last_step_is_evaluated_also_where_the_sampler_yields_fewer_batches(plan: Plan, tmp_path: Path) -> None:
    """A full batch needs the one row of each rare text, so a pass over the rows yields one batch instead of five."""
    from datasets import Dataset

    rows = pairs().to_dict()
    rows["anchor"] = [text if i < 7 else "what is it?" for i, text in enumerate(rows["anchor"])]
    run = Run(
        changed(plan, sampler="no_duplicates", eval_steps=4.0, extra={"dataloader_drop_last": True}),
        tmp_path, rows=Dataset.from_dict(rows),
    )  # fmt: skip
    trained = run()
    assert trained.last_step < 10
    assert trained.last_step % 4
    assert trained.last_step in run.evaluator.seen


def test_training_stops_when_it_no_longer_gets_better(plan: Plan, tmp_path: Path) -> None:
    run = Run(changed(plan, patience=2), tmp_path, Scripted({2: 0.1, 4: 0.9, 6: 0.3, 8: 0.4, 10: 1.0}))
    trained = run()
    assert (trained.best_step, trained.last_step) == (4, 8)
    assert checksum(run.model) == run.evaluator.seen[4]


def test_a_loss_that_is_no_number_fails_with_advice(plan: Plan, tmp_path: Path) -> None:
    run = Run(changed(plan, learning_rate=1e30, warmup=0.0), tmp_path)
    with pytest.raises(Failed, match=r"loss became nan at step \d+; the learning rate comes first"):
        run()


def test_another_checkpoint_than_the_best_in_memory_fails(plan: Plan, tmp_path: Path) -> None:
    """The library only writes a line to the log when it cannot load the best checkpoint."""

    def break_best(done: int, total: int) -> None:
        if done == total:
            (tmp_path / "checkpoint-2" / "model.safetensors").write_bytes(b"")

    with pytest.raises(Failed, match="not those of the best checkpoint"):
        Run(plan, tmp_path, Scripted({2: 0.9}))(Watchers(break_best, []))


@pytest.mark.parametrize("type_", ["sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder"])
def test_a_half_precision_checkpoint_is_trained_in_fp32(
    plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny, tmp_path: Path, type_: ModelType
) -> None:
    import torch
    from datasets import Dataset

    rows = pairs()
    if type_ == "cross_encoder":
        documents = [[row["positive"], "nothing known"] for row in rows]
        rows = Dataset.from_dict({"anchor": rows["anchor"], "documents": documents, "relevance": [[1.0, 0.0]] * ROWS})
    words = ("training.max_steps=2", "training.batch_size=4", "training.eval_steps=1", "precision=bf16")
    place = (f"base_model.path={tiny.half}", f"dataset.train={data['pair']}")
    plan = plan_of(f"model={type_}", "base_model=path", "dataset=files", *place, *words)
    run = Run(plan, tmp_path, Scripted({1: 0.1, 2: 0.2}), rows)
    before = checksum(run.model)
    assert run().last_step == 2
    assert {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}
    assert all(torch.isfinite(parameter).all() for parameter in run.model.parameters())
    assert checksum(run.model) != before
    again = build(plan.blueprint, plan.seed)
    again.load_state_dict(run.model.state_dict())
    one, other = (answers(model) for model in (run.model, again))
    assert torch.equal(one, other), "outside the trainer it computes as any model of these weights does"


def answers(model: Any) -> Any:
    from torch import as_tensor, cat

    if hasattr(model, "predict"):
        return as_tensor(model.predict([("what is it", "nothing known")]))
    found = model.encode(["what is it", "nothing known, or something else"])
    dense = found.to_dense() if hasattr(found, "to_dense") else found
    return cat([as_tensor(one).flatten() for one in dense])


class Died(Exception):
    """Stands for whatever ends a process between two steps."""


def dying_at(step: int) -> Watchers:
    def die(done: int, total: int) -> None:
        if done == step:
            raise Died

    return Watchers(die, [])


def signalled_at(step: int) -> Watchers:
    def ask(done: int, total: int) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGINT)

    return Watchers(ask, [])


SCORES = {2: 0.1, 4: 0.3, 6: 0.2, 8: 0.9, 10: 0.4}
SAMPLERS = ("batch_sampler", "no_duplicates")


@dataclass(frozen=True)
class Undisturbed:
    """What a run comes to that nothing stops."""

    trained: Trained
    seen: dict[int, str]
    weights: str


@pytest.fixture(scope="module")
def undisturbed(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Undisturbed]:
    """By the sampler of its batches."""

    def run_to_the_end(sampler: Any) -> Undisturbed:
        run = Run(changed(plan, sampler=sampler), tmp_path_factory.mktemp(sampler), Scripted(SCORES))
        return Undisturbed(run(), run.evaluator.seen, checksum(run.model))

    return {sampler: run_to_the_end(sampler) for sampler in SAMPLERS}


@pytest.mark.parametrize(
    ("step", "sampler"), [(3, "batch_sampler"), (7, "batch_sampler"), (5, "no_duplicates"), (7, "no_duplicates")]
)
def test_a_run_that_died_goes_on_to_the_same_weights(
    plan: Plan, tmp_path: Path, undisturbed: Mapping[str, Undisturbed], step: int, sampler: Any
) -> None:
    """In the first epoch, between the two, and in the second: order of the rows, dropout and schedule all go on."""
    expected = undisturbed[sampler]
    first, second = (Run(changed(plan, sampler=sampler), tmp_path, Scripted(SCORES)) for _ in range(2))
    with pytest.raises(Died):
        first(dying_at(step))
    found = second()
    assert (found.best_step, found.last_step) == (8, 10)
    assert min(second.evaluator.seen) > step - 2
    check_same(found, first, second, expected)


def check_same(found: Trained, first: Run, second: Run, expected: Undisturbed) -> None:
    assert {**first.evaluator.seen, **second.evaluator.seen} == expected.seen
    assert checksum(second.model) == expected.weights
    assert (found.best_step, found.last_step) == (expected.trained.best_step, expected.trained.last_step)
    assert scores_of(found) == scores_of(expected.trained)


def scores_of(trained: Trained) -> dict[int, float]:
    return {entry["step"]: entry["score"] for entry in trained.history if "score" in entry}


@pytest.mark.parametrize("step", [7, 10])
def test_a_signal_saves_the_step_and_the_run_goes_on_from_it(
    plan: Plan, tmp_path: Path, undisturbed: Mapping[str, Undisturbed], step: int
) -> None:
    first, second = (Run(plan, tmp_path, Scripted(SCORES)) for _ in range(2))
    with pytest.raises(Interrupted, match="goes on from the last checkpoint"):
        first(signalled_at(step))
    assert newest_checkpoint(tmp_path) == str(tmp_path / f"checkpoint-{step}")
    steps: list[int] = []
    found = second(Watchers(lambda done, total: steps.append(done), []))
    assert steps == list(range(step + 1, 11))
    check_same(found, first, second, undisturbed[plan.training.sampler])


def test_early_stopping_counts_evaluations_of_the_process_before(plan: Plan, tmp_path: Path) -> None:
    plan = changed(plan, patience=2, eval_steps=1.0)
    scores = {1: 0.1, 2: 0.9, 3: 0.3, 4: 0.4, 5: 0.5}
    with pytest.raises(Died):
        Run(plan, tmp_path, Scripted(scores))(dying_at(4))
    trained = Run(plan, tmp_path, Scripted(scores))()
    assert (trained.best_step, trained.last_step) == (2, 4)


def test_the_newest_checkpoint_is_the_newest_complete_one(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "missing") is None
    for step in (9, 100, 200):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"weights")
    assert newest_checkpoint(tmp_path) is None
    for step in (9, 100):
        (tmp_path / f"checkpoint-{step}" / CHECKSUM).write_text("0123456789abcdef")
    (tmp_path / "checkpoint-200" / CHECKSUM).write_text("")
    assert newest_checkpoint(tmp_path) == str(tmp_path / "checkpoint-100")


def test_a_half_written_checkpoint_is_passed_over(
    plan: Plan, tmp_path: Path, undisturbed: Mapping[str, Undisturbed]
) -> None:
    """As a killed process leaves it: the weights are there, the rest is not."""
    first, second = (Run(plan, tmp_path, Scripted(SCORES)) for _ in range(2))
    with pytest.raises(Died):
        first(dying_at(7))
    for file in (tmp_path / "checkpoint-6").iterdir():
        if file.name != "model.safetensors":
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    found = second()
    assert min(second.evaluator.seen) == 6
    check_same(found, first, second, undisturbed[plan.training.sampler])
