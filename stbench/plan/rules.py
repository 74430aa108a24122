"""What cannot work, each rule a small function: choices in, problems out. All of them are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from stbench.config.discovery import choices, load
from stbench.config.sentence import Loss, LossForType, Regularizers, Sentence, Shape
from stbench.data.shapes import path, reachable
from stbench.errors import Problem
from stbench.models.base import Base
from stbench.plan.decide import sparse_architecture
from stbench.plan.model_rules import MODEL_RULES


@dataclass(frozen=True)
class Draft:
    """What is known when the rules are asked: the sentence, the base model's files, the shape of the data."""

    sentence: Sentence
    chosen: dict[str, str]
    base: Base
    shape: Shape
    """Shape of the training rows as they come."""

    @property
    def architecture(self) -> str:
        return sparse_architecture(self.sentence.model, self.base)

    @property
    def loss(self) -> LossForType | None:
        """The loss's entry for this model type and, of a sparse encoder, its architecture."""
        return entry_for(self.sentence.loss, self.sentence.model.type, self.architecture)


Rule = Callable[[Draft], Iterator[Problem]]


def problems(draft: Draft) -> list[Problem]:
    """Everything that is wrong with `draft`."""
    return [problem for rule in RULES for problem in rule(draft)]


def loss_has_model_type(draft: Draft) -> Iterator[Problem]:
    """A loss is trained with the model types that its file names."""
    type_ = draft.sentence.model.type
    if type_ not in draft.sentence.loss.types:
        fitting = losses_for(type_, draft.shape, draft.architecture)
        yield Problem(
            f"the loss '{draft.chosen['loss']}' does not exist for {type_}",
            f"loss={draft.chosen['loss']} model={type_}",
            f"losses for this model and data: {_named('loss', fitting) or 'none'}",
        )


def base_fits_model_type(draft: Draft) -> Iterator[Problem]:
    """Only a bi-encoder can be made of static embeddings: the other types read tokens in context."""
    type_ = draft.sentence.model.type
    if draft.base.architecture == "static" and type_ != "sentence_transformer":
        yield Problem(
            f"static embeddings cannot become a {type_}", f"base_model={draft.chosen['base_model']} model={type_}",
            "base_model=minilm, or model=sentence_transformer",
        )  # fmt: skip


def sparse_architecture_agrees(draft: Draft) -> Iterator[Problem]:
    """The SPLADE loss ruins an auto-encoder, and the auto-encoder's loss has nothing to rebuild in SPLADE."""
    entries = draft.sentence.loss.types.get(draft.sentence.model.type)
    if not entries or draft.loss is not None:
        return
    (belongs,) = {entry.architecture for entry in entries}
    other = losses_for("sparse_encoder", draft.shape, draft.architecture)
    why = "" if draft.sentence.model.architecture == draft.architecture else ", since the base has no masked-LM head"
    yield Problem(
        f"the loss '{draft.chosen['loss']}' belongs to the {belongs} architecture, the model is {draft.architecture}{why}",
        f"loss={draft.chosen['loss']} model.architecture={draft.sentence.model.architecture}",
        f"{_named('loss', other)}, or model.architecture={belongs}",
    )


def splade_needs_tokens(draft: Draft) -> Iterator[Problem]:
    """SPLADE weighs the vocabulary by a masked-LM head, which decoders do not have."""
    if draft.sentence.model.architecture == "splade" and draft.base.architecture == "decoder":
        yield Problem(
            "a decoder has no masked-LM head", f"base_model={draft.chosen['base_model']} model.architecture=splade",
            "a base with such a head (base_model=bert), or model.architecture=csr",
        )  # fmt: skip


def data_reaches_loss(draft: Draft) -> Iterator[Problem]:
    """There must be a way through the graph of conversions from the shape of the data to one the loss takes."""
    if draft.loss is None:
        return
    targets = targets_of(draft.sentence, draft.loss)
    mining = draft.sentence.negatives.when in ("needed", "always")
    if path(draft.shape, targets, mining) is not None:
        return
    where = f"loss={draft.chosen['loss']}"
    if not mining and path(draft.shape, targets) is not None:
        yield Problem(
            f"this loss needs hard negatives, which {draft.shape} data has not", where, "negatives=auto mines them"
        )
        return
    fitting = losses_for(draft.sentence.model.type, draft.shape, draft.architecture)
    yield Problem(
        f"it needs rows of shape {' or '.join(targets)}, the data is {draft.shape}, and no conversion leads there",
        where,
        f"losses that this data can feed: {_named('loss', fitting) or 'none for this model type'}",
    )


def in_batch_needs_such_a_loss(draft: Draft) -> Iterator[Problem]:
    if draft.sentence.negatives.when == "in_batch" and not draft.sentence.loss.in_batch_negatives:
        yield Problem(
            f"the loss '{draft.chosen['loss']}' uses no in-batch negatives", "negatives=in_batch",
            "loss=contrastive, or negatives=auto",
        )  # fmt: skip


def mined_where_said(draft: Draft) -> Iterator[Problem]:
    """Negatives that were asked for and then not mined would leave their author in the belief that they were."""
    if draft.loss is None:
        return
    negatives = draft.sentence.negatives
    steps = path(draft.shape, targets_of(draft.sentence, draft.loss), negatives.when in ("needed", "always"))
    if steps is None or any(step.mines for step in steps):
        return
    if negatives.when == "always":
        what = f"the loss '{draft.chosen['loss']}' takes {draft.shape} rows as they are, so nothing is mined"
        yield Problem(what, "negatives=mined", "negatives=auto, or another loss")
    elif negatives.num is not None:
        yield Problem("nothing is mined here", f"negatives.num={negatives.num}", "negatives=mined, or leave it out")


def regularizers_have_a_loss(draft: Draft) -> Iterator[Problem]:
    """Only sparse losses have the SPLADE regularisers."""
    if draft.loss and not draft.loss.regularized and draft.sentence.loss.regularizers != Regularizers():
        yield Problem(
            f"{draft.loss.cls} has no regularisers", "loss.regularizers", "model=sparse_encoder, or leave them out"
        )


def revision_is_of_the_hub(draft: Draft) -> Iterator[Problem]:
    """Weights on disk are what they are."""
    revision = draft.sentence.base_model.revision
    if revision and draft.base.local:
        yield Problem(
            f"the weights come from {draft.base.location}, which has no revisions", f"base_model.revision={revision}",
            "leave it out, or name a Hub id: base_model=OWNER/NAME",
        )  # fmt: skip


def cached_loss_without_checkpointing(draft: Draft) -> Iterator[Problem]:
    """Both compute activations a second time; together they crash."""
    if draft.loss and draft.loss.cls.startswith("Cached") and draft.sentence.training.gradient_checkpointing:
        yield Problem(
            "cached losses and gradient checkpointing exclude each other", f"loss={draft.chosen['loss']}",
            "training.gradient_checkpointing=false",
        )  # fmt: skip


def length_within_base(draft: Draft) -> Iterator[Problem]:
    """Beyond its position embeddings a model cannot read; static embeddings read everything."""
    asked = draft.sentence.training.max_seq_length
    option = "training.max_seq_length" if asked else "base_model.max_seq_length"
    wanted = asked or draft.sentence.base_model.max_seq_length
    if wanted and draft.base.architecture == "static":
        yield Problem("static embeddings read texts of any length", f"{option}={wanted}", "leave it out")
    elif wanted and draft.base.positions and wanted > draft.base.positions:
        yield Problem(
            f"the base model reads at most {draft.base.positions} tokens", f"{option}={wanted}",
            f"{option}={draft.base.positions}",
        )  # fmt: skip


def mining_window_holds_enough(draft: Draft) -> Iterator[Problem]:
    """The window of ranks must hold as many candidates as negatives are wanted."""
    negatives = draft.sentence.negatives
    wanted = negatives.num or draft.sentence.loss.suggests.num_negatives or 1
    room = negatives.range_max - negatives.range_min
    if room < wanted:
        yield Problem(
            f"ranks {negatives.range_min} to {negatives.range_max} hold {max(room, 0)} candidates, fewer than the"
            f" {wanted} negatives wanted",
            "negatives.range_max", f"negatives.range_max={negatives.range_min + 10 * wanted}",
        )  # fmt: skip


def eval_steps_are_whole(draft: Draft) -> Iterator[Problem]:
    """From 1 upwards it counts steps, below 1 it is a share of them; 2.5 is neither."""
    steps = draft.sentence.training.eval_steps
    if steps is not None and steps > 1 and steps != int(steps):
        yield Problem(
            "steps between evaluations are a whole number, or a share below 1", f"training.eval_steps={steps}",
            f"training.eval_steps={int(steps)}",
        )  # fmt: skip


RULES: tuple[Rule, ...] = (
    loss_has_model_type,
    base_fits_model_type,
    sparse_architecture_agrees,
    splade_needs_tokens,
    data_reaches_loss,
    in_batch_needs_such_a_loss,
    mined_where_said,
    regularizers_have_a_loss,
    revision_is_of_the_hub,
    cached_loss_without_checkpointing,
    length_within_base,
    mining_window_holds_enough,
    eval_steps_are_whole,
    *MODEL_RULES,
)


def targets_of(sentence: Sentence, loss: LossForType) -> list[Shape]:
    """Shapes that the loss takes, less those that the choice of negatives rules out."""
    shapes = list(loss.shapes or sentence.loss.shapes)
    if sentence.negatives.when == "always":
        return [shape for shape in shapes if shape != "pair"] or shapes
    return ["pair"] if sentence.negatives.when == "in_batch" and "pair" in shapes else shapes


def entry_for(loss: Loss, type_: str, architecture: str) -> LossForType | None:
    """What the loss says for this model type; only sparse encoders have a choice of architecture."""
    entries = loss.types.get(type_, [])  # type: ignore[call-overload]
    fits = (entry for entry in entries if type_ != "sparse_encoder" or entry.architecture == architecture)
    return next(fits, None)


def losses_for(type_: str, shape: Shape, architecture: str = "splade") -> list[str]:
    """Names of the losses that `type_` can be trained with on rows of `shape`, conversions included."""
    shapes = reachable(shape)
    found = []
    for name in choices()["loss"]:
        with suppress(ValidationError):  # somebody's own file may be unfinished, and is no offer then
            loss = Loss.model_validate(load("loss", name))
            entry = entry_for(loss, type_, architecture)
            if entry and shapes & set(entry.shapes or loss.shapes):
                found.append(name)
    return found


def _named(group: str, names: Iterable[str]) -> str:
    return ", ".join(f"{group}={name}" for name in names)
