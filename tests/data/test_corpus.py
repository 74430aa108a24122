"""Documents to mine from: files of any kind, with the texts in a column that is found by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_collection import write_collection

from stbench.cache import Store
from stbench.data.beir import find
from stbench.data.corpus import corpus_of, find_corpus
from stbench.errors import Refused


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", "on")


@pytest.mark.parametrize(
    ("columns", "positive", "column"),
    [
        (["id", "text"], None, "text"),
        (["text", "answer"], "answer", "answer"),
        (["id", "Passage"], None, "Passage"),
        (["words"], None, "words"),
    ],
)
def test_the_column_with_the_texts_is_found(
    columns: list[str], positive: str | None, column: str, store: Store, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    rows = [[f"{name} {row}" for name in columns] for row in (1, 2, 1)]
    file = write_csv(tmp_path / "more.csv", columns, [*rows, ["" for _ in columns]])
    corpus = find_corpus([str(file)], positive, store)
    assert corpus.column == column
    assert corpus.read() == [f"{column} 1", f"{column} 2"]
    assert (corpus.count, corpus.name) == (4, "more.csv")


def test_several_files_are_one_corpus(store: Store, tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    for number in (1, 2):
        write_csv(tmp_path / f"part{number}.csv", ["text"], [[f"text {number}"]])
    assert find_corpus([f"{tmp_path}/part*.csv"], None, store).read() == ["text 1", "text 2"]


def test_texts_that_nobody_can_tell_are_refused(store: Store, tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    file = write_csv(tmp_path / "more.csv", ["one", "two"], [["a", "b"]])
    with pytest.raises(Refused) as caught:
        find_corpus([str(file)], "answer", store)
    assert caught.value.problems[0].mend == "call that column 'text'"


def test_a_missing_file_is_refused_by_its_option(store: Store, tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    write_csv(tmp_path / "more.csv", ["text"], [["a"]])
    with pytest.raises(Refused) as caught:
        find_corpus([f"{tmp_path}/moer.csv"], None, store)
    (problem,) = caught.value.problems
    assert problem.where == f"negatives.corpus={tmp_path}/moer.csv"
    assert problem.mend == f"did you mean negatives.corpus={tmp_path}/more.csv?"


def test_the_documents_of_a_collection_come_with_their_titles(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "some", test=range(4))
    titled, bare = (corpus_of(find(str(folder), titles), 9) for titles in (True, False))
    assert len(titled.read()) == len(bare.read())
    assert all(text.endswith(short) for text, short in zip(titled.read(), bare.read(), strict=True))
    assert titled.digest != bare.digest


def test_the_digest_follows_the_content(store: Store, tmp_path: Path, write_csv: Callable[..., Path]) -> None:
    def digest(name: str, text: str) -> str:
        return find_corpus([str(write_csv(tmp_path / name, ["text"], [[text]]))], None, store).digest

    assert digest("one.csv", "a") == digest("two.csv", "a") != digest("three.csv", "b")
