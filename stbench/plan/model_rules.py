"""Rules about the base model and what is built on it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem
from stbench.models.adapter import linear_names
from stbench.models.base import layer_of
from stbench.plan.draft import Draft, Rule
from stbench.plan.hardware import choose_device

CAUSAL_POOLING = ("lasttoken", "weightedmean")
"""Pooling over causal attention that leans on the tokens that have seen the whole text."""


def base_fits_model_type(draft: Draft) -> Iterator[Problem]:
    """Only a bi-encoder can be made of static embeddings: the other types read tokens in context."""
    type_ = draft.sentence.model.type
    if draft.base.architecture == "static" and type_ != "sentence_transformer":
        yield Problem(
            f"static embeddings cannot become a {type_}", f"base_model={draft.chosen['base_model']} model={type_}",
            "base_model=minilm, or model=sentence_transformer",
        )  # fmt: skip


def splade_needs_its_head(draft: Draft) -> Iterator[Problem]:
    """SPLADE weighs the vocabulary by a trained masked-LM head; a new one knows no word of it."""
    if draft.sentence.model.architecture != "splade" or draft.base.mlm_head or "SpladePooling" in draft.base.modules:
        return
    what = "a decoder has no masked-LM head" if draft.base.architecture == "decoder" else "it has no masked-LM head"
    yield Problem(
        what, f"base_model={draft.chosen['base_model']} model.architecture=splade",
        "a base with such a head (base_model=bert), or model.architecture=csr",
    )  # fmt: skip


def revision_is_of_the_hub(draft: Draft) -> Iterator[Problem]:
    """Weights on disk are what they are."""
    revision = draft.sentence.base_model.revision
    if revision and draft.base.local:
        yield Problem(
            f"the weights come from {draft.base.location}, which has no revisions", f"base_model.revision={revision}",
            "leave it out, or name a Hub id: base_model=OWNER/NAME",
        )  # fmt: skip


def pooling_is_free(draft: Draft) -> Iterator[Problem]:
    """Only bi-encoders and sparse auto-encoders pool, and the folder of a finished one says how."""
    pooling, type_ = draft.sentence.base_model.pooling, draft.sentence.model.type
    if pooling is None:
        return
    where = f"base_model.pooling={pooling}"
    if type_ == "sparse_encoder" and draft.architecture == "splade":
        yield Problem("SPLADE takes the maximum over the tokens", where, "leave it out, or model.architecture=csr")
    elif type_ not in ("sentence_transformer", "sparse_encoder"):
        yield Problem(f"a {type_} does not pool its tokens", where, "leave it out, or model=sentence_transformer")
    elif draft.base.type in ("sentence_transformer", type_):
        yield Problem(
            f"{draft.base.name} pools as its own modules say ({' → '.join(draft.base.modules)})", where,
            "leave it out, or choose a plain transformer such as base_model=bert",
        )  # fmt: skip


def decoders_pool_their_end(draft: Draft) -> Iterator[Problem]:
    """Under causal attention the first tokens know nothing of the rest: their mean looks plausible and is wrong."""
    pooling = draft.sentence.base_model.pooling
    if pooling and draft.base.architecture == "decoder" and pooling not in CAUSAL_POOLING:
        yield Problem(
            "in a decoder only the last token has seen the whole text", f"base_model.pooling={pooling}",
            "base_model.pooling=lasttoken",
        )  # fmt: skip


def only_text_vectors_are_normalized(draft: Draft) -> Iterator[Problem]:
    """Scores have no length, SPLADE weights keep theirs, token vectors have length 1 anyway."""
    wanted, type_ = draft.sentence.base_model.normalize, draft.sentence.model.type
    if wanted is not None and type_ != "sentence_transformer":
        yield Problem(
            f"it is for the vectors of a bi-encoder, not for a {type_}", f"base_model.normalize={str(wanted).lower()}",
            "leave it out, or model=sentence_transformer",
        )  # fmt: skip


def only_text_vectors_are_projected(draft: Draft) -> Iterator[Problem]:
    """A cross-encoder has a score and no vector; the other types have a size of their own."""
    size, type_ = draft.sentence.base_model.projection, draft.sentence.model.type
    if size is None or type_ == "sentence_transformer":
        return
    mend = f"model.embedding_dim={size}" if type_ == "multi_vector_encoder" else "leave it out"
    yield Problem(f"it is for the vectors of a bi-encoder, not for a {type_}", f"base_model.projection={size}", mend)


def layers_are_there(draft: Draft) -> Iterator[Problem]:
    """Layers to keep are named in their order, each once, from 0."""
    keep, base = draft.sentence.base_model.layers, draft.base
    if keep is None:
        return
    where, last = f"base_model.layers={str(keep).replace(' ', '')}", base.layers - 1
    if base.architecture == "static":
        yield Problem("static embeddings have no layers", where, "leave it out, or base_model=minilm")
    elif base.tensors and len({layer_of(name) for name in base.tensors} - {None}) != base.layers:
        yield Problem("this model shares its layers, so none can be taken out", where, "leave it out")
    elif max(keep) > last:
        fitting = [layer for layer in keep if layer <= last] or [0]
        yield Problem(
            f"{base.name} has {base.layers} layers, 0 to {last}", where,
            f"base_model.layers={str(fitting).replace(' ', '')}",
        )  # fmt: skip
    elif sorted(set(keep)) != keep:
        ordered = str(sorted(set(keep))).replace(" ", "")
        yield Problem("layers are named in their order, each once", where, f"base_model.layers={ordered}")


def adapter_has_a_transformer(draft: Draft) -> Iterator[Problem]:
    """A table of token vectors has no linear layers, and trains in seconds as it is."""
    if draft.sentence.adapter.kind != "none" and draft.base.architecture == "static":
        yield Problem(
            "static embeddings have no layers that an adapter could stand beside",
            f"adapter={draft.chosen['adapter']}", "adapter=none, or base_model=minilm",
        )  # fmt: skip


def adapter_targets_are_there(draft: Draft) -> Iterator[Problem]:
    """Modules that are named must be linear ones inside the layers."""
    targets, base = draft.sentence.adapter.targets, draft.base
    if targets == "auto" or not base.tensors or base.architecture == "static":
        return
    known = linear_names(base)
    modules = [name.removesuffix(".weight") for name in base.tensors if layer_of(name) is not None]
    for target in targets:
        if not any(module == target or module.endswith(f".{target}") for module in modules):
            mend = did_you_mean(target, known, "adapter.targets=[{}]")
            yield Problem(f"no linear module in the layers is called '{target}'", "adapter.targets", mend)


def four_bits_can_be_had(draft: Draft) -> Iterator[Problem]:
    """Weights in 4 bits are the business of bitsandbytes, which knows CUDA and the CPU."""
    adapter, where = draft.sentence.adapter, f"adapter={draft.chosen['adapter']}"
    if adapter.bits is None:
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        what = "weights in 4 bits need the package bitsandbytes"
        yield Problem(what, where, "pip install 'stbench[qlora]', or adapter=lora")
    elif choose_device(draft.sentence.hardware)[0].device == "mps":
        yield Problem("bitsandbytes has no 4-bit weights for Apple GPUs", where, "adapter=lora, or hardware=cpu")
    if adapter.dora:
        what = "DoRA's magnitudes cannot be merged into weights of 4 bits"
        yield Problem(what, "adapter.dora=true", "adapter.dora=false, or adapter=lora")


MODEL_RULES: tuple[Rule, ...] = (
    base_fits_model_type,
    splade_needs_its_head,
    revision_is_of_the_hub,
    pooling_is_free,
    decoders_pool_their_end,
    only_text_vectors_are_normalized,
    only_text_vectors_are_projected,
    layers_are_there,
    adapter_has_a_transformer,
    adapter_targets_are_there,
    four_bits_can_be_had,
)
