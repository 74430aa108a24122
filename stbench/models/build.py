"""Models of each type out of a base model. Weights are always loaded in fp32; precision is the business of autocast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stbench.config.sentence import ModelType
from stbench.models.base import Base

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder
    from sentence_transformers.base.model import BaseModel


@dataclass(frozen=True)
class Blueprint:
    """Everything that decides what is built."""

    type: ModelType
    base: Base
    device: str
    max_seq_length: int | None = None
    pooling: str | None = None
    num_labels: int = 1
    activation: Literal["identity", "sigmoid"] = "identity"
    architecture: Literal["splade", "csr"] = "splade"
    embedding_dim: int | None = None


def build(blueprint: Blueprint, seed: int) -> BaseModel:
    """The untrained model; new heads are drawn from `seed`."""
    from transformers import set_seed

    set_seed(seed)
    # Static embeddings come in the type they were stored in, whatever `model_kwargs` say.
    model: BaseModel = _BUILDERS[blueprint.type](blueprint).float()
    if blueprint.max_seq_length is not None and blueprint.base.architecture != "static":
        model.max_seq_length = blueprint.max_seq_length
    return model


def reload(type_: ModelType, folder: Path, device: str) -> BaseModel:
    """A finished model from its folder, as any user of the library would load it."""
    import sentence_transformers

    names = {
        "sentence_transformer": "SentenceTransformer",
        "cross_encoder": "CrossEncoder",
        "sparse_encoder": "SparseEncoder",
        "multi_vector_encoder": "MultiVectorEncoder",
    }
    model: BaseModel = getattr(sentence_transformers, names[type_])(str(folder), device=device)
    return model


def bi_encoder(base: Base, device: str, pooling: str | None = None) -> SentenceTransformer:
    """A dense bi-encoder, as it is trained, and as it mines for others."""
    from sentence_transformers import SentenceTransformer

    if base.wordllama:
        return SentenceTransformer(modules=[_wordllama(base)], device=device)
    if base.modules:
        return SentenceTransformer(base.location, device=device, revision=base.revision, model_kwargs=_fp32())
    return SentenceTransformer(modules=_pooled(base, pooling), device=device)


def _sentence_transformer(blueprint: Blueprint) -> SentenceTransformer:
    return bi_encoder(blueprint.base, blueprint.device, blueprint.pooling)


def _cross_encoder(blueprint: Blueprint) -> CrossEncoder:
    from sentence_transformers import CrossEncoder
    from torch import nn

    # The default sigmoid saturates for every loss but binary cross-entropy, and the ranking collapses at evaluation.
    activation = nn.Sigmoid() if blueprint.activation == "sigmoid" else nn.Identity()
    base = blueprint.base
    return CrossEncoder(
        base.location, num_labels=blueprint.num_labels, activation_fn=activation, device=blueprint.device,
        revision=base.revision, model_kwargs=_fp32(),
    )  # fmt: skip


def _sparse_encoder(blueprint: Blueprint) -> SparseEncoder:
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder.modules import SpladePooling

    base = blueprint.base
    if "SpladePooling" in base.modules or (base.modules and blueprint.architecture == "csr"):
        return SparseEncoder(base.location, device=blueprint.device, revision=base.revision, model_kwargs=_fp32())
    if blueprint.architecture == "csr":
        modules = [*_pooled(base, blueprint.pooling), _auto_encoder(base)]
    else:
        modules = [_transformer(base, "fill-mask"), SpladePooling(pooling_strategy="max")]
    return SparseEncoder(modules=modules, device=blueprint.device)


def _auto_encoder(base: Base) -> Any:
    """The sizes that the library gives it on top of a sentence-transformers model."""
    from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder

    width = base.dimensions
    return SparseAutoEncoder(width, hidden_dim=4 * width, k=width // 4, k_aux=width // 2)


def _multi_vector_encoder(blueprint: Blueprint) -> MultiVectorEncoder:
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense
    from torch import nn

    base = blueprint.base
    model = MultiVectorEncoder(base.location, device=blueprint.device, revision=base.revision, model_kwargs=_fp32())
    place = next((index for index, module in enumerate(model) if isinstance(module, Dense)), None)
    if blueprint.embedding_dim and place is not None and "Dense" not in base.modules:
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


def _fp32() -> dict[str, Any]:
    """transformers 5 would load a checkpoint in the type it was stored in, and train in fp16 by accident."""
    import torch

    return {"dtype": torch.float32}


def _transformer(base: Base, task: Literal["feature-extraction", "fill-mask"]) -> Any:
    from sentence_transformers.base.modules import Transformer

    revision = {"revision": base.revision} if base.revision else {}
    return Transformer(
        base.location, transformer_task=task, model_kwargs={**_fp32(), **revision}, processor_kwargs=revision,
        config_kwargs=revision,
    )  # fmt: skip


def _pooled(base: Base, pooling: str | None) -> list[Any]:
    from sentence_transformers.sentence_transformer.modules import Pooling

    transformer = _transformer(base, "feature-extraction")
    mode = pooling or default_pooling(base)
    if mode == "lasttoken":
        transformer.tokenizer.padding_side = "left"
        if transformer.tokenizer.pad_token is None:
            transformer.tokenizer.pad_token = transformer.tokenizer.eos_token
    return [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=mode)]


def default_pooling(base: Base) -> str:
    """Mean pooling over causal attention looks plausible and is wrong: decoders take the last token."""
    return "lasttoken" if base.architecture == "decoder" else "mean"


def _wordllama(base: Base) -> Any:
    from safetensors.torch import load_file
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base.wordllama_tokenizer))
    (weights,) = load_file(base.wordllama_weights).values()
    return StaticEmbedding(tokenizer, embedding_weights=weights.float())
