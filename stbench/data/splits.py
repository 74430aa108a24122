"""From loaded rows to clean splits with role names for columns: cast, cleaned, held out by content, cut to size."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stbench.config.sentence import Shape
from stbench.data.roles import BINARY, UNLABELLED, Mapped, is_missing, number_of
from stbench.data.rows import each
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.data.collection import Collection

NUMBERS = ("label", "score", "relevance", "margin", "scores", "embedding")
"""Roles that are no texts."""
OF_A_LABEL = 4
"""Labelled texts that stay together where rows are cut to a number."""
LARGEST_SHARE = 1000
"""A share of the training rows never holds out more rows than this."""


@dataclass(frozen=True)
class Splits:
    """Training rows, selection rows (they choose the checkpoint) and test rows (they give the verdict)."""

    train: Dataset
    validation: Dataset
    test: Dataset
    shape: Shape
    counts: Mapping[str, int] = field(default_factory=dict)
    """What cleaning did, by name: rows without text, repeated rows, training rows found in held-out data …"""
    collections: Mapping[str, Collection] = field(default_factory=dict)
    """What the queries of a held-out split search, where its rows are pairs out of a collection."""
    whole: Mapping[str, Dataset] = field(default_factory=dict)
    """The clean rows of every split that the data came with, before any were held out or left out."""
    parts: Mapping[str, Splits] = field(default_factory=dict)
    """Those of each data set of a mixture, in their order; the deciding ones are those above."""
    given: Dataset | None = None
    """Training rows in the shape that they came in; None: as they are."""

    @property
    def training_rows(self) -> int:
        """Of all parts."""
        return sum(len(part.train) for part in self.parts.values()) or len(self.train)


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
    clean = cleaned(loaded, mapped, counts)
    train, whole = clean["train"], dict(clean)
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
            mend = "give more rows, or hold out fewer: dataset.test_size=… dataset.validation_size=…"
            raise Refused(Problem(f"no {name} rows are left", "dataset", mend))
    return Splits(train, validation, test, mapped["train"].shape, counts, whole=whole)


def cleaned(loaded: Mapping[str, Dataset], mapped: Mapping[str, Mapped], counts: dict[str, int]) -> dict[str, Dataset]:
    """The clean rows of every split; what cleaning did is added to `counts`."""
    ids: dict[str, int] = {}
    return {name: _clean(rows, mapped[name], name, counts, ids) for name, rows in loaded.items()}


def trainable(clean: Mapping[str, Dataset], sizes: Sizes) -> Dataset:
    """All clean training rows, none of them held out, cut to size.

    Raises `Refused` when there is none.
    """
    rows = _cut(_cut(clean["train"], sizes.limit), sizes.train_rows)
    if not len(rows):
        raise Refused(Problem("no training rows are left", "dataset.train", "give rows with texts"))
    return rows


def whole(rows: Dataset, mapped: Mapped, sizes: Sizes, counts: dict[str, int]) -> Dataset:
    """All clean rows of a split that is judged alone; what cleaning did is added to `counts`.

    Raises `Refused` when none is left.
    """
    found = _cut(_clean(rows, mapped, "test", counts, {}), sizes.evaluation_rows)
    if not len(found):
        raise Refused(Problem("no test rows are left", "dataset.test", "give rows with texts (and labels or scores)"))
    return found


def content_hash(text: str) -> str:
    """Hash that orders rows by content: the same rows are chosen whatever their order in the file."""
    return hashlib.blake2b(" ".join(text.lower().split()).encode(), digest_size=8).hexdigest()


def _clean(rows: Dataset, mapped: Mapped, name: str, counts: dict[str, int], ids: dict[str, int]) -> Dataset:
    """`ids` are those of labels, and get those of labels that are new."""
    rows = rows.select_columns(list(mapped.columns.values()))
    rows = rows.rename_columns({column: role for role, column in mapped.columns.items() if column != role})
    rows = rows.select_columns(list(mapped.columns))
    cast = _caster(mapped, ids)
    kept: list[int] = []
    values: list[Any] = []
    seen: set[str] = set()
    for index, row in enumerate(rows):
        content = repr(list(row.values()))
        if lacking := _lacking(row, mapped):
            _count(counts, f"rows without {lacking} ({name})")
        elif name == "train" and content in seen:  # held-out files stay whole: their scores compare with published ones
            _count(counts, "repeated rows (train)")
        else:
            seen.add(content)
            kept.append(index)
            values.append(cast(row, f"{name}, row {index + 1}"))
    role = next((role for role in ("label", "score", "margin") if role in mapped.columns), None)
    clean = rows.select(kept)
    return clean.remove_columns(role).add_column(role, values) if role and kept else clean


def _count(counts: dict[str, int], what: str, number: int = 1) -> None:
    if number:
        counts[what] = counts.get(what, 0) + number


def _lacking(row: Mapping[str, Any], mapped: Mapped) -> str | None:
    """What the row would need to be used: text, label or score."""
    texts = [value for role, value in row.items() if role not in NUMBERS and role != "documents"]
    if "documents" in row:
        texts += row["documents"] or [""]
    if not all(map(_is_text, texts)):
        return "text"
    if "label" in row and (is_missing(row["label"]) or _word(row["label"]) in UNLABELLED - set(mapped.classes)):
        return "label"
    return next((role for role in ("score", "margin", "embedding") if role in row and is_missing(row[role])), None)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _word(value: Any) -> str:
    return str(value).strip()


def _caster(mapped: Mapped, ids: dict[str, int]) -> Callable[[Mapping[str, Any], str], Any]:
    """The label or score of a row as losses and evaluators expect it; the second argument says where the row stands."""
    if mapped.shape == "scored_pair":
        low, high = mapped.score_range or (0.0, 1.0)
        start, scale = (low, high - low or 1.0) if high > 1 or low < 0 else (0.0, 1.0)
        return lambda row, where: (_score(row["score"], where) - start) / scale
    if mapped.shape == "labeled_pair":
        return lambda row, where: _relevant(_word(row["label"]), where)
    if mapped.shape == "class_pair":
        known = {str(number): number for number in range(len(mapped.classes))}
        known |= {name: number for number, name in enumerate(mapped.classes)}
        return lambda row, where: _class_id(_word(row["label"]), known, mapped.classes, where)
    if mapped.shape == "labeled_text":
        for name in mapped.classes:
            ids.setdefault(name, len(ids))
        return lambda row, where: ids.setdefault(_word(row["label"]), len(ids))
    if mapped.shape == "margin_triplet":
        return lambda row, where: _score(row["margin"], where)
    return _check_list if mapped.shape == "ranked_list" else lambda row, where: None


def _check_list(row: Mapping[str, Any], where: str) -> None:
    documents, relevance = row["documents"], row["relevance"] or []
    if len(documents) != len(relevance) or any(number_of(value) is None for value in relevance):
        what = f"{len(documents)} documents have the relevance values {relevance}"
        raise Refused(Problem(what, where, "give each document one number"))


def _score(value: Any, where: str) -> float:
    number = number_of(value)
    if number is None:
        raise Refused(Problem(f"the score {value!r} is not a number", where, "mend or remove the row"))
    return number


def _relevant(label: str, where: str) -> int:
    if label not in BINARY:
        mend = "mend the row; for more than two classes name them all: dataset.classes=[A,B,C]"
        raise Refused(Problem(f"the label '{label}' is neither 0 nor 1, as the first labels are", where, mend))
    return int(label.lower() in ("1", "1.0", "true"))


def _class_id(label: str, ids: Mapping[str, int], classes: Sequence[str], where: str) -> int:
    if label not in ids:
        what = f"the class '{label}' is not among those of the first training rows ({', '.join(classes)})"
        raise Refused(Problem(what, where, f"name all classes: dataset.classes=[{','.join([*classes, label])}]"))
    return ids[label]


def anchors_of(rows: Dataset) -> Sequence[str]:
    """The first text of each row: the anchor, or the text that stands alone."""
    return rows["anchor"] if "anchor" in rows.column_names else rows["text"]  # type: ignore[no-any-return]


def _carve(rows: Dataset, size: int) -> tuple[Dataset, Dataset]:
    """(the rest, `size` rows or a few more), whole groups of equal anchors, first those whose hash is smallest."""
    groups: dict[str, list[int]] = {}
    for index, anchor in enumerate(anchors_of(rows)):
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
    keys = [
        (content_hash(anchor), repr(list(row.values())))
        for anchor, row in zip(anchors_of(rows), each(rows), strict=True)
    ]
    order = sorted(range(len(rows)), key=keys.__getitem__)
    if {"text", "label"} <= set(rows.column_names):
        order = _in_groups(order, rows["label"][:])
    return rows.select(sorted(order[:limit]))


def _in_groups(order: Sequence[int], labels: Sequence[object]) -> list[int]:
    """`order` with the texts of a label in groups of `OF_A_LABEL`: alone they could neither be learnt nor judged by."""
    by_label: dict[object, list[int]] = {}
    for index in order:
        by_label.setdefault(labels[index], []).append(index)
    place = {index: rank for rank, index in enumerate(order)}
    groups = [
        members[start : start + OF_A_LABEL]
        for members in by_label.values()
        for start in range(0, len(members), OF_A_LABEL)
    ]
    return [index for group in sorted(groups, key=lambda group: place[group[0]]) for index in group]


def _without(train: Dataset, held: list[Dataset], counts: dict[str, int]) -> Dataset:
    """Training rows that are not, word for word, also held out."""
    texts = [
        role for role in ("anchor", "positive", "text") if all(role in rows.column_names for rows in (train, *held))
    ]
    seen = {tuple(content_hash(row[role]) for role in texts) for rows in held for row in each(rows, *texts)}
    kept = [
        i for i, row in enumerate(each(train, *texts)) if tuple(content_hash(row[role]) for role in texts) not in seen
    ]
    _count(counts, "training rows that are also held out, left out", len(train) - len(kept))
    return train.select(kept)
