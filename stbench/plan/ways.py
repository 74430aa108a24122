"""The ways from the shape of the data to a loss, as a sentence allows them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from pydantic import ValidationError

from stbench.config.discovery import choices, load
from stbench.config.sentence import Loss, LossForType, Sentence, Shape
from stbench.data.shapes import MINER, TAUGHT, Conversion, Means, Must, path


def targets_of(sentence: Sentence, loss: LossForType) -> list[Shape]:
    """Shapes that the loss takes, less those that the choice of negatives rules out."""
    shapes = list(loss.shapes or sentence.loss.shapes)
    if sentence.negatives.when == "always":
        return [shape for shape in shapes if shape != "pair"] or shapes
    return ["pair"] if sentence.negatives.when == "in_batch" and "pair" in shapes else shapes


def means_of(sentence: Sentence) -> frozenset[Means]:
    """The models that a sentence puts at the disposal of conversions."""
    miner = MINER if sentence.negatives.when in ("needed", "always") else frozenset[Means]()
    teacher = sentence.teacher.kind
    return miner if teacher == "none" else miner | {teacher}


def must_ask(loss: Loss, shape: Shape) -> list[Must]:
    """Labels made into scores are nothing that a teacher said."""
    return ["ask"] if loss.taught and shape not in TAUGHT else []


def steps_to(sentence: Sentence, loss: LossForType, shape: Shape) -> list[Conversion] | None:
    """The conversions from rows of `shape` to the loss, by way of what was asked for; None where there is none."""
    must: list[Must] = ["mine"] if sentence.negatives.when == "always" else []
    must += ["ask"] if sentence.teacher.kind != "none" else must_ask(sentence.loss, shape)
    targets, means = targets_of(sentence, loss), means_of(sentence)
    steps = path(shape, targets, means, must)
    # Where a loss takes several negatives a row, mining gives it all of them at once.
    if steps and steps[-1].mines and steps[-1].target == "triplet" and "n_tuple" in targets:
        return path(shape, ["n_tuple"], means, must) or steps
    return steps


def entry_for(sentence: Sentence, architecture: str, base: str, shape: Shape) -> LossForType | None:
    """What the loss says for this model: of several entries the one that the data feeds at the least cost."""
    fits = entries_for(sentence.loss, sentence.model.type, architecture, base)
    ways = [(steps_to(sentence, entry, shape), entry) for entry in fits]
    fed = [(sum(step.cost for step in steps), index) for index, (steps, _) in enumerate(ways) if steps is not None]
    return fits[min(fed)[1] if fed else 0] if fits else None


def entries_for(loss: Loss, type_: str, architecture: str, base: str) -> list[LossForType]:
    """Entries of a loss that fit the model; only sparse encoders have a choice of architecture."""
    entries = loss.types.get(type_, [])  # type: ignore[call-overload]
    return [
        entry
        for entry in entries
        if base in entry.base and (type_ != "sparse_encoder" or entry.architecture in ("any", architecture))
    ]


def losses_for(
    type_: str, shape: Shape, architecture: str = "splade", base: str = "encoder", means: Collection[Means] = MINER
) -> list[str]:
    """Names of the losses that `type_` can be trained with on rows of `shape`, conversions included."""
    found = []
    for name in choices()["loss"]:
        with suppress(ValidationError):  # somebody's own file may be unfinished, and is no offer then
            loss = Loss.model_validate(load("loss", name))
            entries = entries_for(loss, type_, architecture, base)
            shapes = {target for entry in entries for target in entry.shapes or loss.shapes}
            if path(shape, shapes, means, must_ask(loss, shape)) is not None:
                found.append(name)
    return sorted(found, key=lambda name: (name[0].isupper(), name))
