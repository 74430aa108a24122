"""Real training on several data sets: which batches there are, which loss each meets, and what goes on after a stop."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from datasets import Dataset
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.base.sampler import NoDuplicatesBatchSampler
from tiny_models import Tiny

from stbench.cache import Store
from stbench.data.mixture import prepare_all
from stbench.models.build import build
from stbench.training.by_length import ByLength
from stbench.training.callbacks import checksum
from stbench.training.mixture import (
    SamplerByPart,
    batch_sampler_of,
    batches_of,
    called,
    checked_losses,
    loss_of,
    no_duplicates,
    rows_of,
)  # fmt: skip
from stbench.training.train import Trained, Watchers, train

if TYPE_CHECKING:
    from stbench.data.splits import Splits
    from stbench.plan.plan import Plan

NOBODY = Watchers(lambda done, total: None, [])


class Seen(BaseEvaluator):
    """Remembers the weights it was shown; later ones are better."""

    def __init__(self) -> None:
        super().__init__()
        self.greater_is_better = True
        self.primary_metric = "score"
        self.weights: dict[int, str] = {}

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        self.weights[steps] = checksum(model)
        return {"score": steps / 100}


@pytest.fixture(autouse=True)
def _no_model_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checkpoint would write one, which takes longer than the steps between two."""
    from sentence_transformers.base.model import BaseModel

    monkeypatch.setattr(BaseModel, "_create_model_card", lambda *_, **__: None)


@dataclass(frozen=True)
class Mixed:
    plan: Plan
    splits: Splits


Mixing = Callable[..., Mixed]


@pytest.fixture(scope="module")
def mixed(
    plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny, tmp_path_factory: pytest.TempPathFactory
) -> Mixing:
    """Plan and rows of a mixture, its parts by name and shape."""

    def made(*words: str, base: str = "plain", **parts: str) -> Mixed:
        trained = [f"dataset.parts.{name}.train={data[shape]}" for name, shape in parts.items()]
        own = [
            "base_model=path",
            f"base_model.path={getattr(tiny, base)}",
            "training.batch_size=8",
            "training.epochs=2",
        ]
        plan = plan_of(
            "dataset=mixture", *own, "training.eval_steps=2", "training.learning_rate=1e-3", *trained, *words
        )
        return Mixed(plan, prepare_all(plan, Store(tmp_path_factory.mktemp("store"), "on"), None, None))

    return made


class Run:
    """One process's view of a run in `folder`."""

    def __init__(self, mixed: Mixed, folder: Path) -> None:
        self.plan, self.rows, self.folder = mixed.plan, rows_of(mixed.splits), folder
        self.evaluator = Seen()
        self.model = build(self.plan.blueprint, self.plan.seed)
        self.loss = loss_of(self.plan, self.model, mixed.splits)
        self.batches: list[tuple[str, int]] = []

    def __call__(self, watchers: Watchers = NOBODY) -> Trained:
        if isinstance(self.loss, dict):
            for name, loss in self.loss.items():
                loss.register_forward_hook(lambda *_, name=name: self.batches.append((name, 1)))
        return train(self.plan, self.model, self.loss, self.rows, self.evaluator, "score", self.folder, watchers)  # type: ignore[arg-type]


TWO = {"pairs": "pair", "scores": "scored_pair"}
COSENT = "dataset.parts.scores.loss=CoSENTLoss"


def test_each_part_meets_its_own_loss(mixed: Mixing, tmp_path: Path) -> None:
    found = mixed(COSENT, "dataset.parts.scores.limit=16", **TWO)
    run = Run(found, tmp_path)
    assert {name: type(loss).__name__ for name, loss in run.loss.items()} == {
        "pairs": "MultipleNegativesRankingLoss", "scores": "CoSENTLoss",
    }  # fmt: skip
    trained = run()
    assert batches_of(found.plan, run.rows) == 4 + 2
    assert trained.last_step == 12
    assert trained.rows == 32 + 16
    names = [name for name, _ in run.batches]
    assert {name: names.count(name) for name in TWO} == {"pairs": 8, "scores": 4}
    assert checksum(run.model) == run.evaluator.weights[12]


def test_round_robin_takes_as_many_batches_of_each(mixed: Mixing, tmp_path: Path) -> None:
    run = Run(mixed(COSENT, "dataset.parts.scores.limit=16", "dataset.sampling=round_robin", **TWO), tmp_path)
    assert run().last_step == 8
    assert [name for name, _ in run.batches] == ["pairs", "scores"] * 4


def test_the_rows_of_the_splits_stay_as_they_are(mixed: Mixing, tmp_path: Path) -> None:
    found = mixed(COSENT, "training.max_steps=1", **TWO)
    Run(found, tmp_path)()
    assert set(found.splits.parts["pairs"].train[0]) == {"anchor", "positive"}


def test_losses_that_are_alike_are_one(mixed: Mixing) -> None:
    words = ("dataset.parts.other.loss={use: contrastive, arguments: {scale: 5}}",)
    found = mixed(*words, first="pair", same="triplet", other="pair")
    run = Run(found, Path("unused"))
    assert run.loss["first"] is run.loss["same"]
    assert run.loss["first"] is not run.loss["other"]
    assert (run.loss["first"].scale, run.loss["other"].scale) == (20.0, 5)


def test_losses_with_arguments_out_of_the_rows_are_several(mixed: Mixing) -> None:
    run = Run(mixed("model=cross_encoder", "loss=pointwise", a="labeled_pair", b="ranked_list"), Path("unused"))
    assert run.loss["a"] is not run.loss["b"]


def test_names_that_the_library_cannot_take_get_another_there(mixed: Mixing, tmp_path: Path) -> None:
    assert [called(name) for name in ("train", "half", "docs")] == ["train_", "half_", "docs"]
    run = Run(mixed("training.max_steps=1", train="pair", half="triplet"), tmp_path)
    assert list(run.rows) == list(run.loss) == ["train_", "half_"]
    assert run().last_step == 1


LABELS = "dataset.parts.labels.loss=BatchAllTripletLoss"
JUDGED = "dataset.parts.labels.evaluator=retrieval"
THREE = {"pairs": "pair", "labels": "labeled_text", "scores": "scored_pair"}


def test_each_part_is_put_into_batches_as_its_loss_needs(mixed: Mixing, tmp_path: Path) -> None:
    found = mixed(LABELS, JUDGED, COSENT, **THREE)
    sampler = batch_sampler_of(found.plan)
    wanted = {"pairs": "no_duplicates", "labels": "group_by_label", "scores": "batch_sampler"}
    assert sampler == SamplerByPart(wanted, by_length=True)
    assert pickle.loads(pickle.dumps(sampler)) == sampler
    run = Run(found, tmp_path)
    run()
    assert {name for name, _ in run.batches} == set(wanted)


def test_one_way_of_making_batches_serves_all_parts(mixed: Mixing) -> None:
    assert batch_sampler_of(mixed(a="pair", b="triplet").plan) is no_duplicates
    alike = mixed("loss=CoSENTLoss", a="scored_pair", b="scored_pair").plan
    assert batch_sampler_of(alike) is ByLength
    assert batch_sampler_of(replace(alike, training=replace(alike.training, by_length=False))) == "batch_sampler"
    assert pickle.loads(pickle.dumps(no_duplicates)) is no_duplicates


def test_digests_give_the_batches_that_the_texts_themselves_give() -> None:
    texts = [f"text {number % 20}" for number in range(40)]
    rows = Dataset.from_dict({"anchor": texts, "positive": texts[5:] + texts[:5]})
    options = {"batch_size": 4, "drop_last": False, "generator": torch.Generator(), "seed": 3}
    ours, theirs = no_duplicates(rows, **options), NoDuplicatesBatchSampler(rows, **options)
    assert list(ours) == list(theirs)
    assert all(len({text for row in batch for text in rows[row].values()}) == 2 * len(batch) for batch in ours)


@pytest.mark.parametrize(
    ("type_", "base", "words", "parts"),
    [
        ("cross_encoder", "plain", ["dataset.parts.b.loss=RankNetLoss"], {"a": "ranked_list", "b": "n_tuple"}),
        ("sparse_encoder", "masked", ["dataset.parts.b.loss=TripletLoss"], {"a": "pair", "b": "triplet"}),
        ("sparse_encoder", "pooled", ["dataset.parts.b.loss=TripletLoss"], {"a": "pair", "b": "triplet"}),
        ("multi_vector_encoder", "plain", [], {"a": "pair", "b": "triplet"}),
        ("sentence_transformer", "static", [COSENT.replace("scores", "b")], {"a": "pair", "b": "scored_pair"}),
    ],
)
def test_every_model_type_trains_on_a_mixture(
    type_: str, base: str, words: list[str], parts: dict[str, str], mixed: Mixing, tmp_path: Path
) -> None:
    few = ("training.max_steps=4", "dataset.sampling=round_robin", f"model={type_}")
    run = Run(mixed(*few, *words, base=base, **parts), tmp_path)
    before = checksum(run.model)
    assert run().last_step == 4
    assert [name for name, _ in run.batches] == ["a", "b"] * 2 or run.loss["a"] is run.loss["b"]
    assert checksum(run.model) != before


def test_arguments_that_no_loss_takes_are_told_where_they_were_said(mixed: Mixing) -> None:
    own = "dataset.parts.b.loss={use: contrastive, arguments: {scael: 5}}"
    found = checked_losses(mixed("loss.arguments.x_y=2", own, a="pair", b="pair", c="pair").plan)
    assert [problem.where for problem in found] == ["loss.arguments.x_y", "dataset.parts.b.loss.arguments.scael"]
    assert found[1].mend == "did you mean dataset.parts.b.loss.arguments.scale=…?"


class Died(Exception):
    """Stands for whatever ends a process between two steps."""


def dying_at(step: int) -> Watchers:
    def die(done: int, total: int) -> None:
        if done == step:
            raise Died

    return Watchers(die, [])


@pytest.fixture(params=["proportional", "round_robin"])
def stopping(request: pytest.FixtureRequest, mixed: Mixing) -> Mixed:
    return mixed(LABELS, JUDGED, COSENT, f"dataset.sampling={request.param}", **THREE)


@pytest.mark.parametrize("step", [3, 13])
def test_a_run_that_died_goes_on_to_the_same_weights(stopping: Mixed, step: int, tmp_path: Path) -> None:
    """Order of the parts, order of their rows, dropout and schedule all go on, in the first epoch and in the second."""
    undisturbed = Run(stopping, tmp_path / "undisturbed")
    expected = undisturbed()
    assert expected.last_step > 13
    first, second = (Run(stopping, tmp_path / "stopped") for _ in range(2))
    with pytest.raises(Died):
        first(dying_at(step))
    found = second()
    assert {**first.evaluator.weights, **second.evaluator.weights} == undisturbed.evaluator.weights
    assert checksum(second.model) == checksum(undisturbed.model)
    assert (found.best_step, found.last_step) == (expected.best_step, expected.last_step)
    assert second.batches == undisturbed.batches[-len(second.batches) :]


@pytest.mark.parametrize("step", [3])
def test_weights_of_the_losses_go_on_too(mixed: Mixing, step: int, tmp_path: Path) -> None:
    """A classifier on top of the vectors belongs to the loss, not to the model."""
    judged = [f"dataset.parts.{name}.evaluator=triplet" for name in ("a", "b")]
    found = mixed("loss=SoftmaxLoss", *judged, a="class_pair", b="class_pair")
    undisturbed = Run(found, tmp_path / "undisturbed")
    undisturbed()
    first, second = (Run(found, tmp_path / "stopped") for _ in range(2))
    with pytest.raises(Died):
        first(dying_at(step))
    second()
    assert checksum(second.model) == checksum(undisturbed.model)
