"""Made-up rows without a leak in them, and copies of some with words changed."""

from __future__ import annotations

import random
from collections.abc import Sequence

SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "da",
    "de",
    "di",
    "do",
    "ka",
    "ke",
    "ki",
    "ko",
    "la",
    "le",
    "li",
    "lo",
    "ma",
    "me",
    "mi",
    "mo",
    "na",
    "ne",
    "ni",
    "no",
    "ra",
    "re",
    "ri",
    "ro",
    "sa",
    "se",
    "si",
    "so",
    "ta",
    "te",
    "ti",
    "to",
]
WORDS = [first + second + third for first in SYLLABLES[::3] for second in SYLLABLES[::2] for third in SYLLABLES[::4]]
COMMON = [
    "the",
    "a",
    "of",
    "in",
    "is",
    "to",
    "and",
    "for",
    "with",
    "on",
    "by",
    "from",
    "at",
    "how",
    "what",
    "when",
    "does",
    "it",
    "this",
    "that",
]


def sentences(number: int, seed: int, words: tuple[int, int] = (5, 14)) -> list[str]:
    """Half of the words are common ones, the others become rarer and rarer."""
    draw = random.Random(seed)
    found = []
    for _ in range(number):
        chosen = [
            draw.choice(COMMON) if draw.random() < 0.4 else WORDS[int(len(WORDS) * draw.random() ** 3)]
            for _ in range(draw.randint(*words))
        ]
        found.append(" ".join(chosen).capitalize() + draw.choice(".?"))
    return found


def questions(number: int) -> list[str]:
    """One question about many things: only one word differs, and it is the one that counts."""
    return [f"What are the symptoms of {word} disease?" for word in WORDS[-number:]]


def changed(text: str, seed: int, words: Sequence[str] = WORDS) -> str:
    """`text` with one of its words replaced."""
    draw = random.Random(seed)
    found = text.split()
    place = draw.randrange(len(found))
    sign = found[place][-1] if found[place][-1] in ".?" else ""
    found[place] = draw.choice([word for word in words if word not in text.lower().split()]) + sign
    return " ".join(found)
