"""BM25, the yardstick of retrieval, as the bm25s library has it: Lucene's form with k1 = 1.5 and b = 0.75.

Lù 2024, arXiv:2407.03618. Stemmers are Snowball's (PyStemmer), stop words those of bm25s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stbench.cache import Store, key_of
from stbench.data.collection import Collection, texts_digest

NAME = "BM25"
STEMMED = frozenset(
    ("ar", "ca", "da", "de", "el", "en", "es", "eu", "fi", "fr", "ga", "hi", "hu", "hy", "id", "it", "lt", "ne", "nl", "no",
     "pt", "ro", "ru", "sr", "sv", "ta", "tr", "yi")
)  # fmt: skip
"""Languages with a stemmer."""
STOPPED = frozenset(("en", "de", "nl", "fr", "es", "pt", "it", "ru", "sv", "no", "zh", "tr", "ko", "da"))
"""Languages with stop words."""
UNSPACED = frozenset(("zh", "ja", "th", "lo", "km", "my"))
"""Languages whose words are not set apart: each of their characters is a token."""
WORD, CHARACTER = r"(?u)\b\w\w+\b", r"(?u)\w"


def ranked(
    queries: Sequence[str], documents: Sequence[str], depth: int, language: str, store: Store
) -> list[list[int]]:
    """For each query the positions of up to `depth` documents, best first; only documents that share a word with it."""
    import bm25s

    depth = min(depth, len(documents))
    texts = [texts_digest(("", text) for text in part) for part in (queries, documents)]

    def build(folder: Path) -> None:
        (folder / "ranks.json").write_text(json.dumps(_search(queries, documents, depth, language)), encoding="utf-8")

    key = key_of("bm25", bm25s.__version__, depth, language, texts)
    ranks: list[list[int]] = json.loads((store.product("bm25", key, build) / "ranks.json").read_text(encoding="utf-8"))
    return ranks


def rankings_of(collection: Collection, depth: int, language: str, store: Store) -> dict[str, list[str]]:
    """Ids of the documents that BM25 finds for each query of `collection`, best first."""
    keys = list(collection.corpus)
    ranks = ranked(list(collection.queries.values()), list(collection.corpus.values()), depth, language, store)
    return {query: [keys[place] for place in places] for query, places in zip(collection.queries, ranks, strict=True)}


def describe(language: str) -> str:
    """What is done to the words of `language`."""
    if language in UNSPACED:
        return f"each character of '{language}' is a word"
    done = [what for what, known in (("stemmer", STEMMED), ("stop words", STOPPED)) if language in known]
    return f"{' and '.join(done) or 'no stemmer and no stop words'} for '{language}'"


def _search(queries: Sequence[str], documents: Sequence[str], depth: int, language: str) -> list[list[int]]:
    import bm25s

    corpus = _tokens(documents, language)
    if not any(len(ids) for ids in corpus.ids):
        return [[] for _ in queries]
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
    index.index(corpus, show_progress=False)
    found = index.retrieve(_tokens(queries, language), k=depth, show_progress=False, backend_selection="numpy")
    return [
        [int(place) for place, score in zip(places, scores, strict=True) if score > 0]
        for places, scores in zip(found.documents, found.scores, strict=True)
    ]


def _tokens(texts: Sequence[str], language: str) -> Any:
    import bm25s
    import Stemmer

    return bm25s.tokenize(
        list(texts),
        token_pattern=CHARACTER if language in UNSPACED else WORD,
        stopwords=language if language in STOPPED else None,
        stemmer=Stemmer.Stemmer(language) if language in STEMMED else None,
        show_progress=False,
    )
