"""Static embeddings: a vector for each token, averaged. From WordLlama, Model2Vec, at random, or distilled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.cache import Store, cache_folder, key_of
from stbench.models.base import Base
from stbench.models.digest import weights_digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def static_modules(base: Base, device: str, store: Store | None = None) -> list[Any]:
    """The modules of a bi-encoder of static embeddings; what was distilled is kept in `store`."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    if base.static == "wordllama":
        return [_wordllama(base)]
    if base.static == "random":
        return [StaticEmbedding(_tokenizer(base.source or base), embedding_dim=base.dimensions)]
    if base.static == "distilled":
        return [StaticEmbedding.load(str(_distilled(base, device, store or Store(cache_folder(), "on"))))]
    return _model2vec(base)


def _wordllama(base: Base) -> Any:
    from safetensors.torch import load_file
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    (weights,) = load_file(base.wordllama_weights).values()
    return StaticEmbedding(_tokenizer(base), embedding_weights=weights)


def _model2vec(base: Base) -> list[Any]:
    """A folder as Model2Vec itself writes it."""
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    module = StaticEmbedding.load(base.location, revision=base.revision)
    return [module, Normalize()] if "Normalize" in base.modules else [module]


def _tokenizer(base: Base) -> Tokenizer:
    """The tokenizer of any base model."""
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    if base.static == "wordllama":
        return Tokenizer.from_file(str(base.wordllama_tokenizer))
    own = sorted(Path(base.location).glob("**/tokenizer.json")) if base.local else []
    if own:
        return Tokenizer.from_file(str(own[0]))
    if base.architecture == "static":
        return Tokenizer.from_pretrained(base.location, revision=base.revision or "main")
    fast: Tokenizer = AutoTokenizer.from_pretrained(base.location, revision=base.revision or "main").backend_tokenizer
    return fast


def _distilled(base: Base, device: str, store: Store) -> Path:
    """The folder of a StaticEmbedding: each token of the teacher encoded alone, reduced by PCA, weighted by rank.

    Model2Vec's method (Tulkens and van Dongen 2024), with the teacher in fp32 and pooled as its kind wants it.
    """
    import model2vec

    key = key_of(weights_digest(base), model2vec.__version__)
    return store.product("static", key, lambda folder: _distill(base, device, folder))


def _distill(base: Base, device: str, folder: Path) -> None:
    from model2vec.distill import distill_from_model
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from transformers import AutoModel, AutoTokenizer

    from stbench.models.parts import fp32

    teacher = base.source or base
    distilled = distill_from_model(
        AutoModel.from_pretrained(teacher.location, revision=teacher.revision or "main", **fp32()),
        AutoTokenizer.from_pretrained(teacher.location, revision=teacher.revision or "main"),
        device=device, pca_dims=base.dimensions, quantize_to="float32",
        pooling="last" if teacher.architecture == "decoder" else "mean",
    )  # fmt: skip
    StaticEmbedding(distilled.tokenizer, embedding_weights=distilled.embedding).save(str(folder))
