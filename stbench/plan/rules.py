"""What cannot work, each rule a small function: choices in, problems out. All of them are reported at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from stbench.config.discovery import choices, load
from stbench.config.sentence import Loss, LossForType, Negatives, Regularizers, Sentence, Shape
from stbench.data.shapes import MINER, TEACHERS, Conversion, Means, Must, path, reachable
from stbench.errors import Problem
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint
from stbench.plan.decide import sparse_architecture
from stbench.plan.model_rules import MODEL_RULES
from stbench.training.own_arguments import said_twice


@dataclass(frozen=True)
class Draft:
    """What is known when the rules are asked: the sentence, the base model's files, the shape of the data."""

    sentence: Sentence
    chosen: dict[str, str]
    base: Base
    shape: Shape
    """Shape of the training rows as they come."""
    classes: int = 2
    """How many classes the labels have, where they have classes."""

    @property
    def architecture(self) -> str:
        return sparse_architecture(self.sentence.model, self.base)

    @property
    def steps(self) -> list[Conversion] | None:
        """Conversions from the data to the loss; None where there is no way."""
        return steps_to(self.sentence, self.loss, self.shape) if self.loss else None

    def reaches(self, means: Collection[Means]) -> bool:
        """Whether the data can be brought to the loss with these models at hand."""
        return self.loss is not None and path(self.shape, targets_of(self.sentence, self.loss), means) is not None

    @property
    def sampler(self) -> str:
        return (self.loss.sampler if self.loss else None) or self.sentence.loss.sampler

    @property
    def dimensions(self) -> int:
        """Of the vectors."""
        base_model = self.sentence.base_model
        return base_model.projection or Blueprint(self.sentence.model.type, self.base, "cpu").width

    @property
    def means(self) -> frozenset[Means]:
        """Models at hand for conversions."""
        return means_of(self.sentence)

    @property
    def loss(self) -> LossForType | None:
        """The loss's entry for this model type, architecture and data."""
        return entry_for(self.sentence, self.architecture, self.base.architecture, self.shape)


Rule = Callable[[Draft], Iterator[Problem]]


def problems(draft: Draft) -> list[Problem]:
    """Everything that is wrong with `draft`."""
    return [problem for rule in RULES for problem in rule(draft)]


def loss_has_model_type(draft: Draft) -> Iterator[Problem]:
    """A loss is trained with the model types that its file names."""
    type_ = draft.sentence.model.type
    if type_ not in draft.sentence.loss.types:
        fitting = _fitting(draft)
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
        f"{_named('loss', _fitting(draft))}, or {_ARCHITECTURES.get(belongs, '')}",
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
        f"{' or '.join(example[name] for name in fit[-1:])}, or {_named('loss', _fitting(draft))}",
    )


_KINDS = {"static": "static embeddings", "encoder": "an encoder", "decoder": "a decoder"}


def splade_needs_its_head(draft: Draft) -> Iterator[Problem]:
    """SPLADE weighs the vocabulary by a trained masked-LM head; a new one knows no word of it."""
    if draft.sentence.model.architecture != "splade" or draft.base.mlm_head or "SpladePooling" in draft.base.modules:
        return
    what = "a decoder has no masked-LM head" if draft.base.architecture == "decoder" else "it has no masked-LM head"
    yield Problem(
        what, f"base_model={draft.chosen['base_model']} model.architecture=splade",
        "a base with such a head (base_model=bert), or model.architecture=csr",
    )  # fmt: skip


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


def in_batch_needs_a_batch(draft: Draft) -> Iterator[Problem]:
    """In a batch of one nothing is a negative."""
    if draft.loss and draft.sampler == "no_duplicates" and draft.sentence.training.batch_size == 1:
        yield Problem(
            "a batch of one row holds no in-batch negatives", "training.batch_size=1", "training.batch_size=32"
        )


def data_reaches_loss(draft: Draft) -> Iterator[Problem]:
    """There must be a way through the graph of conversions from the shape of the data to one the loss takes."""
    if draft.loss is None or draft.reaches(draft.means):
        return
    targets, where = targets_of(draft.sentence, draft.loss), f"loss={draft.chosen['loss']}"
    if draft.reaches(draft.means | MINER):
        what = f"this loss needs hard negatives, which {draft.shape} data has not"
        yield Problem(what, where, "negatives=auto mines them")
    elif able := [name for name in TEACHERS if draft.reaches({name, *MINER})]:
        mends = " or ".join(f"teacher={name} teacher.model=DIR_OR_ID" for name in able)
        what = f"this loss learns from a teacher, and {draft.shape} data holds nothing of one"
        yield Problem(what, where, mends)
    else:
        yield Problem(
            f"it needs rows of shape {' or '.join(targets)}, the data is {draft.shape}, and no conversion leads there",
            where,
            f"losses that this data can feed: {_named('loss', _fitting(draft)) or 'none for this model type'}",
        )


def teacher_is_asked(draft: Draft) -> Iterator[Problem]:
    """A teacher that was named and then not asked would leave its author in the belief that it was."""
    kind, targets = draft.sentence.teacher.kind, targets_of(draft.sentence, draft.loss) if draft.loss else []
    if kind == "none" and draft.sentence.teacher.model:
        yield Problem("there is no teacher to take it", "teacher.model", "teacher=cross_encoder or teacher=bi_encoder")
    elif kind != "none" and draft.reaches(draft.means) and path(draft.shape, targets, draft.means, ["ask"]) is None:
        yield Problem(
            f"the loss '{draft.chosen['loss']}' learns nothing from a {kind} teacher with {draft.shape} data",
            f"teacher={kind}", "loss=distillation, or teacher=none",
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


def in_batch_needs_such_a_loss(draft: Draft) -> Iterator[Problem]:
    if draft.sentence.negatives.when == "in_batch" and draft.loss and draft.sampler != "no_duplicates":
        yield Problem(
            f"the loss '{draft.chosen['loss']}' uses no in-batch negatives", "negatives=in_batch",
            "loss=contrastive, or negatives=auto",
        )  # fmt: skip


def mined_where_said(draft: Draft) -> Iterator[Problem]:
    """Negatives that were asked for and then not mined would leave their author in the belief that they were."""
    if draft.loss is None or not draft.reaches(draft.means):
        return
    negatives, targets = draft.sentence.negatives, targets_of(draft.sentence, draft.loss)
    if negatives.when == "always" and path(draft.shape, targets, draft.means, ["mine"]) is None:
        what = f"the loss '{draft.chosen['loss']}' takes {draft.shape} rows as they are, so nothing is mined"
        yield Problem(what, "negatives=mined", "negatives=auto, or another loss")
    elif not any(step.mines for step in draft.steps or ()):
        for option in ("num", "rescore", "corpus"):
            if (said := getattr(negatives, option)) is not None:
                yield Problem("nothing is mined here", f"negatives.{option}={said}", "negatives=mined, or leave it out")


def regularizers_have_a_loss(draft: Draft) -> Iterator[Problem]:
    """Only SPLADE has the regularisers."""
    splade = draft.sentence.model.type == "sparse_encoder" and draft.architecture == "splade"
    if draft.loss and not splade and draft.sentence.loss.regularizers != Regularizers():
        yield Problem(
            f"{draft.loss.cls} has no regularisers",
            "loss.regularizers",
            "leave them out, or model=sparse_encoder with a base that has a masked-LM head",
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
    if draft.loss and draft.loss.cached and draft.sentence.training.gradient_checkpointing:
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
    yield from window_holds(negatives, negatives.num or draft.sentence.loss.suggests.num_negatives or 1)


def window_holds(negatives: Negatives, wanted: int) -> Iterator[Problem]:
    """What keeps the window from holding `wanted` candidates."""
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


def extra_has_no_option_of_its_own(draft: Draft) -> Iterator[Problem]:
    """Of two values for one argument one would be ignored."""
    yield from said_twice(draft.sentence.training.extra)


RULES: tuple[Rule, ...] = (
    extra_has_no_option_of_its_own,
    loss_has_model_type,
    base_fits_model_type,
    sparse_architecture_agrees,
    loss_fits_base,
    splade_needs_its_head,
    several_classes,
    in_batch_needs_a_batch,
    data_reaches_loss,
    teacher_is_asked,
    guide_is_used,
    modifier_fits,
    dims_within_model,
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


def means_of(sentence: Sentence) -> frozenset[Means]:
    """The models that a sentence puts at the disposal of conversions."""
    miner = MINER if sentence.negatives.when in ("needed", "always") else frozenset[Means]()
    teacher = sentence.teacher.kind
    return miner if teacher == "none" else miner | {teacher}


def steps_to(sentence: Sentence, loss: LossForType, shape: Shape) -> list[Conversion] | None:
    """The conversions from rows of `shape` to the loss, by way of what was asked for; None where there is none."""
    must: list[Must] = ["mine"] if sentence.negatives.when == "always" else []
    must += ["ask"] if sentence.teacher.kind != "none" else []
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
    shapes = reachable(shape, means)
    found = []
    for name in choices()["loss"]:
        with suppress(ValidationError):  # somebody's own file may be unfinished, and is no offer then
            loss = Loss.model_validate(load("loss", name))
            entries = entries_for(loss, type_, architecture, base)
            if any(shapes & set(entry.shapes or loss.shapes) for entry in entries):
                found.append(name)
    return sorted(found, key=lambda name: (name[0].isupper(), name))


def _fitting(draft: Draft) -> list[str]:
    type_ = draft.sentence.model.type
    return losses_for(type_, draft.shape, draft.architecture, draft.base.architecture, draft.means | MINER)


def _named(group: str, names: Iterable[str]) -> str:
    """Families before single losses, and not more than a reader can take in."""
    offers = [f"{group}={name}" for name in names]
    return ", ".join(offers[:OFFERED]) + (f" … ({len(offers)} in all)" if len(offers) > OFFERED else "")


OFFERED = 8
"""Names in one offer."""
