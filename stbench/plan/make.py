"""From a checked sentence and a look at the data to a plan, or to a refusal that says what mends it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from stbench.audit.cleaning import Cleaning
from stbench.cache import Store
from stbench.config.sentence import Adapter, LossForType, Modifier, Sentence
from stbench.data.corpus import Corpus, corpus_of, find_corpus
from stbench.data.mining import MiningSettings
from stbench.data.roles import Mapped
from stbench.data.searched import Searched
from stbench.data.splits import Sizes
from stbench.errors import Refused
from stbench.models.base import Base
from stbench.models.blueprint import AdapterChoice, Blueprint
from stbench.models.choose import base_of, named_base
from stbench.plan import estimate, versions
from stbench.plan.collections import searched
from stbench.plan.decide import Defaults, sparse_architecture
from stbench.plan.explain import explain
from stbench.plan.hardware import choose_device, choose_precision
from stbench.plan.helpers import helper, teacher_plan
from stbench.plan.look import Look, look
from stbench.plan.mixture import batches, problems_of
from stbench.plan.plan import DataPlan, LossPlan, ModifierPlan, PartPlan, Plan, TrainingPlan
from stbench.plan.prompts import prompts_of
from stbench.plan.sizes import rows_after
from stbench.plan.spoken import spoken
from stbench.plan.ways import steps_to


def make_plan(sentence: Sentence, chosen: Mapping[str, str], run: str, store: Store) -> Plan:
    """The plan of `sentence`; reads model files and the head of the data, loads nothing heavy.

    Raises `Refused` with everything that cannot work.
    """
    if wrong := versions.found_here():
        raise Refused(*wrong)
    base = base_of(chosen["base_model"], sentence.base_model)
    looks = look(spoken(sentence, chosen), base, store)
    device, device_problem = choose_device(sentence.hardware)
    precision, why, precision_problem = choose_precision(sentence.precision, device, base.architecture == "static")
    if found := [*problems_of(looks), *filter(None, (device_problem, precision_problem))]:
        raise Refused(*found)

    lead = next(one for one in looks if one.said.decides)
    defaults = Defaults(lead.sentence, base, lead.loss)
    labels = len(lead.mapped["train"].classes) if lead.loss.num_labels == "classes" else lead.loss.num_labels
    blueprint = blueprint_of(
        lead.sentence, defaults, device.device, labels or 1, lead.loss.activation or "identity",
        next(filter(None, (one.loss.similarity for one in looks)), None),
    )  # fmt: skip
    parts = [_part(one, blueprint, chosen["modifier"], store) for one in looks]
    deciding = parts[looks.index(lead)]
    by_length = _by_length(sentence, base, parts)
    training = _training(sentence, defaults, deciding.loss, [rows_after(part.data) for part in parts], by_length)
    memory = max(estimate.memory_bytes(base, blueprint, training, part.data.shape, precision) for part in parts)
    disk = estimate.disk_bytes(blueprint)
    decisions = explain(
        sentence, [one.said for one in looks], parts, blueprint, training, defaults, (precision, why, device.name)
    )
    return Plan(
        run, blueprint, deciding.data, deciding.loss, deciding.evaluator, training, precision, sentence.seed, memory, disk,
        tuple(decisions), deciding.name, tuple(parts) if len(parts) > 1 else (), sentence.hardware.threads,
    )  # fmt: skip


def _part(look: Look, blueprint: Blueprint, modifier: str, store: Store) -> PartPlan:
    """Data, loss and evaluator of one data set."""
    sentence = look.sentence
    with look.said.telling():
        return PartPlan(
            look.said.name,
            _data(look, Defaults(sentence, blueprint.base), store),
            replace(_loss(sentence, look.loss, blueprint, modifier), option=look.said.loss_option),
            look.judge,
            prompts_of(sentence, blueprint.base),
        )


def _data(look: Look, defaults: Defaults, store: Store) -> DataPlan:
    sentence, shape = look.sentence, look.draft.shape
    steps = steps_to(sentence, look.loss, shape) or []
    mines = any(step.mines for step in steps)
    chosen, training = sentence.negatives, sentence.training
    target = steps[-1].target if steps else shape
    found = searched(sentence, look.source, store)
    return DataPlan(
        source=look.source, heads=look.heads, mapped=look.mapped,
        sizes=Sizes(
            sentence.dataset.validation_size, sentence.dataset.test_size, sentence.dataset.limit, training.rows,
            training.evaluation_rows,
        ),
        steps=tuple(steps), shape=target,
        mining=MiningSettings(
            defaults.num_negatives(target), chosen.range_min, chosen.range_max, chosen.sampling,
            chosen.relative_margin, chosen.max_score, sentence.seed, chosen.absolute_margin, chosen.min_score,
            chosen.fill, chosen.max_seq_length, chosen.near_positives,
        ) if mines else None,
        miner=helper(chosen.miner, "negatives.miner") if mines else None,
        rescorer=helper(chosen.rescore, "negatives.rescore") if mines and chosen.rescore else None,
        corpus=corpus_for(sentence, look.mapped["train"], found, store) if mines else None,
        searched=found,
        seed=sentence.seed,
        teacher=teacher_plan(sentence, defaults.base)
        if look.judge.asks_teacher or any(step.asks_teacher for step in steps)
        else None,
        cleaning=Cleaning(
            sentence.dataset.leaks, sentence.dataset.duplicates, sentence.dataset.contradictions,
            sentence.negatives.near_positives, look.judge.kind,
        ),
    )  # fmt: skip


def corpus_for(sentence: Sentence, train: Mapped, searched: Searched | None, store: Store) -> Corpus | None:
    """Documents to mine from beside those of the training rows: as said, else those of the data's own collection."""
    said = sentence.negatives.corpus
    if said:
        return find_corpus(said, train.columns.get("positive"), store)
    # A collection that only judges is another one than the data's.
    own = searched is not None and "train" in searched.files.qrels
    return corpus_of(searched.files, searched.pairs.documents) if searched and own and said is None else None


def blueprint_of(
    sentence: Sentence,
    defaults: Defaults,
    device: str,
    labels: int,
    activation: Literal["identity", "sigmoid"],
    similarity: Literal["cosine", "dot"] | None = None,
) -> Blueprint:
    """What is built of the base model; `labels` and `activation` are those of a cross-encoder."""
    base, choice = defaults.base, sentence.base_model
    return Blueprint(
        type=sentence.model.type, base=base, device=device, max_seq_length=defaults.max_seq_length,
        pooling=defaults.pooling, num_labels=labels, activation=activation,
        architecture=sparse_architecture(sentence.model, base), embedding_dim=sentence.model.embedding_dim,
        normalize=choice.normalize, projection=choice.projection, similarity=similarity,
        layers=tuple(choice.layers) if choice.layers else None, adapter=_adapter(sentence.adapter),
        prompts=prompts_of(sentence, base),
    )  # fmt: skip


def _adapter(choice: Adapter) -> AdapterChoice | None:
    if choice.kind == "none":
        return None
    targets = None if choice.targets == "auto" else tuple(choice.targets)
    return AdapterChoice(
        choice.rank, choice.alpha, choice.dropout, targets, dora=choice.dora, rslora=choice.rslora, bits=choice.bits
    )


def _loss(sentence: Sentence, entry: LossForType, blueprint: Blueprint, modifier: str) -> LossPlan:
    weights = sentence.loss.regularizers
    wrapper = _wrapper(entry, blueprint)
    guide = sentence.loss.guide if "guide" in entry.fills else None
    return LossPlan(
        cls=entry.cls,
        arguments={**entry.arguments, **sentence.loss.arguments},
        wrapper=wrapper,
        regularizers=(weights.query, weights.document) if wrapper in ("SpladeLoss", "CachedSpladeLoss") else None,
        fills=tuple(entry.fills),
        sampler=entry.sampler or sentence.loss.sampler,
        guide=named_base(guide, "loss.guide") if guide else None,
        modifier=_modifier(sentence.modifier, modifier, blueprint),
    )


def _wrapper(entry: LossForType, blueprint: Blueprint) -> str | None:
    if blueprint.type != "sparse_encoder" or not entry.wrapped:
        return None
    return "CSRLoss" if blueprint.architecture == "csr" else "CachedSpladeLoss" if entry.cached else "SpladeLoss"


def _modifier(choice: Modifier, name: str, blueprint: Blueprint) -> ModifierPlan | None:
    if choice.cls is None:
        return None
    cuts = choice.cls.startswith("Matryoshka")
    full = blueprint.dimensions
    dims = sorted({full, *choice.dims}, reverse=True) if choice.dims else [full >> power for power in range(4)]
    layers = range(blueprint.num_layers, 0, -max(1, blueprint.num_layers // 4)) if choice.layers else ()
    arguments: dict[str, Any] = {"matryoshka_dims": dims} if cuts else {}
    if choice.weights and cuts:
        arguments["matryoshka_weights"] = choice.weights
    return ModifierPlan(
        name, choice.cls, {**arguments, **choice.arguments}, choice.beside, tuple(dims) if cuts else (), tuple(layers)
    )


def _by_length(sentence: Sentence, base: Base, parts: Sequence[PartPlan]) -> bool:
    """Whether the rows of a batch are about equally long."""
    pads = base.architecture != "static" and any(part.loss.sampler == "batch_sampler" for part in parts)
    return pads and sentence.training.by_length is not False


def _training(
    sentence: Sentence, defaults: Defaults, loss: LossPlan, rows: Sequence[int], by_length: bool
) -> TrainingPlan:
    chosen, sampling = sentence.training, sentence.dataset.sampling
    batch, epochs, most = defaults.batch_size, defaults.epochs, chosen.max_steps
    if chosen.trial and most and len(rows) > 1:
        # A trial that met one of the losses only would say little.
        sampling, most = "round_robin", most * len(rows)
    steps = max(1, math.ceil(batches(rows, batch, sampling) / chosen.gradient_accumulation * epochs))
    return TrainingPlan(
        learning_rate=defaults.learning_rate, batch_size=batch, epochs=epochs, max_steps=most,
        steps=min(steps, most or steps), eval_steps=defaults.eval_steps, patience=defaults.patience,
        warmup=chosen.warmup, scheduler=chosen.scheduler, weight_decay=chosen.weight_decay,
        gradient_accumulation=chosen.gradient_accumulation, gradient_checkpointing=chosen.gradient_checkpointing,
        sampler=loss.sampler, extra=chosen.extra, sampling=sampling, usual_rate=defaults.usual_rate,
        by_length=by_length, profile=chosen.profile,
    )  # fmt: skip
