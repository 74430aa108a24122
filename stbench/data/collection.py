"""A retrieval collection: documents, queries, and judgements of which document answers which query.

Files are read as BEIR has them (corpus.jsonl, queries.jsonl, qrels of three columns) and as TREC has them (tab-separated
topics and documents, qrels of four columns), plain or gzipped.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from stbench.cache import digest_of, key_of
from stbench.data.splits import content_hash
from stbench.errors import Problem, Refused

Grades = dict[str, dict[str, float]]
"""Query id to document id to grade; above 0 is relevant."""

ID_NAMES = ("_id", "id", "docid", "doc_id", "pid", "qid", "query_id", "query-id", "doc-id")
TITLE_NAMES = ("title",)
TEXT_NAMES = ("text", "contents", "content", "body", "passage", "query", "question")


@dataclass(frozen=True)
class CollectionFiles:
    """Where a collection lies: its documents, its queries, and the judgements of each split."""

    corpus: Path
    queries: Path
    qrels: Mapping[str, Path]
    titles: bool = True
    """Whether the text of a document begins with its title."""

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.corpus, self.queries, *self.qrels.values())

    def digest(self) -> str:
        """Content of all files, and how they are read."""
        judged = {split: digest_of(file) for split, file in self.qrels.items()}
        return key_of(digest_of(self.corpus), digest_of(self.queries), judged, self.titles)


@dataclass(frozen=True)
class Collection:
    """Queries that are searched for among documents; each query has a relevant document at least."""

    corpus: Mapping[str, str]
    """Document id to text."""
    queries: Mapping[str, str]
    grades: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was left out, by name: judgements of unknown documents or queries."""

    @cached_property
    def relevant(self) -> dict[str, set[str]]:
        return {query: {key for key, grade in judged.items() if grade > 0} for query, judged in self.grades.items()}

    @cached_property
    def graded(self) -> bool:
        """Whether some documents are more relevant than others."""
        return len({grade for judged in self.grades.values() for grade in judged.values() if grade > 0}) > 1

    @cached_property
    def itself(self) -> dict[str, str]:
        """Queries that are documents themselves (the same id and the same words), which are not to be found.

        BEIR leaves out every document with the id of the query; where both are numbered from 1 that would be another one.
        """
        same = (key for key in self.queries if key in self.corpus)
        return {key: key for key in same if _plain(self.queries[key]) in _plain(self.corpus[key])}

    @cached_property
    def digest(self) -> str:
        return key_of(
            texts_digest(self.corpus.items()), texts_digest(self.queries.items()),
            {query: dict(judged) for query, judged in self.grades.items()},
        )  # fmt: skip

    def restricted(self, queries: Iterable[str]) -> Collection:
        """The same documents, some of the queries."""
        kept = [key for key in queries if key in self.grades]
        return Collection(
            self.corpus, {key: self.queries[key] for key in kept}, {key: self.grades[key] for key in kept}, self.counts
        )

    def bounded(self, documents: int | None) -> Collection:
        """At most about `documents` documents: all that are judged relevant, the others chosen by content hash."""
        if documents is None or len(self.corpus) <= documents:
            return self
        needed = {key for found in self.relevant.values() for key in found}
        others = sorted((content_hash(text), key) for key, text in self.corpus.items() if key not in needed)
        kept = needed | {key for _, key in others[: max(0, documents - len(needed))]}
        corpus = {key: text for key, text in self.corpus.items() if key in kept}
        grades = {
            query: {key: grade for key, grade in judged.items() if key in kept} for query, judged in self.grades.items()
        }
        return Collection(corpus, self.queries, grades, self.counts)


def texts_digest(items: Iterable[tuple[str, str]]) -> str:
    """Digest of ids and texts, read one by one: a corpus may be far larger than a list of it in JSON should be."""
    digest = hashlib.blake2b(digest_size=20)
    for pair in items:
        for part in pair:
            coded = part.encode("utf-8", "surrogatepass")
            digest.update(len(coded).to_bytes(8, "little") + coded)
    return digest.hexdigest()


def read_corpus(file: Path, titles: bool) -> dict[str, str]:
    """Document id to text, in the order of the file.

    Raises `Refused` for a line that cannot be read, for an id that comes twice, and for a file without documents.
    """
    return _read_texts(file, "documents", lambda title, text: f"{title} {text}".strip() if titles else text)


def read_queries(file: Path) -> dict[str, str]:
    """Query id to text; raises as `read_corpus` does."""
    return _read_texts(file, "queries", lambda title, text: text or title)


def read_qrels(file: Path) -> Grades:
    """Judgements of BEIR (`query document grade`, header or not) or TREC (`query 0 document grade`).

    Grades below zero (TREC's for spam and unjudged documents) count as 0. Raises `Refused` for a line that is neither, for a
    document that one query has twice with different grades, and for a file without judgements.
    """
    found: Grades = {}
    for number, line in _lines(file):
        cells = _cells(line)
        if len(cells) not in (3, 4):
            raise _malformed(file, number, f"a judgement has 3 or 4 columns, this line has {len(cells)}", _QRELS)
        query, document, grade = cells[0], cells[-2], _grade(cells[-1])
        if grade is None:
            if not found and number == 1:
                continue  # the header
            raise _malformed(file, number, f"the grade '{cells[-1]}' is not a number", _QRELS)
        if found.setdefault(query, {}).setdefault(document, grade) != grade:
            what = f"query '{query}' has document '{document}' twice, with different grades"
            raise _malformed(file, number, what, "keep one of the lines")
    if not found:
        raise Refused(Problem("there are no judgements in this file", str(file), _QRELS))
    return found


def joined(corpus: Mapping[str, str], queries: Mapping[str, str], judged: Iterable[Grades], where: str) -> Collection:
    """The collection with what of `judged` is about known queries and documents; the rest is left out and counted.

    Raises `Refused` when no query has a relevant document in the corpus; `where` names the files then.
    """
    grades: Grades = {}
    counts = {"judgements of unknown queries": 0, "judgements of unknown documents": 0, "queries without relevant": 0}
    for part in judged:
        for query, documents in part.items():
            if query not in queries:
                counts["judgements of unknown queries"] += len(documents)
                continue
            known = {key: grade for key, grade in documents.items() if key in corpus}
            counts["judgements of unknown documents"] += len(documents) - len(known)
            grades.setdefault(query, {}).update(known)
    lacking = [query for query, known in grades.items() if not any(grade > 0 for grade in known.values())]
    for query in lacking:
        del grades[query]
    counts["queries without relevant"] = len(lacking)
    if not grades:
        told = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
        mend = "check that corpus, queries and judgements belong together: their ids must be the same"
        raise Refused(Problem(f"no query has a relevant document in the corpus ({told})", where, mend))
    return Collection(corpus, {query: queries[query] for query in grades}, grades, _said(counts))


def _said(counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{what}, left out": number for what, number in counts.items() if number}


_QRELS = "write `query-id<TAB>corpus-id<TAB>score` (BEIR) or `query-id 0 corpus-id score` (TREC) in each line"


def _cells(line: str) -> list[str]:
    cells = line.split("\t") if "\t" in line else line.split()
    return [cell.strip() for cell in cells]


def _grade(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _read_texts(file: Path, what: str, join: Callable[[str, str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    rows = _json_rows(file) if _is_json(file) else _table_rows(file)
    for number, key, title, text in rows:
        if key in found:
            mend = "give each a name of its own"
            raise _malformed(file, number, f"the id '{key}' stands in this file twice", mend)
        found[key] = join(title, text)
    if not found:
        raise Refused(Problem(f"there are no {what} in this file", str(file), "check that it is the right file"))
    return found


def _is_json(file: Path) -> bool:
    return Path(file.name.removesuffix(".gz")).suffix in (".jsonl", ".json")


def _json_rows(file: Path) -> Iterator[tuple[int, str, str, str]]:
    """(line, id, title, text) of each line."""
    mend = 'write each line as {"_id": "…", "title": "…", "text": "…"}'
    for number, line in _lines(file):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise _malformed(file, number, f"this line is not JSON: {error}", mend) from None
        if not isinstance(row, dict):
            raise _malformed(file, number, "this line is no JSON object", mend)
        key, text, title = (_first(row, names) for names in (ID_NAMES, TEXT_NAMES, TITLE_NAMES))
        if key in (None, "") or (text is None and title is None):
            missing = "an id" if key in (None, "") else "a text"
            raise _malformed(file, number, f"this object has not {missing} (it has {', '.join(row)})", mend)
        for value in (text, title):
            if value is not None and not isinstance(value, str):
                raise _malformed(file, number, f"the text is no string: {value!r:.60}", mend)
        yield number, str(key), title or "", text or ""


def _first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _table_rows(file: Path) -> Iterator[tuple[int, str, str, str]]:
    """(line, id, title, text) of tab-separated lines: id and text, id, title and text, or as a header says."""
    columns: list[str] | None = None
    for number, line in _lines(file):
        cells = line.split("\t")
        if number == 1 and cells[0].strip().lower() in ID_NAMES:
            columns = [cell.strip().lower() for cell in cells]
            continue
        columns = columns or {2: ["id", "text"], 3: ["id", "title", "text"]}.get(len(cells), [])
        if len(cells) != len(columns) or len(cells) < 2:
            expected = f"{len(columns)} columns" if columns else "2 (id, text) or 3 (id, title, text) columns"
            mend = "separate the columns by tabs, and have no tabs in texts"
            raise _malformed(file, number, f"expected {expected} between tabs, this line has {len(cells)}", mend)
        row = dict(zip(columns, cells, strict=True))
        if not (key := str(_first(row, ID_NAMES) or "").strip()):
            raise _malformed(file, number, "this line has no id", "give it one")
        yield number, key, (_first(row, TITLE_NAMES) or "").strip(), (_first(row, TEXT_NAMES) or "").strip()


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    with _opened(file) as stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise _malformed(file, number, f"this is not UTF-8: {error}", "save the file as UTF-8") from None
            if line.strip():
                yield number, line


@contextmanager
def _opened(file: Path) -> Iterator[Iterable[bytes]]:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, IsADirectoryError, PermissionError) as error:
        raise Refused(Problem(f"this file cannot be read: {error}", str(file), "check the file")) from None


def _malformed(file: Path, number: int, what: str, mend: str) -> Refused:
    return Refused(Problem(what, f"{file}, line {number}", mend))
