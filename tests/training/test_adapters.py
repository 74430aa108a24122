"""Training with an adapter: the best checkpoint comes back, a stop is gone on from, and only the adapter moves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sentence_transformers.base.evaluation import BaseEvaluator
from tiny_models import Tiny

from stbench.errors import Interrupted
from stbench.models.build import build
from stbench.training.adapters import FILE, read_trained
from stbench.training.callbacks import checksum
from stbench.training.losses import build_loss
from stbench.training.moved import fingerprints
from stbench.training.train import Watchers, newest_checkpoint, train

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.config.sentence import ModelType
    from stbench.plan.plan import Plan

NOBODY = Watchers(lambda done, total: None, [])
TYPES = ("sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder")


class Scripted(BaseEvaluator):
    """Scores thought up beforehand; remembers the weights it was shown."""

    greater_is_better = True

    def __init__(self, best: int) -> None:
        super().__init__()
        self.seen: dict[int, str] = {}
        self._best = best

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        self.seen[steps] = checksum(model)
        return {"score": float(steps == self._best)}


@pytest.fixture(autouse=True)
def _no_model_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    from sentence_transformers.base.model import BaseModel

    monkeypatch.setattr(BaseModel, "_create_model_card", lambda *_, **__: None)


@pytest.fixture
def planned(plan_of: Callable[..., Plan], data: Mapping[str, Path], tiny: Tiny) -> Callable[..., Plan]:
    def plan(*words: str, kind: str = "half", shape: str = "pair") -> Plan:
        place = (f"base_model.path={getattr(tiny, kind)}", f"dataset.train={data[shape]}")
        steps = ("training.batch_size=8", "training.epochs=1", "training.eval_steps=2", "training.learning_rate=1e-2")
        loss = [] if any(word.startswith("loss=") for word in words) else ["loss=contrastive"]
        return plan_of("base_model=path", "dataset=files", *place, "adapter.rank=2", *steps, *loss, *words)

    return plan


def pairs() -> Dataset:
    from datasets import Dataset

    kinds = ("tool", "plant")
    return Dataset.from_dict(
        {
            "anchor": [f"what is thing number {i}?" for i in range(40)],
            "positive": [f"thing number {i} is a {kinds[i % 2]}" for i in range(40)],
        }
    )


def run(plan: Plan, folder: Path, best: int, watchers: Watchers = NOBODY) -> tuple[Any, Scripted]:
    model, evaluator = build(plan.blueprint, plan.seed), Scripted(best)
    loss = build_loss(plan, model, pairs())
    train(plan, model, loss, pairs(), evaluator, "score", folder, watchers)  # type: ignore[arg-type]
    return model, evaluator


@pytest.mark.parametrize("adapter", ["lora", "qlora"])
@pytest.mark.parametrize("type_", TYPES)
def test_the_best_checkpoint_of_an_adapter_comes_back(
    planned: Callable[..., Plan], tmp_path: Path, type_: ModelType, adapter: str
) -> None:
    """Beside weights stored as fp16, which the library would round the adapter to."""
    plan = planned(f"model={type_}", f"adapter={adapter}")
    untouched = build(plan.blueprint, plan.seed)
    model, evaluator = run(plan, tmp_path, best=2)
    assert len(set(evaluator.seen.values())) == 3
    assert checksum(model) == evaluator.seen[2]
    frozen = {name for name, parameter in untouched.named_parameters() if not parameter.requires_grad}
    before, after = dict(untouched.named_parameters()), dict(model.named_parameters())
    assert frozen
    assert all((before[name] == after[name]).all() for name in frozen)
    first, last = fingerprints(untouched), fingerprints(model)
    assert any(first[name] != last[name] for name in first if "lora_" in name)


@pytest.mark.parametrize(
    "words",
    [
        ["base_model.layers=[1]", "base_model.projection=8"],
        ["adapter.dora=true", "adapter.rslora=true"],
        ["training.gradient_checkpointing=true"],
        ["loss=CachedMultipleNegativesRankingLoss", "loss.arguments.mini_batch_size=4"],
    ],
)
def test_adapters_go_with_everything_else(planned: Callable[..., Plan], tmp_path: Path, words: list[str]) -> None:
    model, evaluator = run(planned("adapter=lora", *words), tmp_path / "run", best=2)
    assert checksum(model) == evaluator.seen[2]


def test_a_stopped_run_with_an_adapter_ends_as_an_undisturbed_one(planned: Callable[..., Plan], tmp_path: Path) -> None:
    plan = planned("adapter=lora")
    whole, _ = run(plan, tmp_path / "whole", best=5)

    def stop(done: int, total: int) -> None:
        if done == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        run(plan, tmp_path / "parts", 5, Watchers(stop, []))
    assert newest_checkpoint(tmp_path / "parts") == str(tmp_path / "parts" / "checkpoint-3")
    resumed, _ = run(plan, tmp_path / "parts", best=5)
    assert checksum(resumed) == checksum(whole)


def test_a_checkpoint_of_another_adapter_is_not_read(planned: Callable[..., Plan], tmp_path: Path) -> None:
    plan = planned("adapter=lora")
    run(plan, tmp_path, best=2)
    adapter = plan.blueprint.adapter
    assert adapter is not None
    other = replace(plan.blueprint, adapter=replace(adapter, targets=("query",)))
    with pytest.raises(KeyError, match="other weights"):
        read_trained(build(other, 1), tmp_path / "checkpoint-2" / FILE)
