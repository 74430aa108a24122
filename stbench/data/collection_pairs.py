"""The relevant pairs of a collection as rows, and what there is in it: all that a plan needs to know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stbench.cache import Store, key_of
from stbench.data.collection import Collection, CollectionFiles, joined, read_corpus, read_qrels, read_queries


@dataclass(frozen=True)
class Pairs:
    """The relevant pairs of each split as files of rows, and what there is in the collection."""

    files: Mapping[str, Path]
    documents: int
    queries: Mapping[str, int] = field(default_factory=dict)
    """Judged queries by split."""
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Judgements that could not be used, by split and reason."""
    graded: bool = False
    """Whether some documents are more relevant than others."""


def relevant_pairs(files: CollectionFiles, store: Store) -> Pairs:
    """Rows `anchor`, `positive` for each split of `files`, kept by content.

    Raises `Refused` when a file cannot be read, or when a split has no relevant pair.
    """

    def build(folder: Path) -> None:
        corpus, queries = read_corpus(files.corpus, files.titles), read_queries(files.queries)
        judged = {split: joined(corpus, queries, [read_qrels(file)], str(file)) for split, file in files.qrels.items()}
        for split, part in judged.items():
            with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as stream:
                stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(part))
        about = {
            "documents": len(corpus),
            "queries": {split: len(part.queries) for split, part in judged.items()},
            "left_out": {split: dict(part.counts) for split, part in judged.items()},
            "graded": any(part.graded for part in judged.values()),
        }
        (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")

    folder = store.product("collection", key_of("pairs", files.digest()), build)
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    return Pairs({split: folder / f"{split}.jsonl" for split in files.qrels}, **about)


def _rows(judged: Collection) -> Iterator[dict[str, str]]:
    for query, documents in judged.grades.items():
        for document, grade in documents.items():
            if grade > 0:
                yield {"anchor": judged.queries[query], "positive": judged.corpus[document]}
