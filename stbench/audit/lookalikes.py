"""Which of many texts may be like which others, without comparing all with all: MinHash and locality-sensitive hashing.

Weights of words are whole numbers here, and a word of weight 3 is hashed as three words: the Jaccard similarity of such
sets is the weighted one of the texts. A text's MinHash is the union of those of its words, each of which is made once.
Half a million short texts take about a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stbench.audit.words import Likeness, Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

BANDS, ROWS = 32, 4
"""Texts of similarity 0.5, 0.6, 0.7 meet with probability 0.87, 0.99, 1.00; those of 0.3, 0.2, 0.1 with 0.23, 0.05, 0.00."""


def lookalikes(
    texts: Sequence[Words], held: Sequence[Words], likeness: Likeness, least: float
) -> Iterator[tuple[int, list[int]]]:
    """(place in `texts`, places in `held` of those that it may be like), for texts that may be like any.

    Some texts below `least` are among them, and a few above it are not.
    """
    from datasketch import MinHash, MinHashLSH

    known = {word: place for place, word in enumerate(sorted(set().union(*held)))}
    table = _of_words(known, likeness)
    # The index keeps nothing of what it is given, so one object stands for all texts in turn.
    text = MinHash(num_perm=BANDS * ROWS)
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    for place, words in enumerate(held):
        text.hashvalues = table[[known[word] for word in words]].min(axis=0)
        index.insert(place, text)
    for place, words in enumerate(texts):
        shared = words & known.keys()
        # Words that no held text has could only make the similarity smaller.
        if shared and likeness.weight(shared) >= least * likeness.weight(words):
            text.hashvalues = table[[known[word] for word in shared]].min(axis=0)
            if found := index.query(text):
                yield place, sorted(found)


def _of_words(words: Iterable[str], likeness: Likeness) -> NDArray[Any]:
    """Shape (words, BANDS * ROWS)."""
    import numpy as np
    import xxhash
    from datasketch import MinHash

    copies = (
        [f"{word} {copy}".encode("utf-8", "surrogatepass") for copy in range(likeness.weight([word]))] for word in words
    )
    made = MinHash.generator(copies, num_perm=BANDS * ROWS, hashfunc=xxhash.xxh32_intdigest)
    return np.stack([one.hashvalues for one in made])
