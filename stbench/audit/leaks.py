"""Samples that were trained on: word for word, or with about a word changed and the same answer.

A copy of a sample brings its answer along. Texts that are nearly the same but answered otherwise are none ("type 1" and
"type 2" of something, "bigger" and "smaller"), and in many data sets they are common.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from stbench.audit.entries import Entry, digest_of
from stbench.audit.lookalikes import lookalikes
from stbench.audit.words import Likeness, Words, is_close, words_of
from stbench.cache import Store, key_of
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from pathlib import Path

EACH, TOGETHER = 0.5, 0.65
"""Least likeness of each text of a sample, and of all of them in the mean."""
ALIKE = 0.7
"""Least share of their words that both of two answers have."""
SAME_SCORE = 0.02
"""Scores from 0 to 1 that differ by no more are the same."""
REMEMBERED = 50_000
"""Answers whose words are kept."""


class Leak(NamedTuple):
    """A training entry that gives a sample away."""

    entry: int
    sample: int
    likeness: float
    exact: bool
    """Word for word: case and white space do not count."""


def leaks_of(entries: Sequence[Entry], samples: Sequence[Entry], store: Store) -> list[Leak]:
    """Every training entry beside each sample that it gives away, by places in both sequences; kept by content."""
    import numpy as np

    def build(folder: Path) -> None:
        near = {(leak.entry, leak.sample): leak for leak in _near(entries, samples)}
        found = near | {(leak.entry, leak.sample): leak for leak in _exact(entries, samples)}
        rows = np.array([found[pair] for pair in sorted(found)], dtype=np.float64)
        np.save(folder / "leaks.npy", rows.reshape(-1, len(Leak._fields)))

    key = key_of("leaks", EACH, TOGETHER, ALIKE, SAME_SCORE, digest_of(entries), digest_of(samples))
    rows = np.load(store.product("leaks", key, build) / "leaks.npy").tolist()
    return [Leak(int(entry), int(sample), likeness, bool(exact)) for entry, sample, likeness, exact in rows]


def _exact(entries: Sequence[Entry], samples: Sequence[Entry]) -> Iterator[Leak]:
    places: dict[Hashable, list[int]] = {}
    for place, sample in enumerate(samples):
        places.setdefault(_content(sample.texts), []).append(place)
    for number, entry in enumerate(entries):
        own = [entry.texts] if entry.texts else []
        for texts in [*own, *((text,) for text in entry.mentions)]:
            for place in places.get(_content(texts), ()):
                if not entry.ordered or content_hash(texts[0]) == content_hash(samples[place].texts[0]):
                    yield Leak(number, place, 1.0, True)


def _content(texts: Sequence[str]) -> Hashable:
    return content_hash(texts[0]) if len(texts) == 1 else frozenset(map(content_hash, texts))


def _near(entries: Sequence[Entry], samples: Sequence[Entry]) -> Iterator[Leak]:
    """Pairs are looked up by the words of both texts, and then compared text by text."""
    given = [tuple(map(words_of, entry.texts)) for entry in entries]
    asked = [tuple(map(words_of, sample.texts)) for sample in samples]
    likeness = Likeness.among([words for texts in (*given, *asked) for words in texts])
    remembered = lru_cache(REMEMBERED)(words_of)
    for number, place in _candidates(given, asked, likeness):
        entry, sample = entries[number], samples[place]
        found = _likeness(given[number], asked[place], likeness, entry.ordered)
        if found and _same_answer(entry, sample, remembered):
            yield Leak(number, place, found, False)


def _candidates(
    given: Sequence[tuple[Words, ...]], asked: Sequence[tuple[Words, ...]], likeness: Likeness
) -> Iterator[tuple[int, int]]:
    entries, samples = _by_words(given), _by_words(asked)
    bags, others = list(entries), list(samples)
    for place, found in lookalikes(bags, others, likeness, EACH):
        for other in found:
            yield from product(entries[bags[place]], samples[others[other]])


def _by_words(texts: Sequence[tuple[Words, ...]]) -> dict[Words, list[int]]:
    """Places by all words of their texts; what has none is left out."""
    found: dict[Words, list[int]] = {}
    for place, parts in enumerate(texts):
        if words := frozenset[str]().union(*parts):
            found.setdefault(words, []).append(place)
    return found


def _likeness(given: tuple[Words, ...], asked: tuple[Words, ...], likeness: Likeness, ordered: bool) -> float:
    """The mean over the texts of a pair, whichever stands first; 0 where it is not enough."""
    best = 0.0
    for turned in (given,) if ordered or len(given) == 1 else (given, given[::-1]):
        each = [likeness.of(one, other) for one, other in zip(turned, asked, strict=True)]
        if min(each) >= EACH:
            best = max(best, sum(each) / len(each))
    return best if best >= TOGETHER else 0.0


def _same_answer(entry: Entry, sample: Entry, words: Callable[[str], Words]) -> bool:
    if sample.label is not None:
        return entry.label is not None and abs(entry.label - sample.label) <= SAME_SCORE
    return not sample.answers or any(_alike(*pair, words) for pair in product(entry.answers, sample.answers))


def _alike(one: str, other: str, words: Callable[[str], Words]) -> bool:
    """Without weights, which only the words of what is asked have, and a little stricter for it."""
    if one == other:
        return True
    first, second = words(one), words(other)
    return is_close(first, second) and len(first & second) >= ALIKE * len(first | second)
