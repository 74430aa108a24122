"""What is allowed and yet worth a second look: each note one small function, with the override that answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stbench.models.blueprint import Blueprint
from stbench.plan.helpers import same_weights
from stbench.plan.plan import DataPlan, Decision, LossPlan, TrainingPlan

Note = Callable[[Blueprint, DataPlan, LossPlan, TrainingPlan], Iterator[Decision]]


def notes(blueprint: Blueprint, data: DataPlan, loss: LossPlan, training: TrainingPlan) -> Iterator[Decision]:
    for note in NOTES:
        yield from note(blueprint, data, loss, training)


def accumulation_adds_no_negatives(
    blueprint: Blueprint, data: DataPlan, loss: LossPlan, training: TrainingPlan
) -> Iterator[Decision]:
    """Gradients of several batches add up, but each text only meets those of its own batch."""
    if loss.in_batch and training.gradient_accumulation > 1:
        yield _note(
            f"in-batch negatives come from {training.batch_size} rows, whatever is accumulated",
            "loss=CachedMultipleNegativesRankingLoss with a larger training.batch_size adds negatives",
        )


def query_regularizer_is_the_larger(
    blueprint: Blueprint, data: DataPlan, loss: LossPlan, training: TrainingPlan
) -> Iterator[Decision]:
    """Queries are short: without the larger weight they end up denser than the documents they search."""
    if loss.regularizers and 0 < loss.regularizers[0] < loss.regularizers[1]:
        query, document = loss.regularizers
        yield _note(
            "the queries' regulariser is smaller than the documents', and queries should be the sparser side",
            f"loss.regularizers.query={document:g} loss.regularizers.document={query:g}",
        )


def ramp_needs_steps(
    blueprint: Blueprint, data: DataPlan, loss: LossPlan, training: TrainingPlan
) -> Iterator[Decision]:
    """The regularisers of SPLADE rise over the first third of the steps."""
    if loss.regularizers and training.steps < ENOUGH_FOR_RAMP:
        yield _note(
            f"in {training.steps:,} steps the regularisers hardly begin to work: expect thousands of active dimensions",
            "a longer run: training.epochs=… or more rows",
        )


def mega_batches_are_large(
    blueprint: Blueprint, data: DataPlan, loss: LossPlan, training: TrainingPlan
) -> Iterator[Decision]:
    """The hardest negative of a small batch is an easy one."""
    if loss.cls == "MegaBatchMarginLoss" and training.batch_size < MEGA:
        yield _note(
            "this loss mines the hardest negative of its batch, and the batch is small", "training.batch_size=500"
        )


def lists_are_batches_of_pairs(
    blueprint: Blueprint, data: DataPlan, loss: LossPlan, training: TrainingPlan
) -> Iterator[Decision]:
    """A cross-encoder reads all documents of all queries of a batch."""
    if data.shape == "ranked_list" and blueprint.type == "cross_encoder":
        size = loss.arguments.get("mini_batch_size")
        yield _note(
            f"{training.batch_size} lists a step" + (f", {size} pairs at a time" if size else ""),
            "when memory runs out: loss.arguments.mini_batch_size first, then training.batch_size with"
            " training.gradient_accumulation, the length of the lists last",
        )


def teacher_is_another_model(
    blueprint: Blueprint, data: DataPlan, loss: LossPlan, training: TrainingPlan
) -> Iterator[Decision]:
    """A model has nothing to learn from itself, unless the student is made of some of its layers."""
    if data.teacher and blueprint.layers is None and same_weights(data.teacher.base, blueprint.base):
        yield _note(
            "student and teacher have the same weights, so there is little to learn",
            "another teacher.model, or a smaller student: base_model.layers=[0,2,4]",
        )


NOTES: tuple[Note, ...] = (
    accumulation_adds_no_negatives,
    query_regularizer_is_the_larger,
    ramp_needs_steps,
    mega_batches_are_large,
    lists_are_batches_of_pairs,
    teacher_is_another_model,
)
ENOUGH_FOR_RAMP = 300
"""Steps below which a SPLADE model stays dense (docs/decisions.md)."""
MEGA = 250


def _note(what: str, mend: str) -> Decision:
    return Decision("note", what, mend)
