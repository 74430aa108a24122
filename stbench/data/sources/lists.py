"""Rows with lists of positives and negatives (query, pos, neg), as FlagEmbedding and its users write them.

https://github.com/FlagOpen/FlagEmbedding: `pos_scores` and `neg_scores` are a teacher's, `prompt` is put before the query.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from stbench.cache import Store, digest_of, key_of
from stbench.data.sources.reading import first_row, rows_of
from stbench.data.sources.source import SPLITS, Note, Source
from stbench.data.sources.tables import BATCH
from stbench.errors import Problem, Refused

USUAL_NEGATIVES = 7
"""Negatives a row where nobody says how many: a training group of 8, as FlagEmbedding has it."""


@dataclass(frozen=True)
class _Entry:
    """One query with its texts; scores only where each text has one."""

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...]
    positive_scores: tuple[float, ...] = ()
    negative_scores: tuple[float, ...] = ()

    @property
    def scored(self) -> bool:
        return bool(self.positive_scores) and len(self.negative_scores) == len(self.negatives)


@dataclass
class _Survey:
    """What a look at all rows tells."""

    queries: int = 0
    unusable: int = 0
    """Rows without query or positive."""
    scored: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    """How many queries have how many negatives."""
    prompts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Made:
    """What became of the rows."""

    negatives: int
    shortest: int
    longest: int
    scored: bool
    partly_scored: int
    left_out: Mapping[str, int]
    prompt: str


def normalised(source: Source, wanted: int | None, store: Store) -> Source:
    """`source` with rows of lists turned into rows of texts: anchor, positive, negative_1 … and, where all are scored, scores.

    A positive is a row. A row has the first `wanted` negatives, or as many as every row can fill, up to 7. `scores` begin with
    the positive's. Other rows stay as they are.

    Raises `Refused` for lists that hold something else than texts or numbers, and when nothing is left.
    """
    notes: list[Note] = []
    files: dict[str, tuple[Path, ...]] = {}
    for split in SPLITS:
        files[split] = source.files(split)
        if files[split] and all(map(_has_lists, files[split])):
            files[split], made = _texts(files[split], wanted, store)
            # Those of the training rows, or of what there is instead.
            notes = notes or list(_notes(split, made, wanted))
    if wanted is not None and not notes:
        what = "the rows have no lists of negatives (columns query, pos, neg)"
        raise Refused(Problem(what, f"dataset.num_negatives={wanted}", "leave it out"))
    if not notes:
        return source
    return replace(
        source, train=files["train"], validation=files["validation"], test=files["test"], notes=(*source.notes, *notes)
    )


def _has_lists(file: Path) -> bool:
    # What cannot be read is told by whoever reads it as a whole.
    with suppress(Refused):
        row = first_row(file) or {}
        return "query" in row and any(isinstance(row.get(name), list) for name in ("pos", "neg"))
    return False


def _texts(files: Sequence[Path], wanted: int | None, store: Store) -> tuple[tuple[Path, ...], _Made]:
    def build(folder: Path) -> None:
        made = _plan(_survey(files), wanted, files)
        left_out = _write(files, made, folder / "rows.parquet")
        (folder / "made.json").write_text(json.dumps(asdict(replace(made, left_out=left_out))), encoding="utf-8")

    key = key_of("lists", [digest_of(file) for file in files], wanted, digest_of(Path(__file__)))
    folder = store.product("data", key, build)
    made = _Made(**json.loads((folder / "made.json").read_text(encoding="utf-8")))
    return (folder / "rows.parquet",), made


def _survey(files: Iterable[Path]) -> _Survey:
    found = _Survey()
    for file in files:
        for entry, prompt in _entries(file):
            if entry is None:
                found.unusable += 1
                continue
            found.queries += 1
            found.scored += entry.scored
            found.lengths[len(entry.negatives)] += 1
            found.prompts[prompt] += 1
    return found


def _plan(found: _Survey, wanted: int | None, files: Sequence[Path]) -> _Made:
    where = ", ".join(map(str, files))
    if not found.queries:
        raise Refused(Problem("no row has both a query and a positive", where, "mend the file"))
    filled = [length for length in found.lengths if length] or [0]
    if wanted is not None and wanted > max(filled):
        mend = f"dataset.num_negatives={max(filled)}" if max(filled) else "leave it out: there are none"
        what = f"no row has so many negatives (the longest list has {max(filled)})"
        raise Refused(Problem(what, f"dataset.num_negatives={wanted}", mend))
    scored = found.scored == found.queries
    return _Made(
        negatives=min([*filled, USUAL_NEGATIVES]) if wanted is None else wanted, shortest=min(filled), longest=max(filled),
        scored=scored, partly_scored=0 if scored else found.scored, left_out={},
        prompt=found.prompts.most_common(1)[0][0],
    )  # fmt: skip


def _write(files: Iterable[Path], made: _Made, target: Path) -> dict[str, int]:
    """Writes the rows, and returns how many queries were left out, by reason."""
    import pyarrow
    from pyarrow import parquet

    left_out: Counter[str] = Counter()
    names = ["anchor", "positive", *(f"negative_{number}" for number in range(1, made.negatives + 1))]
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    if made.scored:
        schema = schema.append(pyarrow.field("scores", pyarrow.list_(pyarrow.float64())))
    rows = (row for file in files for row in _rows(file, made, names, left_out))
    with parquet.ParquetWriter(target, schema) as writer:
        while batch := list(islice(rows, BATCH)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))
    return dict(left_out)


def _rows(file: Path, made: _Made, names: Sequence[str], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    for entry, _ in _entries(file):
        if entry is None:
            left_out["without a query or a positive"] += 1
        elif len(entry.negatives) < made.negatives:
            left_out[f"with fewer than {made.negatives} negatives"] += 1
        else:
            for number, positive in enumerate(entry.positives):
                negatives = entry.negatives[: made.negatives]
                row: dict[str, Any] = dict(zip(names, (entry.query, positive, *negatives), strict=True))
                if made.scored:
                    row["scores"] = [entry.positive_scores[number], *entry.negative_scores[: made.negatives]]
                yield row


def _entries(file: Path) -> Iterator[tuple[_Entry | None, str]]:
    """Each row of `file` as an entry, None where it lacks a query or a positive, and its prompt."""
    for number, row in enumerate(rows_of(file), 1):
        yield _entry(row, f"{file}, row {number}"), str(row.get("prompt") or "")


def _entry(row: Mapping[str, Any], where: str) -> _Entry | None:
    query = row.get("query")
    if not isinstance(query, str | None):
        raise Refused(Problem(f"the query is no text: {query!r:.60}", where, "mend the row"))
    positives, positive_scores = _scored_texts(row, "pos", where)
    known = set(positives)
    pairs = list(zip(*_padded(*_scored_texts(row, "neg", where)), strict=True))
    # A text that answers the query is no negative, wherever it stands.
    pairs = [(text, score) for text, score in pairs if text not in known]
    if not query or not query.strip() or not positives:
        return None
    negative_scores = tuple(score for _, score in pairs if score is not None)
    return _Entry(query, positives, tuple(text for text, _ in pairs), positive_scores, negative_scores)


def _padded(texts: Sequence[str], scores: Sequence[float]) -> tuple[Sequence[str], Sequence[float | None]]:
    return texts, scores if scores else [None] * len(texts)


def _scored_texts(row: Mapping[str, Any], name: str, where: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Texts of a list that are not blank, and their scores if there are as many."""
    texts = [row[name]] if isinstance(row.get(name), str) else row.get(name) or []
    if not isinstance(texts, list) or not all(isinstance(text, str | None) for text in texts):
        raise Refused(Problem(f"'{name}' is no list of texts", where, 'write it as ["…", "…"]'))
    scores = row.get(f"{name}_scores") or []
    if not isinstance(scores, list) or not all(isinstance(score, int | float) for score in scores):
        raise Refused(
            Problem(f"'{name}_scores' is no list of numbers", where, "write it as [1.5, 0.25], or leave it out")
        )
    if scores and len(scores) != len(texts):
        what = f"'{name}' has {len(texts)} texts and '{name}_scores' {len(scores)} numbers"
        raise Refused(Problem(what, where, "give each text its score"))
    kept = [index for index, text in enumerate(texts) if text and text.strip()]
    return tuple(texts[index] for index in kept), tuple(float(scores[index]) for index in kept if scores)


def _notes(split: str, made: _Made, wanted: int | None) -> Iterator[Note]:
    lists = f"{made.negatives} negatives" if made.negatives != 1 else "1 negative"
    scores = " and their scores" if made.scored else ""
    value = (
        f"query, pos, neg → anchor, positive, {lists}{scores}" if made.negatives else "query, pos → anchor, positive"
    )
    yield Note("lists", value, "; ".join(_reasons(made, wanted)))
    if made.prompt:
        yield Note("prompt", made.prompt, "in the data, and not put before the queries by itself")


def _reasons(made: _Made, wanted: int | None) -> Iterator[str]:
    yield "a row for each positive"
    if made.longest > made.negatives:
        known = (
            f"the lists have {made.shortest} to {made.longest}"
            if made.shortest < made.longest
            else f"of {made.longest}"
        )
        yield f"the first of each list, {known}" + ("; dataset.num_negatives=N takes more" if wanted is None else "")
    if made.partly_scored:
        yield f"only {made.partly_scored:,} queries are scored in full, so the scores are not used"
    for reason, number in made.left_out.items():
        yield f"left out: {number:,} {reason}"
