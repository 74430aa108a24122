"""Random models of a few thousand weights, one folder each, for tests that need real files and real forward passes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_PLACE = tempfile.TemporaryDirectory(prefix="stbench-tiny-", ignore_cleanup_errors=True)
WORDS = (
    "what is thing number a tool plant nothing known about the of in where does how many colour belong to shelf box room"
    " garden red green blue small large old new first second third which when why who yes no"
)
POSITIONS = 64


@dataclass(frozen=True)
class Tiny:
    """Folders of models: BERT and Llama of two layers, 32 dimensions, a few hundred words."""

    masked: Path
    """BERT with a masked-LM head."""
    plain: Path
    """BERT without any head."""
    half: Path
    """`masked`, stored as fp16."""
    pooled: Path
    """A sentence-transformers folder: BERT and mean pooling."""
    static: Path
    """A sentence-transformers folder of static embeddings, stored as fp16."""
    decoder: Path
    """Llama with its language-model head."""


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    return build()


@cache
def build() -> Tiny:
    """Made once a process, however many test folders ask."""
    import torch
    from transformers import BertForMaskedLM, BertModel

    # On busy processors two threads wait for each other at every operation, a hundred times longer than it takes.
    torch.set_num_threads(1)
    root = Path(_PLACE.name)
    torch.manual_seed(3)
    masked = BertForMaskedLM(_bert_config())
    _save(masked, root / "masked")
    _save(masked.half(), root / "half")
    _save(BertModel(_bert_config(), add_pooling_layer=False), root / "plain")
    return Tiny(
        root / "masked",
        root / "plain",
        root / "half",
        _pooled(root),
        _static(root / "static"),
        _decoder(root / "decoder"),
    )


@cache
def _tokenizer() -> Any:
    """Whole words: a trained vocabulary would come out in another order in each process."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", *WORDS.split(), *map(str, range(200))]
    vocabulary = {word: place for place, word in enumerate(dict.fromkeys(words))}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    plain.normalizer = normalizers.BertNormalizer()
    plain.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    plain.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    return PreTrainedTokenizerFast(
        tokenizer_object=plain, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=POSITIONS,
    )  # fmt: skip


def _bert_config() -> Any:
    from transformers import BertConfig

    # The usual range of 0.02 would give all texts nearly the same vector.
    return BertConfig(
        vocab_size=len(_tokenizer()), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=POSITIONS, initializer_range=0.3,
    )  # fmt: skip


def _save(model: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)


def _pooled(root: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    transformer = Transformer(str(root / "plain"))
    folder = root / "pooled"
    SentenceTransformer(modules=[transformer, Pooling(32, pooling_mode="mean")]).save_pretrained(str(folder))
    return folder


def _static(folder: Path) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    weights = torch.randn(len(_tokenizer()), 32).half()
    module = StaticEmbedding(_tokenizer().backend_tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[module]).save_pretrained(str(folder))
    return folder


def _decoder(folder: Path) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(_tokenizer()), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=POSITIONS, initializer_range=0.3,
    )  # fmt: skip
    _save(LlamaForCausalLM(config), folder)
    return folder
