"""Texts are tokenised once, not once an epoch and once an evaluation."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

MOST_TOKENS = 100_000_000
"""That are remembered: 400 MB."""


class Encoding(NamedTuple):
    """What static embeddings read of an encoding."""

    ids: Sequence[int]


class RememberingTokenizer:
    """A `tokenizers.Tokenizer` that remembers what it has tokenised; everything else is left to the one it wraps."""

    def __init__(self, tokenizer: Any, most_tokens: int = MOST_TOKENS) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[bool, str], array[int]] = {}
        self._room = most_tokens

    @property
    def own(self) -> Any:
        """The tokenizer that it wraps."""
        return self._tokenizer

    def encode_batch(self, texts: Sequence[str], add_special_tokens: bool = True) -> list[Encoding]:
        """The ids of each text, without offsets and words, which nobody here asks for."""
        keys = [(add_special_tokens, text) for text in texts]
        fresh = [key for key in dict.fromkeys(keys) if key not in self._known]
        found = dict(zip(fresh, self._encoded(fresh, add_special_tokens), strict=True))
        encodings = [Encoding(self._known[key] if key in self._known else found[key]) for key in keys]
        for key, ids in found.items():
            if (room := self._room - len(ids)) >= 0:
                self._known[key], self._room = ids, room
        return encodings

    def _encoded(self, keys: Sequence[tuple[bool, str]], special: bool) -> list[array[int]]:
        if not keys:
            return []
        encodings = self._tokenizer.encode_batch_fast([text for _, text in keys], add_special_tokens=special)
        return [array("I", one.ids) for one in encodings]

    def __getattr__(self, name: str) -> Any:
        if name == "_tokenizer":  # while a copy is made nothing is there yet
            raise AttributeError(name)
        return getattr(self._tokenizer, name)


def remember_tokens(model: Any) -> None:
    """From now on `model`, where its embeddings are static, tokenises each text once."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    for module in model.modules():
        if isinstance(module, StaticEmbedding) and not isinstance(module.tokenizer, RememberingTokenizer):
            module.tokenizer = RememberingTokenizer(module.tokenizer)


def forget_tokens(model: Any) -> None:
    """The model's own tokenizers again: what is saved, and what is timed, is the library's."""
    for module in model.modules():
        tokenizer = getattr(module, "tokenizer", None)
        if isinstance(tokenizer, RememberingTokenizer):
            module.tokenizer = tokenizer.own
