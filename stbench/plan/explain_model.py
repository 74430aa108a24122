"""The plan's lines about the model: where its weights come from, which architecture they get, how large it is."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.models.adapter import trainable_parameters
from stbench.models.blueprint import AdapterChoice, Blueprint
from stbench.models.parts import default_pooling
from stbench.plan.decide import head_is_trained
from stbench.plan.plan import Decision

RANDOM_NEEDS = 1_000_000
"""Rows that random embeddings need; with fewer than a tenth of them, trained ones are the better start."""


def explain_model(blueprint: Blueprint, rows: int) -> Iterator[Decision]:
    """`rows`: how many there are to train on, about."""
    base = blueprint.base
    size = f"{base.parameters / 1e6:.1f} M parameters, " if base.parameters else ""
    stored = "" if base.stored in ("F32", "unknown") else f"; stored as {base.stored}, trained in fp32"
    yield Decision("base model", f"{base.name}: {size}{base.dimensions} dimensions", f"{base.location}{stored}")
    if base.static == "random" and rows < RANDOM_NEEDS:
        yield _too_few(rows)
    if blueprint.layers is not None:
        yield _layers(blueprint)
    yield Decision("architecture", *_architecture(blueprint))
    if blueprint.projection is not None:
        what = f"{blueprint.width} → {blueprint.projection} dimensions"
        yield Decision("projection", what, "a new dense layer: starts UNTRAINED, with random directions")
    if blueprint.normalize is not None:
        yield Decision("normalisation", "vectors of length 1" if blueprint.normalize else "none", "as said")
    if blueprint.similarity is not None:
        yield Decision(
            "similarity", blueprint.similarity, "as the loss compares vectors; the untouched model is scored so too"
        )
    if blueprint.adapter is not None:
        yield _adapter(blueprint, blueprint.adapter)
    if blueprint.max_seq_length:
        yield Decision(
            "sequence length", f"{blueprint.max_seq_length} tokens", "longer texts are cut; training.max_seq_length"
        )


def _too_few(rows: int) -> Decision:
    what = "far too few" if rows < RANDOM_NEEDS / 10 else "few"
    mend = "base_model=wordllama, potion or static_distilled start from trained vectors"
    return Decision("warning", f"{rows:,} rows are {what} for random vectors, which need about a million", mend)


def _layers(blueprint: Blueprint) -> Decision:
    kept, size = blueprint.layers or (), blueprint.parameters
    what = f"{', '.join(map(str, kept))} of {blueprint.base.layers}"
    return Decision("layers", what, f"the others are taken out: {size / 1e6:.1f} M parameters" if size else "")


def _adapter(blueprint: Blueprint, adapter: AdapterChoice) -> Decision:
    kind = "DoRA" if adapter.dora else "LoRA"
    targets = "all linear modules of the layers" if adapter.targets is None else ", ".join(adapter.targets)
    trained, whole = trainable_parameters(blueprint), blueprint.parameters
    share = f"; trains about {trained:,} parameters, {trained / whole:.2%}" if whole else ""
    bits = " frozen in 4 bits (the baseline is scored so too)" if adapter.bits else " frozen"
    what = f"{kind} of rank {adapter.rank}, alpha {adapter.alpha:g}{share}"
    return Decision("adapter", what, f"beside {targets},{bits}; the model is saved merged, the adapter beside it")


def _architecture(blueprint: Blueprint) -> tuple[str, str]:
    base, type_ = blueprint.base, blueprint.type
    trained = head_is_trained(type_, blueprint.architecture, base)
    starts = "is trained" if trained else "starts UNTRAINED: the base model has none"
    if type_ == "sparse_encoder" and blueprint.architecture == "csr":
        pooling = f" ({base.architecture}, {blueprint.pooling} pooling)" if blueprint.pooling else ""
        return f"CSR: sparse auto-encoder over the pooled vector{pooling}", f"its auto-encoder {starts}"
    if type_ == "sparse_encoder":
        return "SPLADE: max-pooled masked-LM logits", f"its masked-LM head {starts}"
    if type_ == "cross_encoder":
        what = f"{blueprint.num_labels} label(s), {blueprint.activation} activation"
        return f"cross-encoder ({base.architecture}), {what}", f"its head {starts}"
    if type_ == "multi_vector_encoder":
        return f"token vectors of {blueprint.dimensions} dimensions, MaxSim", f"its projection {starts}"
    return _bi_encoder(blueprint)


_STATIC = {
    "None": "no transformer: trains and encodes in seconds",
    "wordllama": "no transformer: trains and encodes in seconds",
    "model2vec": "a Model2Vec folder; no transformer: trains and encodes in seconds",
    "random": "starts UNTRAINED: random vectors for the tokens of the other model",
    "distilled": "each token encoded alone by the other model, reduced by PCA, kept in the cache",
}


def _bi_encoder(blueprint: Blueprint) -> tuple[str, str]:
    base = blueprint.base
    if base.architecture == "static":
        return "static token embeddings, averaged", _STATIC.get(str(base.static), _STATIC["None"])
    if blueprint.pooling is None:
        return " → ".join(base.modules), f"{base.architecture}; modules as the base model's folder says"
    asked = blueprint.pooling != default_pooling(base)
    why = "as said" if asked else f"usual for {'an encoder' if base.architecture == 'encoder' else 'a decoder'}"
    if base.type is not None:
        why += f"; the base was saved as a {base.type}, of which only the transformer is used"
    return f"{base.architecture} → {blueprint.pooling} pooling", why
