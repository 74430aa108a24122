"""From loaded rows to clean splits with role names for columns: cast, cleaned, held out by content, cut to size."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stbench.config.sentence import Shape
from stbench.data.roles import Mapped
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset

LARGEST_SHARE = 1000
"""A share of the training rows never holds out more rows than this."""
_NO_LABEL = ("", "-", "-1", "None")


@dataclass(frozen=True)
class Splits:
    """Training rows, selection rows (they choose the checkpoint) and test rows (they give the verdict)."""

    train: Dataset
    validation: Dataset
    test: Dataset
    shape: Shape
    counts: Mapping[str, int] = field(default_factory=dict)
    """What cleaning did, by name: rows without text, repeated rows, training rows found in held-out data …"""


@dataclass(frozen=True)
class Sizes:
    """How many rows each split may have; below 1 a share of the training rows."""

    validation: float
    test: float
    limit: int | None = None
    train_rows: int | None = None
    evaluation_rows: int | None = None


def held_out(size: float, rows: int) -> int:
    """Rows that `size` asks for: a number from 1 upwards, or a share of `rows` up to `LARGEST_SHARE`."""
    return int(size) if size >= 1 else min(LARGEST_SHARE, max(1, math.ceil(size * rows)))


def split(loaded: Mapping[str, Dataset], mapped: Mapping[str, Mapped], sizes: Sizes) -> Splits:
    """Clean splits out of the loaded ones.

    A missing test split is half of the validation split (by content hash of the anchors), or, when both are missing,
    carved out of the training rows as the validation split is. Rows with the same anchor stay together.

    Raises `Refused` when nothing is left to train on or to judge by.
    """
    counts: dict[str, int] = {}
    clean = {name: _clean(rows, mapped[name], name, counts) for name, rows in loaded.items()}
    train = clean["train"]
    if "validation" in clean and "test" not in clean:
        clean["validation"], clean["test"] = _carve(clean["validation"], math.ceil(len(clean["validation"]) / 2))
    for name, size in (("test", sizes.test), ("validation", sizes.validation)):
        if name not in clean:
            train, clean[name] = _carve(train, held_out(size, len(clean["train"])))
    train = _without(train, [clean["validation"], clean["test"]], counts)
    train = _cut(_cut(train, sizes.limit), sizes.train_rows)
    validation, test = (_cut(clean[name], sizes.evaluation_rows) for name in ("validation", "test"))
    for name, rows in (("training", train), ("selection", validation), ("test", test)):
        if not len(rows):
            raise Refused(Problem(f"no {name} rows are left", "dataset", "give more rows, or a smaller dataset.test_size"))
    return Splits(train, validation, test, mapped["train"].shape, counts)


def content_hash(text: str) -> str:
    """Hash that orders rows by content: the same rows are chosen whatever their order in the file."""
    return hashlib.blake2b(" ".join(text.lower().split()).encode(), digest_size=8).hexdigest()


def _clean(rows: Dataset, mapped: Mapped, name: str, counts: dict[str, int]) -> Dataset:
    rows = rows.select_columns(list(mapped.columns.values()))
    rows = rows.rename_columns({column: role for role, column in mapped.columns.items() if column != role})
    rows = rows.select_columns(list(mapped.columns))
    texts = [role for role in mapped.columns if role not in ("label", "score", "relevance", "documents")]
    kept, seen = [], set()
    for index, row in enumerate(rows):
        if any(not isinstance(row[role], str) or not row[role].strip() for role in texts) or row.get("documents") == []:
            _count(counts, f"rows without text ({name})")
        elif "label" in row and str(row["label"]).strip() in _NO_LABEL:
            _count(counts, f"rows without label ({name})")
        elif (content := repr(list(row.values()))) in seen:
            _count(counts, f"repeated rows ({name})")
        else:
            seen.add(content)
            kept.append(index)
    cast = _caster(mapped, name)
    return rows.select(kept).map(cast, with_indices=True, desc=None) if cast else rows.select(kept)


def _count(counts: dict[str, int], what: str, number: int = 1) -> None:
    if number:
        counts[what] = counts.get(what, 0) + number


def _caster(mapped: Mapped, name: str) -> Callable[[dict[str, Any], int], dict[str, Any]] | None:
    if mapped.shape == "scored_pair":
        low, high = mapped.score_range or (0.0, 1.0)
        scale, start = (high - low, low) if high > 1 or low < 0 else (1.0, 0.0)
        return lambda row, index: {"score": _scaled(row["score"], start, scale or 1.0, f"{name}, row {index + 1}")}
    if mapped.shape == "labeled_pair":
        return lambda row, index: {"label": 1 if str(row["label"]).lower() in ("1", "1.0", "true") else 0}
    if mapped.shape == "class_pair":
        ids = {value: number for number, value in enumerate(mapped.classes)}
        return lambda row, index: {"label": _class_id(str(row["label"]).strip(), ids, name)}
    return None


def _scaled(value: Any, start: float, scale: float, where: str) -> float:
    try:
        return (float(value) - start) / scale
    except (TypeError, ValueError):
        raise Refused(Problem(f"the score {value!r} is not a number", where, "mend or remove the row")) from None


def _class_id(value: str, ids: Mapping[str, int], name: str) -> int:
    if value not in ids:
        known = ", ".join(ids)
        raise Refused(Problem(f"the class '{value}' does not occur in the training rows ({known})", name, "dataset.classes=[…] names all classes"))
    return ids[value]


def _carve(rows: Dataset, size: int) -> tuple[Dataset, Dataset]:
    """(the rest, `size` rows or a few more), whole groups of equal anchors, first those whose hash is smallest."""
    groups: dict[str, list[int]] = {}
    for index, anchor in enumerate(rows["anchor"]):
        groups.setdefault(content_hash(anchor), []).append(index)
    taken: list[int] = []
    for key in sorted(groups):
        if len(taken) >= size:
            break
        taken += groups[key]
    chosen = set(taken)
    rest = [index for index in range(len(rows)) if index not in chosen]
    return rows.select(rest), rows.select(sorted(taken))


def _cut(rows: Dataset, limit: int | None) -> Dataset:
    if limit is None or len(rows) <= limit:
        return rows
    anchors = list(rows["anchor"])
    order = sorted(range(len(rows)), key=lambda index: (content_hash(anchors[index]), index))
    return rows.select(sorted(order[:limit]))


def _without(train: Dataset, held: list[Dataset], counts: dict[str, int]) -> Dataset:
    """Training rows that are not, word for word, also held out."""
    texts = [role for role in train.column_names if role in ("anchor", "positive")]
    seen = {tuple(content_hash(row[role]) for role in texts) for rows in held for row in rows}
    kept = [i for i, row in enumerate(train) if tuple(content_hash(row[role]) for role in texts) not in seen]
    _count(counts, "training rows that are also held out", len(train) - len(kept))
    return train.select(kept)
