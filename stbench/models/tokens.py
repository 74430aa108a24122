"""Texts are tokenised once, not once an epoch and once an evaluation."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stbench.cache import Store, key_of

if TYPE_CHECKING:
    from datasets import Dataset

MOST_TOKENS = 100_000_000
"""That are remembered: 400 MB."""
LENGTHS, IDS = "lengths.u32", "ids.u32"


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

    def learn(self, texts: Iterable[str], store: Store) -> None:
        """Tokenises `texts` as static embeddings do, or takes what was kept of an earlier time."""
        known = sorted(set(texts))

        def build(folder: Path) -> None:
            encoded = [one.ids for one in self.encode_batch(known, add_special_tokens=False)]
            lengths = array("I", map(len, encoded))
            whole = array("I", (number for ids in encoded for number in ids))
            (folder / LENGTHS).write_bytes(lengths.tobytes())
            (folder / IDS).write_bytes(whole.tobytes())

        folder = store.product("tokens", key_of(self._tokenizer.to_str(), known), build)
        lengths, ids = (_read(folder / name) for name in (LENGTHS, IDS))
        if len(ids) > self._room:
            return
        place = 0
        for text, length in zip(known, lengths, strict=True):
            if (False, text) not in self._known:
                self._known[False, text] = ids[place : place + length]
                self._room -= length
            place += length

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


def learn_tokens(model: Any, rows: Iterable[Dataset], store: Store) -> None:
    """What `rows` say is tokenised now, or was by another run."""
    texts: list[str] | None = None
    for module in model.modules():
        tokenizer = getattr(module, "tokenizer", None)
        if isinstance(tokenizer, RememberingTokenizer):
            texts = list(_texts(rows)) if texts is None else texts
            tokenizer.learn(texts, store)


def _texts(rows: Iterable[Dataset]) -> Iterable[str]:
    for some in rows:
        for name in some.column_names:
            for cell in some[name]:
                cells = cell if isinstance(cell, list) else [cell]
                yield from (one for one in cells if isinstance(one, str))


def _read(file: Path) -> array[int]:
    found = array("I")
    found.frombytes(file.read_bytes())
    return found


def forget_tokens(model: Any) -> None:
    """The model's own tokenizers again: what is saved, and what is timed, is the library's."""
    for module in model.modules():
        tokenizer = getattr(module, "tokenizer", None)
        if isinstance(tokenizer, RememberingTokenizer):
            module.tokenizer = tokenizer.own
