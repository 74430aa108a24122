"""Readers of collections: BEIR's and TREC's files, and a message with file and line for everything that is wrong in them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_collection import THINGS, write_collection, write_jsonl, write_qrels

from stbench.data.collection import (
    Collection,
    CollectionFiles,
    joined,
    read_corpus,
    read_qrels,
    read_queries,
)
from stbench.errors import Problem, Refused


def problem(call: Callable[..., Any], *arguments: Any) -> Problem:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    (only,) = caught.value.problems
    assert only.mend
    return only


def files(folder: Path, **qrels: Path) -> CollectionFiles:
    return CollectionFiles(folder / "corpus.jsonl", folder / "queries.jsonl", qrels)


def read(folder: Path, qrels: Path) -> Collection:
    corpus, queries = read_corpus(folder / "corpus.jsonl", titles=True), read_queries(folder / "queries.jsonl")
    return joined(corpus, queries, [read_qrels(qrels)], str(qrels))


def written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_title_and_text_are_one_text_or_not(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "corpus.jsonl", [{"_id": "a", "title": "T", "text": "x"}, {"_id": 2, "text": "y"}])
    assert read_corpus(file, titles=True) == {"a": "T x", "2": "y"}
    assert read_corpus(file, titles=False) == {"a": "x", "2": "y"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("corpus.tsv", "7\tT x\n8\ty\n"),
        ("corpus.tsv", "7\tT\tx\n8\t\ty\n"),
        ("corpus.tsv", "docid\ttext\ttitle\n7\tx\tT\n8\ty\t\n"),
        ("corpus.jsonl", '\ufeff{"id": "7", "title": "T", "contents": "x"}\n\n{"docid": "8", "body": "y"}\n'),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_documents_come_as_lines_of_json_or_of_tabs(name: str, text: str, zipped: bool, tmp_path: Path) -> None:
    file = written(tmp_path / name, text)
    if zipped:
        file = tmp_path / f"{name}.gz"
        file.write_bytes(gzip.compress(text.encode()))
    assert read_corpus(file, titles=True) == {"7": "T x", "8": "y"}


def test_topics_of_trec_are_queries(tmp_path: Path) -> None:
    assert read_queries(written(tmp_path / "topics.tsv", "301\tship losses\n302\tpoliomyelitis\n")) == {
        "301": "ship losses",
        "302": "poliomyelitis",
    }


@pytest.mark.parametrize(
    "text",
    [
        "query-id\tcorpus-id\tscore\nq\ta\t2\nq\tb\t0\n",
        "q\ta\t2\nq\tb\t0\n",
        "q 0 a 2\nq 0 b -1\n",
        "q\t0\ta\t2\n\nq\t0\tb\t0\n",
    ],
)
def test_judgements_of_beir_and_of_trec(text: str, tmp_path: Path) -> None:
    assert read_qrels(written(tmp_path / "qrels.tsv", text)) == {"q": {"a": 2.0, "b": 0.0}}


@pytest.mark.parametrize(
    ("read", "name", "text", "what", "line"),
    [
        (read_queries, "q.jsonl", '{"_id": "1", "text": "a"}\n{"_id": \n', "not JSON", 2),
        (read_queries, "q.jsonl", '{"_id": "1", "text": "a"}\n["1"]\n', "no JSON object", 2),
        (read_queries, "q.jsonl", '{"text": "a"}\n', "has not an id", 1),
        (read_queries, "q.jsonl", '{"_id": "1"}\n', "has not a text", 1),
        (read_queries, "q.jsonl", '{"_id": "1", "text": 5}\n', "no string", 1),
        (read_queries, "q.jsonl", '{"_id": "1", "text": "a"}\n\n{"_id": "1", "text": "b"}\n', "'1' stands", 3),
        (read_queries, "q.tsv", "1\ta\n2 b\n", "this line has 1", 2),
        (read_queries, "q.tsv", "1\ta\tb\tc\n", "2 (id, text) or 3", 1),
        (read_queries, "q.tsv", "1\ta\n\tb\n", "has no id", 2),
        (read_qrels, "r.tsv", "q\ta\t1\nq\ta\tb\t1\t1\n", "this line has 5", 2),
        (read_qrels, "r.tsv", "q\ta\t1\nq\tb\tyes\n", "'yes' is not a number", 2),
        (read_qrels, "r.tsv", "q\ta\t1\nq\ta\t0\n", "twice", 2),
    ],
)
def test_a_malformed_line_is_named(read: Any, name: str, text: str, what: str, line: int, tmp_path: Path) -> None:
    found = problem(read, written(tmp_path / name, text))
    assert what in found.what
    assert found.where == f"{tmp_path / name}, line {line}"


def test_a_line_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_bytes(b"1\ta\n2\t\xff\n")
    assert problem(read_queries, tmp_path / "q.tsv").where.endswith("line 2")
    (tmp_path / "q.tsv.gz").write_bytes(b"1\ta\n")
    assert "cannot be read" in problem(read_queries, tmp_path / "q.tsv.gz").what


@pytest.mark.parametrize(("read", "name"), [(read_queries, "queries.jsonl"), (read_qrels, "qrels.tsv")])
def test_an_empty_file_is_refused(read: Any, name: str, tmp_path: Path) -> None:
    assert "there are no" in problem(read, written(tmp_path / name, "\n")).what


def test_judgements_of_unknown_ids_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c")
    judged = [("q1", "d1", 1), ("q1", "gone", 1), ("who", "d1", 1), ("q2", "d2", 0), ("q3", "gone", 1)]
    found = read(folder, write_qrels(folder / "qrels" / "test.tsv", judged))
    assert found.queries == {"q1": f"what is a {THINGS[1]}?"}
    assert found.grades == {"q1": {"d1": 1.0}}
    assert found.counts == {
        "judgements of unknown queries, left out": 1,
        "judgements of unknown documents, left out": 2,
        "queries without relevant, left out": 2,
    }
    assert len(found.corpus) == 20


def test_judgements_that_match_nothing_are_refused(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c")
    qrels = write_qrels(folder / "qrels" / "test.tsv", [("a", "b", 1), ("q1", "gone", 1)])
    found = problem(read, folder, qrels)
    assert "1 judgements of unknown queries, 1 judgements of unknown documents" in found.what
    assert found.where == str(qrels)


def collection() -> Collection:
    corpus = {f"d{i}": f"text {i}" for i in range(50)}
    return joined(corpus, {"q": "one", "r": "two"}, [{"q": {"d7": 3.0, "d8": 0.0}, "r": {"d9": 1.0}}], "")


def test_a_bounded_corpus_keeps_what_is_relevant_and_a_sample_by_content() -> None:
    whole = collection()
    assert whole.bounded(None) is whole
    assert whole.bounded(50) is whole
    some = whole.bounded(10)
    assert len(some.corpus) == 10
    assert {"d7", "d9"} <= set(some.corpus)
    assert list(some.corpus) == [key for key in whole.corpus if key in some.corpus]
    assert some.relevant == whole.relevant
    turned = Collection(dict(reversed(whole.corpus.items())), whole.queries, whole.grades)
    assert set(turned.bounded(10).corpus) == set(some.corpus)
    assert set(whole.bounded(1).corpus) == {"d7", "d9"}


def test_grades_are_seen_only_above_zero() -> None:
    assert collection().graded
    assert not collection().restricted(["q"]).graded


def test_the_digest_follows_every_part() -> None:
    whole = collection()
    others = [
        Collection({**whole.corpus, "d1": "other"}, whole.queries, whole.grades),
        Collection(whole.corpus, {**whole.queries, "q": "other"}, whole.grades),
        Collection(whole.corpus, whole.queries, {**whole.grades, "q": {"d7": 2.0}}),
        whole.restricted(["q"]),
        whole.bounded(10),
    ]
    assert len({whole.digest, *(other.digest for other in others)}) == 6
    assert whole.digest == collection().digest


def test_a_query_that_is_a_document_is_not_searched_for() -> None:
    """BEIR's rule, but for documents that only happen to have the number of the query."""
    corpus = {"1": "Title what is it", "2": "unrelated", "3": "answer"}
    judged = {"1": {"3": 1.0}, "2": {"3": 1.0}}
    found = joined(corpus, {"1": "What is  it", "2": "a question"}, [judged], "")
    assert found.itself == {"1": "1"}


def test_the_digest_of_the_files_follows_their_content_and_how_they_are_read(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c", test=range(3))
    here = files(folder, test=folder / "qrels" / "test.tsv")
    before = here.digest()
    assert CollectionFiles(here.corpus, here.queries, here.qrels, titles=False).digest() != before
    write_qrels(folder / "qrels" / "test.tsv", [("q1", "d1", 1)])
    assert here.digest() != before
