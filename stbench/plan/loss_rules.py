"""Rules about the loss: which model it trains, and what it is given besides rows."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.config.sentence import Regularizers
from stbench.errors import Problem
from stbench.plan.draft import Draft, Rule, fitting, named


def loss_has_model_type(draft: Draft) -> Iterator[Problem]:
    """A loss is trained with the model types that its file names."""
    type_ = draft.sentence.model.type
    if type_ not in draft.sentence.loss.types:
        able = fitting(draft)
        yield Problem(
            f"the loss '{draft.chosen['loss']}' does not exist for {type_}",
            f"loss={draft.chosen['loss']} model={type_}",
            f"losses for this model and data: {named('loss', able) or 'none'}",
        )


def sparse_architecture_agrees(draft: Draft) -> Iterator[Problem]:
    """Some losses need the masked-LM head of SPLADE, others the auto-encoder of CSR."""
    entries = draft.sentence.loss.types.get(draft.sentence.model.type, [])
    belong = {entry.architecture for entry in entries}
    if draft.sentence.model.type != "sparse_encoder" or not entries or belong & {"any", draft.architecture}:
        return
    why = "" if draft.sentence.model.architecture == draft.architecture else ", since the base has no masked-LM head"
    belongs = " or ".join(sorted(belong))
    yield Problem(
        f"the loss '{draft.chosen['loss']}' belongs to the {belongs} architecture, the model is {draft.architecture}{why}",
        f"loss={draft.chosen['loss']} model.architecture={draft.sentence.model.architecture}",
        f"{named('loss', fitting(draft))}, or {_ARCHITECTURES.get(belongs, '')}",
    )


_ARCHITECTURES = {
    "splade": "a base with a masked-LM head (base_model=bert) for model.architecture=splade",
    "csr": "model.architecture=csr",
}


def loss_fits_base(draft: Draft) -> Iterator[Problem]:
    """Some losses need attention masks, a decoder of the same kind, or a tokenizer that static embeddings have not."""
    loss, kind = draft.sentence.loss, draft.base.architecture
    entries = loss.types.get(draft.sentence.model.type, [])
    if not entries or any(kind in entry.base for entry in entries):
        return
    fit = sorted({base for entry in entries for base in entry.base})
    example = {"encoder": "base_model=minilm", "decoder": "base_model=path base_model.path=DIR_OR_ID"}
    yield Problem(
        f"the loss '{draft.chosen['loss']}' cannot train {_KINDS[kind]}",
        f"loss={draft.chosen['loss']} base_model={draft.chosen['base_model']}",
        f"{' or '.join(example[name] for name in fit[-1:])}, or {named('loss', fitting(draft))}",
    )


_KINDS = {"static": "static embeddings", "encoder": "an encoder", "decoder": "a decoder"}


def several_classes(draft: Draft) -> Iterator[Problem]:
    """A classifier of one class has nothing to learn, nor have triplets of one label."""
    if draft.loss is None or draft.classes >= 2:
        return
    groups = draft.sampler == "group_by_label" and draft.shape == "labeled_text"
    if groups or draft.loss.num_labels == "classes" or "num_labels" in draft.loss.fills:
        yield Problem(
            f"the first rows hold {draft.classes} class(es), and this loss tells classes apart",
            f"loss={draft.chosen['loss']}", "dataset.roles.label=COLUMN names the column that holds them",
        )  # fmt: skip


def in_batch_needs_such_a_loss(draft: Draft) -> Iterator[Problem]:
    if draft.sentence.negatives.when == "in_batch" and draft.loss and draft.sampler != "no_duplicates":
        yield Problem(
            f"the loss '{draft.chosen['loss']}' uses no in-batch negatives", "negatives=in_batch",
            "loss=contrastive, or negatives=auto",
        )  # fmt: skip


def guide_is_used(draft: Draft) -> Iterator[Problem]:
    """A guide reads the same token ids as the student or decodes them, so both need a tokenizer of transformers."""
    if draft.loss is None:
        return
    guide, chosen = draft.sentence.loss.guide, draft.chosen["loss"]
    if "guide" not in draft.loss.fills:
        if guide:
            mend = "loss=GISTEmbedLoss, or leave it out"
            yield Problem(f"the loss '{chosen}' asks no guide", f"loss.guide={guide}", mend)
    elif guide is None:
        yield Problem(f"the loss '{chosen}' needs a guide model", "loss.guide", "loss.guide=minilm")
    elif guide == "wordllama":
        yield Problem(
            "static embeddings have no tokenizer that a guide needs", f"loss.guide={guide}", "loss.guide=minilm"
        )


def modifier_fits(draft: Draft) -> Iterator[Problem]:
    """The library's modifiers cut dense vectors of bi-encoders; layers can only be cut where there are some."""
    modifier, type_ = draft.sentence.modifier, draft.sentence.model.type
    name = f"modifier={draft.chosen['modifier']}"
    if modifier.cls is None:
        if modifier.dims or modifier.weights or modifier.arguments:
            yield Problem("there is no modifier to take this", "modifier.dims", "modifier=matryoshka")
    elif type_ != "sentence_transformer":
        yield Problem(f"it shapes the vectors of a bi-encoder, not a {type_}", name, "model=sentence_transformer")
    elif modifier.layers and draft.base.architecture == "static":
        yield Problem("static embeddings have no layers to cut", name, "modifier=matryoshka, or base_model=minilm")
    elif draft.loss and draft.loss.cls in _UNMODIFIABLE:
        yield Problem(
            f"{draft.loss.cls} cannot be wrapped: it computes more than the vectors", f"{name} loss={draft.chosen['loss']}",
            "modifier=none, or loss=contrastive",
        )  # fmt: skip
    elif draft.loss and draft.loss.cached and modifier.layers:
        yield Problem(
            "a cached loss runs the model twice, and the layers of one step must be those of the other",
            f"{name} loss={draft.chosen['loss']}", "loss=contrastive, or modifier=matryoshka",
        )  # fmt: skip


_UNMODIFIABLE = ("DenoisingAutoEncoderLoss", "ContrastiveTensionLoss", "ContrastiveTensionLossInBatchNegatives", "SoftmaxLoss")  # fmt: skip


def dims_within_model(draft: Draft) -> Iterator[Problem]:
    """A vector cannot be cut to more dimensions than it has, nor twice to the same."""
    dims, most = draft.sentence.modifier.dims, draft.dimensions
    if not dims or not draft.sentence.modifier.cls:
        return
    good = sorted({dim for dim in dims if 0 < dim <= most} | {most}, reverse=True)
    if max(dims) > most or min(dims) < 1 or len(set(dims)) < len(dims):
        yield Problem(
            f"the model has {most} dimensions", f"modifier.dims={dims}",
            f"modifier.dims=[{','.join(map(str, good))}]",
        )  # fmt: skip
    elif draft.sentence.modifier.weights and len(draft.sentence.modifier.weights) != len(dims):
        ones = ",".join("1" for _ in dims)
        yield Problem(f"there are {len(dims)} dimensions", "modifier.weights", f"modifier.weights=[{ones}]")


def regularizers_have_a_loss(draft: Draft) -> Iterator[Problem]:
    """Only SPLADE has the regularisers."""
    splade = draft.sentence.model.type == "sparse_encoder" and draft.architecture == "splade"
    if draft.loss and not splade and draft.sentence.loss.regularizers != Regularizers():
        yield Problem(
            f"{draft.loss.cls} has no regularisers",
            "loss.regularizers",
            "leave them out, or model=sparse_encoder with a base that has a masked-LM head",
        )


LOSS_RULES: tuple[Rule, ...] = (
    loss_has_model_type,
    sparse_architecture_agrees,
    loss_fits_base,
    several_classes,
    in_batch_needs_such_a_loss,
    guide_is_used,
    modifier_fits,
    dims_within_model,
    regularizers_have_a_loss,
)
