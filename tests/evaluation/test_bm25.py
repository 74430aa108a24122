"""BM25 is what its definition says, in the languages that its libraries know, and is computed once."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from stbench.cache import Store
from stbench.data.collection import joined
from stbench.evaluation import bm25
from stbench.evaluation.bm25 import STEMMED, STOPPED, describe, ranked, rankings_of

DOCUMENTS = [
    "red apples and green apples",
    "the apple fell far from the tree of knowledge, they say",
    "green green trees",
    "nothing at all",
    "running dogs run",
]
QUERIES = ["green apples", "tree", "the", "runs", "zebra"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


def lucene(query: list[str], documents: list[list[str]]) -> list[int]:
    """Robertson's formula with Lucene's idf, k1 = 1.5, b = 0.75; positions of documents above zero, best first."""
    average = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in query:
            having, times = sum(word in other for other in documents), document.count(word)
            idf = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
            score += idf * times / (times + 1.5 * (0.25 + 0.75 * len(document) / average))
        scores.append(score)
    order = sorted(range(len(documents)), key=lambda place: -scores[place])
    return [place for place in order if scores[place] > 0]


def test_ranks_are_those_of_the_formula(store: Store) -> None:
    words = [[word.strip(",") for word in text.split()] for text in DOCUMENTS]
    expected = [lucene(query.split(), words) for query in QUERIES]
    assert ranked(QUERIES, DOCUMENTS, 5, "unknown", store) == expected
    assert [len(ranks) for ranks in expected] == [2, 1, 1, 0, 0]


def test_english_words_are_stemmed_and_stop_words_left_out(store: Store) -> None:
    found = ranked(QUERIES, DOCUMENTS, 5, "en", store)
    assert [set(ranks) for ranks in found] == [{0, 1, 2}, {1, 2}, set(), {4}, set()]


def test_a_language_without_spaces_is_read_by_characters(store: Store) -> None:
    documents = ["机器学习很有趣", "今天天气很好"]
    assert ranked(["学习"], documents, 2, "zh", store) == [[0]]
    assert ranked(["学习"], documents, 2, "en", store) == [[]]


@pytest.mark.parametrize("language", ["en", "unknown", "zh"])
def test_texts_without_words_find_nothing(language: str, store: Store) -> None:
    assert ranked(["a", "?"], ["", "!"], 2, language, store) == [[], []]


def test_what_is_said_of_languages_holds() -> None:
    import Stemmer
    from bm25s.tokenization import _infer_stopwords

    assert all(Stemmer.Stemmer(language) and _infer_stopwords(language) for language in STEMMED & STOPPED)
    assert all(Stemmer.Stemmer(language) for language in STEMMED)
    assert all(_infer_stopwords(language) for language in STOPPED)
    assert describe("de") == "stemmer and stop words for 'de'"
    assert describe("fi") == "stemmer for 'fi'"
    assert describe("xx") == "no stemmer and no stop words for 'xx'"
    assert "each character" in describe("ja")


def test_ranks_are_kept_by_content(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ranked(QUERIES, DOCUMENTS, 3, "en", store)
    with monkeypatch.context() as patch:
        patch.setattr(bm25, "_search", lambda *_: pytest.fail("searched again"))
        assert ranked(QUERIES, DOCUMENTS, 3, "en", store) == first
    others = [
        (QUERIES[:-1], DOCUMENTS, 3, "en"),
        (QUERIES, DOCUMENTS[:-1], 3, "en"),
        (QUERIES, DOCUMENTS, 2, "en"),
        (QUERIES, DOCUMENTS, 3, "de"),
    ]
    for arguments in others:
        made = len(store.made)
        ranked(*arguments, store)
        assert len(store.made) == made + 1


def test_no_more_documents_than_asked_for(store: Store) -> None:
    assert [len(ranks) for ranks in ranked(["green apples tree"], DOCUMENTS, 2, "en", store)] == [2]


def test_rankings_are_by_the_ids_of_the_collection(store: Store) -> None:
    corpus = {f"d{place}": text for place, text in enumerate(DOCUMENTS)}
    collection = joined(corpus, {"q": "trees", "r": "zebra"}, [{"r": {"d1": 1.0}, "q": {"d2": 1.0}}], "")
    assert rankings_of(collection, 10, "en", store) == {"r": [], "q": ["d2", "d1"]}
