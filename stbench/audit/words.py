"""Texts as sets of words, and when two of them are nearly the same text."""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Words = frozenset[str]

LONGEST = 2000
"""Characters of a text that are compared."""
CHANGED = 2
"""Words that may differ whatever the length of the texts: one in place of another."""
CHANGED_SHARE = 0.2
"""Share of the words of either text that may differ where the texts are long."""
SHARED = 0.6
"""Share of their words that even short texts must have in common."""

# \w knows no vowel signs, without which words of Hindi, Arabic or Thai would fall to pieces.
_SIGNS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u06ed\u0900-\u0963\u0966-\u0dff\u0e00-\u109f\u1780-\u17d3"
_WORD = re.compile(rf"[\w{_SIGNS}]+")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese write no spaces between words.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}]+")


def words_of(text: str) -> Words:
    """The words of `text` without case, order and punctuation; pairs of characters where a script has no spaces.

    Texts of nothing but signs are sets of these.
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST]).casefold()
    found = _WORD.findall(plain)
    if not plain.isascii():
        found = [piece for word in found for piece in _pieces(word)]
    # The same word of many texts takes its memory once.
    return frozenset(map(sys.intern, found or plain.split()))


def _pieces(word: str) -> Iterable[str]:
    for run in _RUN.findall(word):
        if len(run) < 3 or not re.match(f"[{_UNSPACED}]", run):
            yield run
        else:
            yield from (run[place : place + 2] for place in range(len(run) - 1))


def is_close(one: Words, other: Words) -> bool:
    """Whether about a word was changed, or one in ten: (5 + 1) words of 6 and 11 of 12 are, 3 of 5 are not."""
    either = len(one | other)
    changed = either - len(one & other)
    return changed <= max(CHANGED, CHANGED_SHARE * either) and either - changed >= SHARED * either


@dataclass(frozen=True)
class Likeness:
    """How much of what two texts say is the same, where rare words say more than common ones.

    Without the weights, "What are the symptoms of asthma?" would be nearly "What are the symptoms of cholera?".
    """

    weights: Mapping[str, int]
    """Whole numbers, so that a word can be counted as so many words (see `lookalikes`)."""
    unknown: int = 1
    """Of words that are not among them."""

    @classmethod
    def among(cls, texts: Iterable[Words]) -> Likeness:
        """Each word weighs the logarithm of how many times fewer `texts` have it than there are (as in tf-idf), at least 1."""
        counted: Counter[str] = Counter()
        number = 0
        for words in texts:
            counted.update(words)
            number += 1
        weights = {word: _weight(number / some) for word, some in counted.items()}
        return cls(weights, _weight(max(1, number)))

    def weight(self, words: Iterable[str]) -> int:
        return sum(self.weights.get(word, self.unknown) for word in words)

    def of(self, one: Words, other: Words) -> float:
        """Weighted Jaccard similarity, 0 to 1; 0 where more than about a word was changed."""
        if one == other:
            return 1.0
        return self.weight(one & other) / self.weight(one | other) if is_close(one, other) else 0.0


def _weight(times: float) -> int:
    return max(1, round(math.log(times)))
