"""Held-out rows as queries, documents and judgements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from small_evaluators import QUESTIONS, evaluator, model

from stbench.cache import Store
from stbench.data.splits import content_hash
from stbench.evaluation.collection import by_label, collection_of


def of(**columns: list[Any]) -> Any:
    from datasets import Dataset

    return collection_of(Dataset.from_dict(columns))


def test_grades_and_the_better_of_two_judgements_are_kept() -> None:
    found = of(anchor=["q", "q"], documents=[["a", "b"], ["b", "c"]], relevance=[[2, 0], [1, 0]])
    key = content_hash("q")
    assert found.grades[key] == {content_hash("a"): 2.0, content_hash("b"): 1.0, content_hash("c"): 0.0}
    assert found.relevant[key] == {content_hash("a"), content_hash("b")}


def test_irrelevant_texts_of_labelled_pairs_are_searched_too() -> None:
    found = of(anchor=["q", "q"], positive=["a", "b"], label=[1, 0])
    assert set(found.corpus.values()) == {"a", "b"}
    assert found.relevant[content_hash("q")] == {content_hash("a")}


def test_each_labelled_text_searches_the_others_for_its_label() -> None:
    texts = [f"text {i}" for i in range(20)]
    labels = [i % 3 for i in range(20)]
    found = by_label(texts, labels)
    assert set(found.queries.values()) == set(found.corpus.values()) == set(texts)
    by_text = dict(zip(texts, labels, strict=True))
    for query, relevant in found.relevant.items():
        text = found.queries[query]
        assert {found.corpus[key] for key in relevant} == {
            other for other in texts if by_text[other] == by_text[text] and other != text
        }
        assert found.itself[query] == query
    assert by_label(texts[::-1], labels[::-1]) == found


def test_a_text_whose_label_nobody_else_has_is_searched_and_does_not_search() -> None:
    found = by_label([f"text {i}" for i in range(9)], [*range(8), 0])
    assert set(found.queries.values()) == {"text 0", "text 8"}
    assert len(found.corpus) == 9


def test_a_labelled_text_never_finds_itself(tmp_path: Path) -> None:
    """The nearest neighbour decides accuracy@1: three labels in three places of the plane, one text astray."""
    from datasets import Dataset

    rows = Dataset.from_dict({"text": [*QUESTIONS[:6]], "label": [0, 0, 1, 1, 2, 2]})
    recorder = evaluator("retrieval", "sentence_transformer", Store(tmp_path, "on"), rows=rows)
    encoder = model("sentence_transformer", "retrieval")
    recorder(encoder)
    embedded = encoder.encode(QUESTIONS[:6])
    similarity = encoder.similarity(embedded, embedded).numpy()
    np.fill_diagonal(similarity, -np.inf)
    expected = [
        rows["label"][place] == rows["label"][nearest] for place, nearest in enumerate(similarity.argmax(axis=1))
    ]
    assert recorder.outcomes["accuracy@1"].tolist() == [float(right) for right in expected]
