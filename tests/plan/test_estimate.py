from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stbench.models.blueprint import AdapterChoice, Blueprint
from stbench.plan.estimate import disk_bytes, memory_bytes
from stbench.plan.plan import TrainingPlan

MIB = 2**20
TRAINING = TrainingPlan(
    learning_rate=2e-5, batch_size=16, epochs=1, max_steps=None, steps=10, eval_steps=0.1, patience=0, warmup=0.1,
    scheduler="linear", weight_decay=0.0, gradient_accumulation=1, gradient_checkpointing=False, sampler="batch_sampler",
)  # fmt: skip
MINILM = {"parameters": 22_700_000, "dimensions": 384, "vocabulary": 30_522, "layers": 6, "attention_heads": 12}


@pytest.fixture
def memory(a_base: Callable[..., Any]) -> Callable[..., int]:
    def estimated(
        training: TrainingPlan = TRAINING, shape: Any = "pair", precision: Any = "fp32", length: int = 128, **more: Any
    ) -> int:
        blueprint = Blueprint("sentence_transformer", a_base(**MINILM), "cpu", max_seq_length=length)
        blueprint = replace(blueprint, **more)
        return memory_bytes(blueprint.base, blueprint, training, shape, precision)

    return estimated


def test_a_small_encoder_takes_a_gibibyte_or_two(memory: Callable[..., int]) -> None:
    assert 1000 * MIB < memory() < 2500 * MIB


def test_weights_gradients_and_moments_are_sixteen_bytes_a_parameter(
    memory: Callable[..., int], a_base: Callable[..., Any]
) -> None:
    larger = a_base(**{**MINILM, "parameters": 32_700_000})
    assert memory(base=larger) - memory() == 16 * 10_000_000


def test_activations_grow_with_batch_length_and_texts_a_row(memory: Callable[..., int]) -> None:
    assert memory(replace(TRAINING, batch_size=32)) > memory()
    assert memory(length=256) > memory()
    assert memory(shape="ranked_list") > memory(shape="n_tuple") > memory(shape="triplet") > memory(shape="pair")


def test_half_precision_and_checkpointing_save_memory(memory: Callable[..., int]) -> None:
    assert memory(precision="bf16") < memory()
    assert memory(replace(TRAINING, gradient_checkpointing=True)) < memory()


def test_the_vocabulary_is_what_a_splade_model_pays_for(memory: Callable[..., int]) -> None:
    splade = memory(type="sparse_encoder", architecture="splade")
    assert splade - memory() == 3 * 32 * 128 * 30_522 * 4
    assert memory(type="sparse_encoder", architecture="csr") == memory()


def test_a_static_model_needs_little_more_than_its_table(
    memory: Callable[..., int], a_base: Callable[..., Any]
) -> None:
    static = a_base(
        architecture="static", parameters=8_192_000, dimensions=256, layers=0, attention_heads=0, vocabulary=32_000
    )
    assert memory(base=static, length=None) == 600 * MIB + 16 * 8_192_000


def test_the_disk_holds_two_checkpoints_and_two_models(a_base: Callable[..., Any]) -> None:
    blueprint = Blueprint("sentence_transformer", a_base(parameters=1000), "cpu")
    assert disk_bytes(blueprint) == 2 * 12 * 1000 + 2 * 4 * 1000


LORA = AdapterChoice(rank=4, alpha=8, dropout=0.0)
LAYERS = {f"layer.{layer}.query.weight": (500, 1000) for layer in range(2)}


def test_under_an_adapter_only_what_is_trained_has_gradients_and_moments(a_base: Callable[..., Any]) -> None:
    base = a_base(parameters=1_000_000, tensors=LAYERS, layers=0)
    whole = Blueprint("sentence_transformer", base, "cpu")
    lora, qlora = (replace(whole, adapter=adapter) for adapter in (LORA, replace(LORA, bits=4)))
    memory = [memory_bytes(base, plan, TRAINING, "pair", "fp32") for plan in (whole, lora, qlora)]
    trained = 2 * 4 * 1500
    assert memory[0] - memory[1] == 12 * (1_000_000 - trained)
    assert memory[1] - memory[2] == int((4 - 0.57) * 1_000_000)
    assert disk_bytes(lora) == 2 * 12 * trained + 2 * 4 * 1_000_000
