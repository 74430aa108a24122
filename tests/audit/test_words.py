from __future__ import annotations

import pytest

from stbench.audit.words import LONGEST, Likeness, is_close, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What IS  it?", {"what", "is", "it"}),
        ("state-of-the-art, e-mail", {"state", "of", "the", "art", "e", "mail"}),
        ("ﬁne Straße", {"fine", "strasse"}),
        ("हिन्दी में।", {"हिन्दी", "में"}),
        ("取消订单", {"取消", "消订", "订单"}),
        ("訂單 abc订", {"訂單", "abc", "订"}),
        ("?! ...", {"?!", "..."}),
        ("  ", set()),
    ],
)
def test_words_are_what_a_text_says_without_case_and_signs(text: str, words: set[str]) -> None:
    assert words_of(text) == words


def test_only_the_beginning_of_a_long_text_counts() -> None:
    assert words_of("word " * LONGEST + "end") == {"word"}


@pytest.mark.parametrize(
    ("one", "other", "close"),
    [
        ("a b c d", "a b c e", True),
        ("a b c", "a b d", False),
        ("a b c d e", "a b c x y", False),
        ("a b c d e f", "a b c d e f g h", True),
        ("a b c d e f", "a b c d e f g h i", False),
        (" ".join(map(str, range(40))), " ".join(map(str, range(4, 44))), True),
        (" ".join(map(str, range(40))), " ".join(map(str, range(9, 49))), False),
    ],
)
def test_about_a_word_may_be_changed(one: str, other: str, close: bool) -> None:
    assert is_close(words_of(one), words_of(other)) == is_close(words_of(other), words_of(one)) == close


def test_rare_words_say_more() -> None:
    texts = [words_of(f"what are the symptoms of x{number}") for number in range(1000)]
    likeness = Likeness.among(texts)
    assert (likeness.weights["what"], likeness.weights["x7"], likeness.unknown) == (1, 7, 7)
    asked = texts[7]
    assert likeness.of(asked, texts[8]) == pytest.approx(5 / (5 + 14))
    assert likeness.of(asked, words_of("what are the signs of x7")) == pytest.approx(11 / (11 + 1 + 7))
    assert likeness.of(asked, words_of("which are the usual symptoms of x7")) == 0
    assert likeness.of(asked, words_of("X7: what of the symptoms? are")) == 1


def test_nothing_weighs_nothing() -> None:
    assert Likeness.among([]).weights == {}
