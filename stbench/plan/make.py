"""From a checked sentence and a look at the data to a plan, or to a refusal that says what mends it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from stbench.cache import Store
from stbench.config.sentence import Adapter, LossForType, Modifier, Sentence
from stbench.data.corpus import Corpus, corpus_of, find_corpus
from stbench.data.mining import MiningSettings
from stbench.data.roles import Mapped, map_roles
from stbench.data.searched import Searched
from stbench.data.sources import Head, head, open_source
from stbench.data.splits import Sizes
from stbench.errors import Refused
from stbench.models.blueprint import AdapterChoice, Blueprint
from stbench.models.choose import base_of, named_base
from stbench.plan import estimate, versions
from stbench.plan.collections import searched
from stbench.plan.decide import Defaults, sparse_architecture
from stbench.plan.evaluators import choose_evaluator
from stbench.plan.explain import explain
from stbench.plan.hardware import choose_device, choose_precision
from stbench.plan.helpers import helper, helpers_fit, teacher_plan
from stbench.plan.own_collection import Held, judged_by_own_collection
from stbench.plan.plan import DataPlan, EvaluatorPlan, LossPlan, ModifierPlan, Plan, TrainingPlan
from stbench.plan.references import with_references
from stbench.plan.rules import Draft, problems, steps_to
from stbench.plan.sizes import rows_after


def make_plan(sentence: Sentence, chosen: Mapping[str, str], run: str, store: Store) -> Plan:
    """The plan of `sentence`; reads model files and the head of the data, loads nothing heavy.

    Raises `Refused` with everything that cannot work.
    """
    if wrong := versions.found_here():
        raise Refused(*wrong)
    base = base_of(chosen["base_model"], sentence.base_model)
    source = open_source(sentence.dataset, store)
    heads = {split: head(source.files(split), split) for split in source.splits}
    mapped = _map(sentence, heads, source.files("train")[0].name)
    held = judged_by_own_collection(Held(source, heads, mapped), sentence.evaluator, store)
    source, heads, mapped = held.source, held.heads, held.mapped
    shape = mapped["train"].shape
    classes = len(mapped["train"].classes) if shape in ("class_pair", "labeled_text") else 2
    draft = Draft(sentence, dict(chosen), base, shape, classes)
    device, device_problem = choose_device(sentence.hardware)
    precision, why, precision_problem = choose_precision(sentence.precision, device, base.architecture == "static")
    evaluator, evaluator_problems = choose_evaluator(sentence, mapped, chosen["evaluator"], draft.steps or [])
    evaluator, reference_problems = with_references(evaluator, sentence, source.collection is not None, named_base)
    found = [
        *problems(draft),
        *helpers_fit(draft),
        *filter(None, (device_problem, precision_problem)),
        *evaluator_problems,
        *reference_problems,
    ]
    if found or draft.loss is None or evaluator is None:
        raise Refused(*found)

    defaults = Defaults(sentence, base)
    data = _data(sentence, source, heads, mapped, draft.loss, evaluator, defaults, store)
    labels = len(mapped["train"].classes) if draft.loss.num_labels == "classes" else draft.loss.num_labels
    blueprint = blueprint_of(sentence, defaults, device.device, labels or 1, draft.loss.activation or "identity")
    loss = _loss(sentence, draft.loss, blueprint, chosen["modifier"])
    training = _training(sentence, defaults, loss, rows_after(data))
    memory = estimate.memory_bytes(base, blueprint, training, data.shape, precision)
    disk = estimate.disk_bytes(blueprint)
    decisions = explain(
        sentence, chosen, data, blueprint, loss, evaluator, training, defaults, (precision, why, device.name)
    )
    return Plan(
        run, blueprint, data, loss, evaluator, training, precision, sentence.seed, memory, disk, tuple(decisions)
    )


def _map(sentence: Sentence, heads: Mapping[str, Head], train_name: str) -> dict[str, Mapped]:
    """Roles of each split; classes and the range of the scores are those of the training rows."""
    roles, classes = sentence.dataset.roles, sentence.dataset.classes
    train = map_roles(heads["train"].rows, heads["train"].columns, roles, classes, train_name)
    mapped = {"train": train}
    for split, rows in heads.items():
        if split != "train":
            own = map_roles(rows.rows, rows.columns, roles, classes or list(train.classes) or None, f"dataset.{split}")
            mapped[split] = replace(own, score_range=train.score_range or own.score_range)
    return mapped


def _data(
    sentence: Sentence,
    source: Any,
    heads: Mapping[str, Head],
    mapped: Mapping[str, Mapped],
    loss: LossForType,
    evaluator: EvaluatorPlan,
    defaults: Defaults,
    store: Store,
) -> DataPlan:
    shape = mapped["train"].shape
    steps = steps_to(sentence, loss, shape) or []
    mines = any(step.mines for step in steps)
    chosen, training = sentence.negatives, sentence.training
    target = steps[-1].target if steps else shape
    found = searched(sentence, source, store)
    return DataPlan(
        source=source, heads=heads, mapped=mapped,
        sizes=Sizes(
            sentence.dataset.validation_size, sentence.dataset.test_size, sentence.dataset.limit, training.rows,
            training.evaluation_rows,
        ),
        steps=tuple(steps), shape=target,
        mining=MiningSettings(
            defaults.num_negatives(target), chosen.range_min, chosen.range_max, chosen.sampling,
            chosen.relative_margin, chosen.max_score, sentence.seed, chosen.absolute_margin, chosen.min_score,
            chosen.fill,
        ) if mines else None,
        miner=helper(chosen.miner, "negatives.miner") if mines else None,
        rescorer=helper(chosen.rescore, "negatives.rescore") if mines and chosen.rescore else None,
        corpus=_corpus(sentence, mapped["train"], found, store) if mines else None,
        searched=found,
        seed=sentence.seed,
        teacher=teacher_plan(sentence, defaults.base)
        if evaluator.asks_teacher or any(step.asks_teacher for step in steps)
        else None,
    )  # fmt: skip


def _corpus(sentence: Sentence, train: Mapped, searched: Searched | None, store: Store) -> Corpus | None:
    """Documents to mine from beside those of the training rows: as said, else those of the data's own collection."""
    said = sentence.negatives.corpus
    if said:
        return find_corpus(said, train.columns.get("positive"), store)
    return corpus_of(searched.files, searched.pairs.documents) if searched and said is None else None


def blueprint_of(
    sentence: Sentence, defaults: Defaults, device: str, labels: int, activation: Literal["identity", "sigmoid"]
) -> Blueprint:
    """What is built of the base model; `labels` and `activation` are those of a cross-encoder."""
    base, choice = defaults.base, sentence.base_model
    return Blueprint(
        type=sentence.model.type, base=base, device=device, max_seq_length=defaults.max_seq_length,
        pooling=defaults.pooling, num_labels=labels, activation=activation,
        architecture=sparse_architecture(sentence.model, base), embedding_dim=sentence.model.embedding_dim,
        normalize=choice.normalize, projection=choice.projection,
        layers=tuple(choice.layers) if choice.layers else None, adapter=_adapter(sentence.adapter),
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
    full = blueprint.base.dimensions
    dims = sorted({full, *choice.dims}, reverse=True) if choice.dims else [full >> power for power in range(4)]
    layers = range(blueprint.base.layers, 0, -max(1, blueprint.base.layers // 4)) if choice.layers else ()
    arguments: dict[str, Any] = {"matryoshka_dims": dims} if cuts else {}
    if choice.weights and cuts:
        arguments["matryoshka_weights"] = choice.weights
    return ModifierPlan(
        name, choice.cls, {**arguments, **choice.arguments}, choice.beside, tuple(dims) if cuts else (), tuple(layers)
    )


def _training(sentence: Sentence, defaults: Defaults, loss: LossPlan, rows: int) -> TrainingPlan:
    chosen = sentence.training
    batch, epochs = defaults.batch_size, defaults.epochs
    steps = max(1, math.ceil(math.ceil(rows / batch) / chosen.gradient_accumulation * epochs))
    return TrainingPlan(
        learning_rate=defaults.learning_rate, batch_size=batch, epochs=epochs, max_steps=chosen.max_steps,
        steps=min(steps, chosen.max_steps or steps), eval_steps=defaults.eval_steps, patience=defaults.patience,
        warmup=chosen.warmup, scheduler=chosen.scheduler, weight_decay=chosen.weight_decay,
        gradient_accumulation=chosen.gradient_accumulation, gradient_checkpointing=chosen.gradient_checkpointing,
        sampler=loss.sampler, extra=chosen.extra,
    )  # fmt: skip
