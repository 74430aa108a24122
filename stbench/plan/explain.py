"""The plan in words: each decision, and what it was derived from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from stbench.config.mixture import at_part
from stbench.config.sentence import Sentence
from stbench.data.roles import Mapped
from stbench.models.blueprint import Blueprint
from stbench.plan.collections import explain_collection
from stbench.plan.decide import Defaults
from stbench.plan.explain_cleaning import explain_cleaning
from stbench.plan.explain_evaluator import explain_evaluator
from stbench.plan.explain_model import explain_model
from stbench.plan.mixture import explain_mixture
from stbench.plan.notes import notes
from stbench.plan.plan import DataPlan, Decision, LossPlan, ModifierPlan, PartPlan, TrainingPlan
from stbench.plan.prompts import explain_prompts
from stbench.plan.sizes import explain_conversions, rows_after
from stbench.plan.spoken import Spoken


def explain(
    sentence: Sentence,
    said: Sequence[Spoken],
    parts: Sequence[PartPlan],
    blueprint: Blueprint,
    training: TrainingPlan,
    defaults: Defaults,
    precision: tuple[str, str, str],
) -> Iterator[Decision]:
    """The lines of the plan, in the order in which the data flows; each part of a mixture under its name."""
    each = list(zip(said, parts, strict=True))
    if len(each) > 1:
        yield from explain_mixture(said, training, [rows_after(part.data) for part in parts])
    for one, part in each:
        yield from _of(part, _data(one.chosen, part.data))
    yield from explain_model(blueprint, sum(part.data.heads["train"].count for part in parts))
    for one, part in each:
        yield from _of(part, explain_prompts(one.sentence, part.prompts, blueprint.base, part.evaluator.kind))
        yield from _of(part, _loss(part.loss, blueprint))
    for one, part in each:
        yield from _of(part, explain_evaluator(one.chosen, part.evaluator, part.data, one.decides))
    yield from _training(sentence, training, defaults)
    mode, why, device = precision
    threads = sentence.hardware.threads
    limited = f", {threads} thread{'s' * (threads != 1)}" if threads else ""
    yield Decision("device", f"{blueprint.device}{limited}", device)
    yield Decision("precision", mode, why)
    for part in parts:
        yield from _of(part, notes(blueprint, part.data, part.loss, training))


def _of(part: PartPlan, decisions: Iterator[Decision]) -> Iterator[Decision]:
    for one in decisions:
        yield replace(one, what=f"{part.name}: {one.what}", why=at_part(one.why, part.name)) if part.name else one


def _data(chosen: Mapping[str, str], data: DataPlan) -> Iterator[Decision]:
    train = data.heads["train"]
    about = "" if train.exact else "about "
    mapped = data.mapped["train"]
    yield from (Decision(note.what, note.value, note.why) for note in data.source.notes)
    yield Decision("data", f"{chosen['dataset']}: {about}{train.count:,} rows", f"shape {mapped.shape}")
    yield from explain_roles(mapped)
    yield Decision("splits", _splits(data), _splits_why(data))
    yield from explain_cleaning(data.cleaning)
    if data.searched is not None:
        yield from explain_collection(data.searched)
    yield from explain_conversions(data)
    if data.miner is not None:
        yield Decision("miner", data.miner.name, "finds hard negatives")


def explain_roles(mapped: Mapped) -> Iterator[Decision]:
    """What was taken for what in the rows."""
    yield Decision(
        "roles", ", ".join(f"{role} = {column}" for role, column in mapped.columns.items()), _roles_why(mapped)
    )
    if mapped.ignored:
        yield Decision("ignored", ", ".join(mapped.ignored), "columns without a role never reach the loss")
    if mapped.classes:
        yield Decision(
            "classes",
            ", ".join(f"{i} = {name}" for i, name in enumerate(mapped.classes)),
            "dataset.classes sets another order",
        )
    if mapped.score_range and (mapped.score_range[1] > 1 or mapped.score_range[0] < 0):
        low, high = mapped.score_range
        yield Decision("scores", f"{low:g} … {high:g} → 0 … 1", "losses and evaluators expect this scale")


def _roles_why(mapped: Mapped) -> str:
    return "recognised by their names; dataset.roles.ROLE=COLUMN says otherwise" if mapped.recognised else "as said"


def _splits(data: DataPlan) -> str:
    given = set(data.heads)
    if "validation" in given and "test" not in given:
        return "train; the validation file is halved into selection and test"
    sizes = {"validation": data.sizes.validation, "test": data.sizes.test}
    words = []
    for name, size in sizes.items():
        shown = f"{int(size):,} rows" if size >= 1 else f"{size:.0%}"
        words.append(f"{name} file ({data.heads[name].count:,} rows)" if name in given else f"{name} {shown} held out")
    return "; ".join(words)


def _splits_why(data: DataPlan) -> str:
    cut = f"; trains on {data.sizes.limit:,} rows (dataset.limit)" if data.sizes.limit else ""
    return "by content hash of the anchor" + cut


def _loss(loss: LossPlan, blueprint: Blueprint) -> Iterator[Decision]:
    arguments = ", ".join(f"{name}={value}" for name, value in loss.arguments.items())
    yield Decision("loss", loss.cls, arguments)
    if loss.wrapper == "CSRLoss":
        yield Decision("wrapper", loss.wrapper, "adds the reconstruction of the pooled vector")
    elif loss.regularizers:
        query, document = loss.regularizers
        why = f"regularisers: query {query:g}, document {document:g}; without it vectors end up dense"
        yield Decision("wrapper", loss.wrapper or "", why)
    if loss.modifier:
        yield Decision("modifier", loss.modifier.cls, _sizes(loss.modifier))
    if loss.guide:
        yield Decision("guide", loss.guide.name, "leaves out in-batch negatives that it finds too similar")
    if "pos_weight" in loss.fills and "pos_weight" not in loss.arguments:
        yield Decision("pos_weight", "negatives / positives of the training rows", "balances binary cross-entropy")
    if loss.sampler != "batch_sampler":
        yield Decision("sampler", *_SAMPLERS[loss.sampler])


_SAMPLERS = {
    "no_duplicates": ("no duplicates in a batch", "a repeated text would be a false negative"),
    "group_by_label": ("several rows of a label in each batch", "triplets are made of them"),
}


def _sizes(modifier: ModifierPlan) -> str:
    dims = f"dimensions {', '.join(map(str, modifier.dims))}" if modifier.dims else ""
    layers = f"layers {', '.join(map(str, modifier.layers))}" if modifier.layers else ""
    return "; ".join(filter(None, (dims, layers))) or "added to the loss"


def _training(sentence: Sentence, training: TrainingPlan, defaults: Defaults) -> Iterator[Decision]:
    yield Decision("learning rate", f"{training.learning_rate:g}", defaults.resolved("learning_rate")[1])
    yield Decision("batch size", str(training.batch_size), defaults.resolved("batch_size")[1])
    if training.by_length:
        yield Decision("rows of a batch", "about equally long", "less padding; training.by_length=false draws them")
    epochs_why = defaults.resolved("epochs")[1]
    if training.max_steps:
        epochs_why = f"training.max_steps={training.max_steps}"
    yield Decision("steps", f"about {training.steps:,} ({training.epochs:g} epochs)", epochs_why)
    every = (
        f"every {training.eval_steps:.0%} of the steps"
        if training.eval_steps < 1
        else f"every {int(training.eval_steps)} steps"
    )
    yield Decision("evaluation", every, defaults.resolved("eval_steps")[1] + "; a checkpoint is kept each time")
    patience = f"after {training.patience} evaluations without a gain" if training.patience else "no"
    yield Decision("early stopping", patience, defaults.resolved("patience")[1])
