"""Models of each type out of a base model. Weights are always loaded in fp32; precision is the business of autocast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.models.adapter import add_adapter, keep_as_stored
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint
from stbench.models.layers import keep_layers
from stbench.models.parts import (
    add_projection,
    auto_encoder,
    ensure_padding,
    fp32,
    loaded_as,
    pooled,
    set_normalization,
    transformer,
)
from stbench.models.prompts import put_on
from stbench.models.static import static_modules

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder
    from sentence_transformers.base.model import BaseModel


def build(blueprint: Blueprint, seed: int, store: Store | None = None) -> BaseModel:
    """The untrained model; new heads are drawn from `seed`, distilled embeddings are kept in `store`."""
    from transformers import set_seed

    set_seed(seed)
    # Static embeddings come in the type they were stored in, whatever `model_kwargs` say.
    model: BaseModel = _BUILDERS[blueprint.type](blueprint, store).float()
    if blueprint.base.architecture == "decoder":
        ensure_padding(model, blueprint.base, blueprint.type)
    if blueprint.layers is not None:
        keep_layers(model.transformers_model, blueprint.layers)
    if blueprint.projection is not None:
        add_projection(model, blueprint.projection)
    if blueprint.normalize is not None:
        set_normalization(model, blueprint.normalize)
    if blueprint.max_seq_length is not None and blueprint.base.architecture != "static":
        model.max_seq_length = blueprint.max_seq_length
    if blueprint.similarity is not None:
        model.similarity_fn_name = blueprint.similarity
    put_on(model, blueprint.prompts)
    if blueprint.adapter is not None:
        add_adapter(model, blueprint, blueprint.adapter)
    _speed_up(model, blueprint.type)
    return model


def reload(type_: ModelType, folder: Path, device: str, **loaded: Any) -> BaseModel:
    """A finished model from its folder, as any user of the library would load it; `loaded`: arguments of its weights."""
    import sentence_transformers

    names = {
        "sentence_transformer": "SentenceTransformer",
        "cross_encoder": "CrossEncoder",
        "sparse_encoder": "SparseEncoder",
        "multi_vector_encoder": "MultiVectorEncoder",
    }
    model: BaseModel = getattr(sentence_transformers, names[type_])(
        str(folder), device=device, model_kwargs=loaded or None
    )
    keep_as_stored(model)
    _speed_up(model, type_)
    return model


def _speed_up(model: BaseModel, type_: ModelType) -> None:
    if type_ == "sparse_encoder":
        from stbench.models.splade_head import fuse

        fuse(model)


def bi_encoder(
    base: Base,
    device: str,
    pooling: str | None = None,
    store: Store | None = None,
    loaded: dict[str, Any] | None = None,
) -> SentenceTransformer:
    """A dense bi-encoder, as it is trained, and as it mines for others, with the prompts of its family."""
    model = _bi_encoder(base, device, pooling, store, loaded)
    put_on(model, base.family)
    return model


def _bi_encoder(
    base: Base, device: str, pooling: str | None, store: Store | None, loaded: dict[str, Any] | None
) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    if base.static is not None:
        return SentenceTransformer(modules=static_modules(base, device, store), device=device)
    if base.modules_for("sentence_transformer"):
        return SentenceTransformer(base.location, device=device, revision=base.revision, model_kwargs=loaded or fp32())
    model = SentenceTransformer(modules=pooled(base, pooling, loaded), device=device)
    if base.architecture == "decoder":
        ensure_padding(model, base, "sentence_transformer")
    return model


def _sentence_transformer(blueprint: Blueprint, store: Store | None) -> SentenceTransformer:
    return bi_encoder(blueprint.base, blueprint.device, blueprint.pooling, store, loaded_as(blueprint))


def _cross_encoder(blueprint: Blueprint, _store: Store | None) -> CrossEncoder:
    from sentence_transformers import CrossEncoder
    from torch import nn

    # The default sigmoid saturates for every loss but binary cross-entropy, and the ranking collapses at evaluation.
    activation = nn.Sigmoid() if blueprint.activation == "sigmoid" else nn.Identity()
    base, labels = blueprint.base, blueprint.num_labels
    if base.architecture == "decoder" and base.type != "cross_encoder":
        # The library would compare the logits of "yes" and "no", which only a model trained for that can.
        modules = [transformer(base, "sequence-classification", loaded_as(blueprint), num_labels=labels)]
        return CrossEncoder(modules=modules, activation_fn=activation, device=blueprint.device)
    return CrossEncoder(
        base.location, num_labels=labels, activation_fn=activation, device=blueprint.device,
        revision=base.revision, model_kwargs=loaded_as(blueprint),
    )  # fmt: skip


def _sparse_encoder(blueprint: Blueprint, _store: Store | None) -> SparseEncoder:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    base, csr = blueprint.base, blueprint.architecture == "csr"
    if base.is_sparse(blueprint.architecture) or (csr and base.type == "sentence_transformer"):
        return SparseEncoder(
            base.location, device=blueprint.device, revision=base.revision, model_kwargs=loaded_as(blueprint)
        )
    if csr:
        modules = [*pooled(base, blueprint.pooling, loaded_as(blueprint)), auto_encoder(base.dimensions)]
    else:
        modules = [transformer(base, "fill-mask", loaded_as(blueprint)), SpladePooling(pooling_strategy="max")]
    return SparseEncoder(modules=modules, device=blueprint.device)


def _multi_vector_encoder(blueprint: Blueprint, _store: Store | None) -> MultiVectorEncoder:
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense
    from torch import nn

    base = blueprint.base
    model = MultiVectorEncoder(
        base.location, device=blueprint.device, revision=base.revision, model_kwargs=loaded_as(blueprint)
    )
    place = next((index for index, module in enumerate(model) if isinstance(module, Dense)), None)
    if blueprint.embedding_dim and place is not None and not base.projects_tokens:
        model[place] = Dense(
            model[place].in_features, blueprint.embedding_dim, bias=False, activation_function=nn.Identity(),
            module_input_name="token_embeddings", module_output_name="token_embeddings",
        ).to(model.device)  # fmt: skip
    return model


_BUILDERS = {
    "sentence_transformer": _sentence_transformer,
    "cross_encoder": _cross_encoder,
    "sparse_encoder": _sparse_encoder,
    "multi_vector_encoder": _multi_vector_encoder,
}
