"""A retrieval collection of a few documents in BEIR's layout, and functions that write other ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

THINGS = ("hammer", "cactus", "kettle", "ladder", "violin", "anchor", "candle", "mirror", "saddle", "wallet")
"""Document `d{i}` is about thing i, document `x{i}` mentions it in passing; query `q{i}` asks for it."""


def write_jsonl(file: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def write_qrels(file: Path, judged: Iterable[tuple[str, str, object]], header: bool = True) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ["query-id\tcorpus-id\tscore"] * header + ["\t".join(map(str, row)) for row in judged]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def documents() -> list[dict[str, str]]:
    """20 documents."""
    about = [
        {"_id": f"d{i}", "title": f"The {name}", "text": f"A {name} is a thing of {i} parts."}
        for i, name in enumerate(THINGS)
    ]
    passing = [
        {"_id": f"x{i}", "title": "Remarks", "text": f"Nothing to say, but a {name} was there."}
        for i, name in enumerate(THINGS)
    ]
    return about + passing


def queries() -> list[dict[str, str]]:
    return [{"_id": f"q{i}", "text": f"what is a {name}?"} for i, name in enumerate(THINGS)]


def judgements(numbers: Iterable[int]) -> list[tuple[str, str, object]]:
    return [(f"q{i}", document, grade) for i in numbers for document, grade in ((f"d{i}", 2), (f"x{i}", 1))]


def write_collection(folder: Path, **splits: Iterable[int]) -> Path:
    """The collection with judgements of the queries with these numbers, by name of the qrels file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_jsonl(folder / "corpus.jsonl", documents())
    write_jsonl(folder / "queries.jsonl", queries())
    for name, numbers in splits.items():
        write_qrels(folder / "qrels" / f"{name}.tsv", judgements(numbers))
    return folder
