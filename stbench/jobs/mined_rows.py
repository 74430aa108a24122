"""Mined negatives as rows of a data set, with what the miner thought of them.

The columns of the scores have names that no role is recognised by: a similarity is no label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from stbench.cache import key_of
from stbench.config.sentence import Shape

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset

SCORES, RANKS = "mined_scores", "mined_ranks"
"""One of each for every text beside the anchor, the positive's first; null for the positive's rank and for random fillers."""
SCORE, RANK = "mined_score", "mined_rank"
"""The same where a row has one such text."""
CHUNK = 10_000
"""Rows that are Python objects at a time."""
Row = dict[str, Any]


class Pair(NamedTuple):
    """One anchor with its positive and all of its negatives."""

    anchor: str
    texts: Sequence[str]
    """The positive first."""
    scores: Sequence[float | None]
    ranks: Sequence[int | None]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Pair:
        """From a row of `Mined.lists`; random documents stand after those that were found."""
        texts = [row["positive"], *row["negatives"]]
        scores = [*row["scores"], *[None] * (len(texts) - len(row["scores"]))]
        ranks = [None, *row["ranks"], *[None] * (len(row["negatives"]) - len(row["ranks"]))]
        return cls(row["anchor"], texts, scores, ranks)


def write_rows(lists: Dataset, shape: Shape, num: int, file: Path) -> int:
    """Writes `lists` (see `Mined.lists`) as rows of `shape`, each once; returns how many there are."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema, rows = _schema(shape, num), _each_once(row for one in lists for row in _SHAPED[shape](Pair.of(one), num))
    number = 0
    with ParquetWriter(file, schema) as writer:
        while chunk := list(islice(rows, CHUNK)):
            writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))
            number += len(chunk)
    return number


def _triplets(pair: Pair, num: int) -> Iterator[Row]:
    for text, score, rank in zip(pair.texts[1:], pair.scores[1:], pair.ranks[1:], strict=True):
        kept = {SCORES: [pair.scores[0], score], RANKS: [None, rank]}
        yield {"anchor": pair.anchor, "positive": pair.texts[0], "negative": text, **kept}


def _tuples(pair: Pair, num: int) -> Iterator[Row]:
    """All rows have the same columns, so a pair with too few negatives makes none."""
    positive, *negatives = pair.texts
    if len(negatives) == num:
        numbered = {f"negative_{number}": text for number, text in enumerate(negatives, 1)}
        yield {"anchor": pair.anchor, "positive": positive, **numbered, SCORES: pair.scores, RANKS: pair.ranks}


def _labelled(pair: Pair, num: int) -> Iterator[Row]:
    for place, (text, score, rank) in enumerate(zip(pair.texts, pair.scores, pair.ranks, strict=True)):
        yield {"anchor": pair.anchor, "positive": text, "label": int(place == 0), SCORE: score, RANK: rank}


def _ranked(pair: Pair, num: int) -> Iterator[Row]:
    if len(pair.texts) > 1:
        relevance = [1.0] + [0.0] * (len(pair.texts) - 1)
        lists = {"documents": pair.texts, "relevance": relevance, SCORES: pair.scores, RANKS: pair.ranks}
        yield {"anchor": pair.anchor, **lists}


_SHAPED: dict[Shape, Callable[[Pair, int], Iterator[Row]]] = {
    "triplet": _triplets,
    "n_tuple": _tuples,
    "labeled_pair": _labelled,
    "ranked_list": _ranked,
}


def _each_once(rows: Iterator[Row]) -> Iterator[Row]:
    """A query with several positives has the same negatives with each of them."""
    seen: set[str] = set()
    for row in rows:
        content = key_of({name: value for name, value in row.items() if not name.startswith("mined_")})
        if content not in seen:
            seen.add(content)
            yield row


def _schema(shape: Shape, num: int) -> Any:
    import pyarrow

    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    names = {
        "triplet": ["positive", "negative"],
        "n_tuple": ["positive", *(f"negative_{place}" for place in range(1, num + 1))],
        "labeled_pair": ["positive"],
    }.get(shape, [])
    fields = [("anchor", text), *((name, text) for name in names)]
    if shape == "labeled_pair":
        return pyarrow.schema([*fields, ("label", whole), (SCORE, number), (RANK, whole)])
    if shape == "ranked_list":
        fields += [("documents", pyarrow.list_(text)), ("relevance", pyarrow.list_(number))]
    return pyarrow.schema([*fields, (SCORES, pyarrow.list_(number)), (RANKS, pyarrow.list_(whole))])
