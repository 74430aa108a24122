"""Rules about the base model and what is built on it; `plan.rules` asks them with all the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from stbench.errors import Problem

if TYPE_CHECKING:
    from stbench.plan.rules import Draft

CAUSAL_POOLING = ("lasttoken", "weightedmean")
"""Pooling over causal attention that leans on the tokens that have seen the whole text."""


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
    elif base.tensors and len({base.layer_of(name) for name in base.tensors} - {None}) != base.layers:
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


MODEL_RULES: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
    pooling_is_free,
    decoders_pool_their_end,
    only_text_vectors_are_normalized,
    only_text_vectors_are_projected,
    layers_are_there,
)
