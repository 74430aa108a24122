"""Held-out rows as queries, documents and judgements."""

from __future__ import annotations

from typing import Any

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


def test_half_of_the_labelled_texts_search_the_other_half() -> None:
    texts = [f"text {i}" for i in range(20)]
    labels = [i % 3 for i in range(20)]
    found = by_label(texts, labels)
    assert not set(found.queries) & set(found.corpus)
    assert len(found.corpus) == 10
    by_text = dict(zip(texts, labels, strict=True))
    for query, relevant in found.relevant.items():
        searched = {key for key, text in found.corpus.items() if by_text[text] == by_text[found.queries[query]]}
        assert relevant == searched != set()
    assert by_label(texts[::-1], labels[::-1]) == found


def test_a_text_whose_label_nobody_else_has_is_not_asked() -> None:
    found = by_label([f"text {i}" for i in range(9)], [*range(8), 0])
    assert len(found.queries) <= 1


def test_texts_alone_are_searched_by_their_damaged_copies() -> None:
    found = of(damaged=["text 0", "text 1"], text=["text number 0", "text number 1"])
    answers = [{found.corpus[key] for key in found.relevant[query]} for query in found.queries]
    assert answers == [{"text number 0"}, {"text number 1"}]
    assert list(found.queries.values()) == ["text 0", "text 1"]
