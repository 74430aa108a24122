from __future__ import annotations

from planted import changed, questions, sentences

from stbench.audit.lookalikes import lookalikes
from stbench.audit.words import Likeness, Words, words_of

LEAST = 0.5


def met(texts: list[Words], held: list[Words]) -> set[tuple[int, int]]:
    found = lookalikes(texts, held, Likeness.among([*texts, *held]), LEAST)
    return {(place, other) for place, others in found for other in others}


def test_texts_like_others_meet_and_hardly_any_others_do() -> None:
    texts = [words_of(text) for text in sentences(400, seed=1, words=(8, 14))]
    held = [words_of(changed(text, place)) for place, text in enumerate(sentences(400, seed=1, words=(8, 14)))]
    likeness = Likeness.among([*texts, *held])
    same = [place for place in range(400) if likeness.of(texts[place], held[place]) >= 0.6]
    found = met(texts, held)
    assert len(same) > 300
    assert sum((place, place) in found for place in same) >= 0.98 * len(same)
    assert sum(place != other for place, other in found) < 0.02 * 400 * 400


def test_common_words_alone_bring_no_texts_together() -> None:
    texts = [words_of(text) for text in questions(1500)]
    assert not met(texts[:1000], texts[1000:])


def test_one_rare_word_brings_texts_together_that_share_no_other() -> None:
    texts = [words_of(f"x{number} a{number} b{number}") for number in range(50)]
    held = [words_of(f"x{number} c{number} d{number}") for number in range(50)]
    likeness = Likeness({f"x{number}": 12 for number in range(50)})
    found = lookalikes(texts, held, likeness, LEAST)
    assert sum(place in others for place, others in found) > 45


def test_texts_with_too_few_words_in_common_are_not_looked_up() -> None:
    long, short = words_of("a b c d e f g h"), words_of("a b c")
    likeness = Likeness(dict.fromkeys("abcdefgh", 1))
    assert list(lookalikes([long, short, words_of("x y")], [short], likeness, LEAST)) == [(1, [0])]
