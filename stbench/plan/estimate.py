"""Memory and disk that a run will need, to within a factor of about two."""

from __future__ import annotations

from stbench.config.sentence import Shape
from stbench.models.adapter import trainable_parameters, weight_bytes
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint
from stbench.plan.hardware import Mode
from stbench.plan.plan import TrainingPlan

_PROCESS = 600 * 2**20
"""Python with torch, transformers and datasets imported."""
_TEXTS: dict[Shape, int] = {"triplet": 3, "n_tuple": 5, "ranked_list": 8}
"""Texts of a row; two where a shape is not named."""


def memory_bytes(base: Base, blueprint: Blueprint, training: TrainingPlan, shape: Shape, precision: Mode) -> int:
    """Weights, gradients and two Adam moments of what is trained, in fp32, and activations of one batch.

    Activations after Korthikanti et al. 2022 (arXiv:2205.05198): per layer tokens · width · (34 + 5 · heads · length / width)
    bytes at 16 bits; a SPLADE head adds one logit a token and word of the vocabulary.
    """
    states = weight_bytes(blueprint) + 12 * trainable_parameters(blueprint)
    texts = training.batch_size * _TEXTS.get(shape, 2)
    length = blueprint.max_seq_length or 0
    width = max(base.dimensions, 1)
    bytes_per = 1 if precision != "fp32" else 2
    activations = (
        blueprint.num_layers * texts * length * width * (34 + 5 * base.attention_heads * length / width) * bytes_per
    )
    if blueprint.type == "sparse_encoder" and blueprint.architecture == "splade":
        activations += 3 * texts * length * base.vocabulary * 4
    if training.gradient_checkpointing and base.layers:
        activations /= base.layers
    return int(_PROCESS + states + activations)


def evaluation_bytes(blueprint: Blueprint, batch_size: int, rows: int, precision: Mode) -> int:
    """Weights in fp32, the activations of one layer over one batch, and an embedding for each of two texts a row."""
    width, length = max(blueprint.base.dimensions, 1), blueprint.max_seq_length or 0
    heads, bytes_per = blueprint.base.attention_heads, 1 if precision != "fp32" else 2
    activations = batch_size * length * width * (34 + 5 * heads * length / width) * bytes_per
    if blueprint.type == "sparse_encoder" and blueprint.architecture == "splade":
        activations += 2 * batch_size * length * blueprint.base.vocabulary * 4
    tokens = length if blueprint.type == "multi_vector_encoder" else 1
    # A sparse vector keeps some hundred of its dimensions.
    kept = min(blueprint.dimensions, 512) if blueprint.type != "cross_encoder" else 0
    return int(_PROCESS + 4 * blueprint.parameters + activations + 2 * rows * tokens * kept * 4)


def disk_bytes(blueprint: Blueprint) -> int:
    """Two checkpoints with their optimizer states while training, and the finished model twice (folder and tracker)."""
    return 2 * 12 * trainable_parameters(blueprint) + 2 * 4 * blueprint.parameters
