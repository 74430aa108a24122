"""What cannot work, each rule a small function: choices in, problems out. All of them are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from stbench.config.discovery import choices, load
from stbench.config.sentence import Loss, LossForType, Sentence, Shape
from stbench.data.shapes import path, reachable
from stbench.errors import Problem
from stbench.models.base import Base


@dataclass(frozen=True)
class Draft:
    """What is known when the rules are asked: the sentence, the base model's files, the shape of the data."""

    sentence: Sentence
    chosen: dict[str, str]
    base: Base
    shape: Shape
    files: bool
    """Whether test rows come in files of their own."""

    @property
    def loss(self) -> LossForType | None:
        return self.sentence.loss.types.get(self.sentence.model.type)


Rule = Callable[[Draft], Iterator[Problem]]


def problems(draft: Draft) -> list[Problem]:
    """Everything that is wrong with `draft`."""
    return [problem for rule in RULES for problem in rule(draft)]


def loss_has_model_type(draft: Draft) -> Iterator[Problem]:
    """A loss is trained with the model types that its file names."""
    type_ = draft.sentence.model.type
    if draft.loss is None:
        fitting = losses_for(type_, draft.shape)
        yield Problem(
            f"the loss '{draft.chosen['loss']}' does not exist for {type_}",
            f"loss={draft.chosen['loss']} model={type_}",
            f"losses for this model and data: {_named('loss', fitting)}",
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
    wanted = draft.sentence.model.architecture
    if draft.loss is None or wanted is None or draft.loss.architecture == wanted:
        return
    other = [name for name in losses_for("sparse_encoder", draft.shape, wanted)]
    yield Problem(
        f"the loss '{draft.chosen['loss']}' belongs to the {draft.loss.architecture} architecture, the model is {wanted}",
        f"loss={draft.chosen['loss']} model.architecture={wanted}",
        f"model.architecture={draft.loss.architecture}, or {_named('loss', other)}",
    )


def splade_needs_tokens(draft: Draft) -> Iterator[Problem]:
    """SPLADE weighs the vocabulary by a masked-LM head, which decoders do not have."""
    if draft.sentence.model.architecture == "splade" and draft.base.architecture == "decoder":
        yield Problem(
            "a decoder has no masked-LM head", f"base_model={draft.chosen['base_model']} model.architecture=splade",
            "a base with such a head (base_model=bert), or model.architecture=csr loss=reconstruction",
        )  # fmt: skip


def data_reaches_loss(draft: Draft) -> Iterator[Problem]:
    """There must be a way through the graph of conversions from the shape of the data to one the loss takes."""
    if draft.loss is None:
        return
    targets = draft.loss.shapes or draft.sentence.loss.shapes
    mining = draft.sentence.negatives.when in ("needed", "always")
    if path(draft.shape, targets, mining) is not None:
        return
    where = f"loss={draft.chosen['loss']}"
    if not mining and path(draft.shape, targets) is not None:
        yield Problem(f"this loss needs hard negatives, which {draft.shape} data has not", where, "negatives=auto mines them")
        return
    fitting = losses_for(draft.sentence.model.type, draft.shape, draft.sentence.model.architecture)
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


def cached_loss_without_checkpointing(draft: Draft) -> Iterator[Problem]:
    """Both compute activations a second time; together they crash."""
    if draft.loss and draft.loss.cls.startswith("Cached") and draft.sentence.training.gradient_checkpointing:
        yield Problem(
            "cached losses and gradient checkpointing exclude each other", f"loss={draft.chosen['loss']}",
            "training.gradient_checkpointing=false",
        )  # fmt: skip


def length_within_base(draft: Draft) -> Iterator[Problem]:
    """Beyond its position embeddings a model cannot read."""
    wanted = draft.sentence.training.max_seq_length
    if wanted and draft.base.positions and wanted > draft.base.positions:
        yield Problem(
            f"the base model reads at most {draft.base.positions} tokens", f"training.max_seq_length={wanted}",
            f"training.max_seq_length={draft.base.positions}",
        )  # fmt: skip


def mining_window_holds_enough(draft: Draft) -> Iterator[Problem]:
    """The window of ranks must hold as many candidates as negatives are wanted."""
    negatives = draft.sentence.negatives
    room = negatives.range_max - negatives.range_min
    if room < (negatives.num or 1):
        yield Problem(
            f"ranks {negatives.range_min} to {negatives.range_max} hold {max(room, 0)} candidates, fewer than the"
            f" {negatives.num or 1} negatives wanted",
            "negatives.range_max", f"negatives.range_max={negatives.range_min + 10 * (negatives.num or 1)}",
        )  # fmt: skip


def eval_steps_below_end(draft: Draft) -> Iterator[Problem]:
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
    cached_loss_without_checkpointing,
    length_within_base,
    mining_window_holds_enough,
    eval_steps_below_end,
)


def losses_for(type_: str, shape: Shape, architecture: str | None = None) -> list[str]:
    """Names of the losses that `type_` can be trained with on rows of `shape`, conversions included."""
    shapes = reachable(shape)
    found = []
    for name in choices()["loss"]:
        loss = Loss.model_validate(load("loss", name))
        entry = loss.types.get(type_)  # type: ignore[call-overload]
        if entry and shapes & set(entry.shapes or loss.shapes) and architecture in (None, entry.architecture):
            found.append(name)
    return found


def _named(group: str, names: Iterable[str]) -> str:
    return ", ".join(f"{group}={name}" for name in names)
