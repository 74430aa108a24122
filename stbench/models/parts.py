"""The modules that models are put together from. Weights are always loaded in fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from stbench.config.sentence import ModelType
from stbench.models.adapter import quantization
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint

if TYPE_CHECKING:
    from sentence_transformers.base.model import BaseModel

Task = Literal["feature-extraction", "fill-mask", "sequence-classification"]
_COUNTED_FROM_THE_LEFT = ("wpe.weight", "embed_positions.weight")
"""Tables of learned positions: padding on the left would move a short text to positions of a long one."""


def fp32() -> dict[str, Any]:
    """transformers 5 would load a checkpoint in the type it was stored in, and train in fp16 by accident."""
    import torch

    return {"dtype": torch.float32}


def loaded_as(blueprint: Blueprint) -> dict[str, Any]:
    """Arguments that load the weights in fp32, those frozen under a 4-bit adapter in 4 bits."""
    return fp32() | (quantization(blueprint.device) if blueprint.adapter and blueprint.adapter.bits else {})


def transformer(base: Base, task: Task, loaded: dict[str, Any] | None = None, **config: Any) -> Any:
    """The transformer of `base` with the head for `task`; `config` goes over that of its own config.json."""
    from sentence_transformers.base.modules import Transformer

    revision = {"revision": base.revision} if base.revision else {}
    return Transformer(
        base.location, transformer_task=task, model_kwargs={**(loaded or fp32()), **revision}, processor_kwargs=revision,
        config_kwargs={**revision, **config},
    )  # fmt: skip


def padding_side(base: Base) -> Literal["left", "right"]:
    """Decoders are padded on the left, so that the last position is a token of the text."""
    return "right" if any(name.endswith(_COUNTED_FROM_THE_LEFT) for name in base.tensors) else "left"


def ensure_padding(model: BaseModel, base: Base, type_: ModelType) -> None:
    """Decoders often come without a padding token, which batches of texts and classification heads need."""
    tokenizer, config = model.tokenizer, model.config
    if base.type != type_:
        tokenizer.padding_side = padding_side(base)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if config is not None and config.get_text_config().pad_token_id is None:
        config.get_text_config().pad_token_id = tokenizer.pad_token_id


def pooled(base: Base, pooling: str | None, loaded: dict[str, Any] | None = None) -> list[Any]:
    """Transformer and pooling."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    module = transformer(base, "feature-extraction", loaded)
    return [module, Pooling(module.get_embedding_dimension(), pooling_mode=pooling or default_pooling(base))]


def default_pooling(base: Base) -> str:
    """Mean pooling over causal attention looks plausible and is wrong: decoders take the last token."""
    return "lasttoken" if base.architecture == "decoder" else "mean"


def auto_encoder(width: int) -> Any:
    """The sizes that the library gives it on top of a sentence-transformers model."""
    from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder

    return SparseAutoEncoder(width, hidden_dim=4 * width, k=width // 4, k_aux=width // 2)


def add_projection(model: BaseModel, size: int) -> None:
    """A new dense layer that brings the vectors to `size`, before their normalisation where there is one."""
    from sentence_transformers.base.modules import Dense, Normalize
    from torch import nn

    width = next(found for module in reversed(model) if (found := _width(module)))
    place = len(model) - isinstance(model[-1], Normalize)
    # Random directions keep the distances between vectors on the whole, so it starts near the base model's score.
    model.insert(place, Dense(width, size, bias=False, activation_function=nn.Identity()).to(model.device))


def _width(module: Any) -> int | None:
    return module.get_embedding_dimension() if hasattr(module, "get_embedding_dimension") else None


def set_normalization(model: BaseModel, wanted: bool) -> None:
    """Vectors of length 1, or as long as they come."""
    from sentence_transformers.base.modules import Normalize

    for place in reversed(range(len(model))):
        if isinstance(model[place], Normalize):
            model.pop(place)
    if wanted:
        model.append(Normalize())
