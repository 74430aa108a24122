"""Which column plays which role, and what shape the rows have then.

The library's trainer goes by the order of the columns; stbench goes by their roles, said in `dataset.roles` or
recognised by the usual names, so that (question, answer) cannot be trained the wrong way round unnoticed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stbench.config.sentence import Roles, Shape
from stbench.config.suggest import closest
from stbench.data.shapes import COLUMNS
from stbench.errors import Problem, Refused

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "anchor": (
        "anchor", "query", "question", "sentence1", "sentence_1", "text1", "text_1", "premise", "question1", "title",
        "source", "english", "text",
    ),
    "positive": (
        "positive", "pos", "answer", "document", "passage", "sentence2", "sentence_2", "text2", "text_2", "hypothesis",
        "question2", "context", "response", "code", "body", "target", "abstract",
    ),
    "documents": ("documents", "docs", "passages", "candidates"),
    "relevance": ("relevance", "relevances", "labels", "scores", "grades"),
    "label": ("label", "labels", "gold_label", "class", "is_duplicate", "relevant", "is_relevant", "category", "intent"),
    "score": ("score", "scores", "similarity", "similarity_score", "sim"),
    "margin": ("margin", "teacher_margin", "score_margin"),
    "scores": ("scores", "teacher_scores"),
}  # fmt: skip
USUAL_NAMES_OF_LONE_TEXTS: dict[str, tuple[str, ...]] = {
    "text": ("text", "sentence", "utterance", "english"),
    "translation": ("translation", "translated", "non_english"),
    "embedding": ("embedding", "embeddings", "teacher_embedding"),
    "label": USUAL_NAMES["label"],
}
"""Where no column is the second text of a pair."""
BINARY = frozenset(("0", "1", "0.0", "1.0", "True", "False", "true", "false"))
"""How a label says irrelevant or relevant."""
UNLABELLED = frozenset(("-1", "-1.0"))
"""Where ids begin at 0, these stand for a row without label."""
_NEGATIVE = re.compile(r"^neg(ative)?(_?\d+)?$")


@dataclass(frozen=True)
class Mapped:
    """Columns by role, the shape they make, and the columns that nothing uses."""

    shape: Shape
    columns: Mapping[str, str]
    """Role to column; the negatives are `negative` or `negative_1` … `negative_n`."""
    recognised: frozenset[str]
    """Roles found by the usual names rather than said."""
    ignored: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    """Names of the classes by id (class pairs and labeled texts)."""
    score_range: tuple[float, float] | None = None
    """Smallest and largest score (scored pairs only)."""


def map_roles(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], said: Roles, classes: Sequence[str] | None, where: str
) -> Mapped:
    """Roles of `columns` and the shape of the data, judged by `rows`.

    Raises `Refused` when a named column is missing, or when no shape comes out.
    """
    by_role, recognised = _assign(columns, said, where)
    return _shaped(rows, columns, by_role, recognised, classes, where)


def _assign(columns: Sequence[str], said: Roles, where: str) -> tuple[dict[str, str], set[str]]:
    by_role = _said(columns, said, where)
    said_roles = set(by_role)
    known = {re.sub(r"[\s-]+", "_", column.lower()): column for column in columns}
    lone = _is_lone(said_roles, known)
    if not lone and not said_roles & {"label", "score", "documents"} and not any(map(_is_negative, said_roles)):
        found = [column for column in columns if _NEGATIVE.match(column.lower()) and column not in by_role.values()]
        by_role.update(_numbered(sorted(found, key=_natural)))
    for role, names in (USUAL_NAMES_OF_LONE_TEXTS if lone else USUAL_NAMES).items():
        free = [known[name] for name in names if name in known and known[name] not in by_role.values()]
        if role not in by_role and free and _wanted(role, by_role):
            by_role[role] = free[0]
    return by_role, set(by_role) - said_roles


def _is_lone(said: Collection[str], known: Mapping[str, str]) -> bool:
    """Whether the rows are single texts (and perhaps their translations), not pairs or lists."""
    if {"text", "translation", "embedding"} & set(said):
        return True
    alone = USUAL_NAMES_OF_LONE_TEXTS["text"]
    others = {*USUAL_NAMES["anchor"], *USUAL_NAMES["positive"], *USUAL_NAMES["documents"]} - set(alone)
    return (
        not {"anchor", "positive", "documents"} & set(said)
        and bool(set(alone) & set(known))
        and not others & set(known)
    )


def _is_negative(role: str) -> bool:
    return role.startswith("negative")


def _wanted(role: str, by_role: Mapping[str, str]) -> bool:
    """Lists of documents come with relevance; pairs come with negatives, a label or a score, and with one of them only."""
    if role == "relevance":
        return "documents" in by_role
    negatives = any(map(_is_negative, by_role))
    if role in ("label", "score"):
        return not {"documents", "label", "score", "embedding"} & set(by_role) and not negatives
    if role in ("margin", "scores"):
        return negatives and not {"margin", "scores"} & set(by_role)
    if role == "documents":
        return "positive" not in by_role
    return True


def _said(columns: Sequence[str], said: Roles, where: str) -> dict[str, str]:
    by_role: dict[str, str] = {}
    problems = []
    for role, value in said.model_dump(exclude_none=True).items():
        names = value if isinstance(value, list) else [value]
        for name in names:
            if name not in columns:
                problems.append(_no_column(role, name, columns, where))
        by_role.update(_numbered(names) if role == "negatives" else {role: names[0]})
    twice = {name for name in by_role.values() if list(by_role.values()).count(name) > 1}
    problems += [Problem(f"the column '{name}' cannot play two roles", where, "name one role for it") for name in twice]
    rivals = [role for role in ("negatives", "label", "score") if getattr(said, role)]
    if len(rivals) > 1:
        problems.append(
            Problem(f"rows have one of {' and '.join(rivals)}", f"{where}, dataset.roles", "name one of them")
        )
    if problems:
        raise Refused(*problems)
    return by_role


def _no_column(role: str, name: str, columns: Sequence[str], where: str) -> Problem:
    match = closest(name, columns)
    mend = f"did you mean dataset.roles.{role}={match}?" if match else f"columns: {', '.join(columns)}"
    return Problem(f"there is no column '{name}'", f"{where}, dataset.roles.{role}", mend)


def _numbered(names: Sequence[str]) -> dict[str, str]:
    if len(names) == 1:
        return {"negative": names[0]}
    return {f"negative_{number}": name for number, name in enumerate(names, 1)}


def _shaped(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    by_role: dict[str, str],
    recognised: set[str],
    classes: Sequence[str] | None,
    where: str,
) -> Mapped:
    shape, extra = _shape(rows, columns, by_role, recognised, classes, where)
    if classes and not extra.get("classes"):
        mend = "dataset.roles.label=COLUMN"
        raise Refused(Problem(f"there are classes ({', '.join(classes)}) but no column with labels", where, mend))
    kept = {role: by_role[role] for role in _used(shape, by_role)}
    ignored = tuple(column for column in columns if column not in kept.values())
    return Mapped(shape, kept, frozenset(recognised & set(kept)), ignored, **extra)


def _used(shape: Shape, by_role: Mapping[str, str]) -> list[str]:
    """Roles of `by_role` that rows of this shape have, in the order in which the library reads them."""
    negatives = [role for role in by_role if _is_negative(role)]
    order = {"n_tuple": ["anchor", "positive", *negatives], "embedded_text": ["text", "translation", "embedding"]}
    order["scored_n_tuple"] = [*order["n_tuple"], "scores"]
    return [role for role in order.get(shape, COLUMNS[shape]) if role in by_role]


def _shape(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    by_role: dict[str, str],
    recognised: set[str],
    classes: Sequence[str] | None,
    where: str,
) -> tuple[Shape, dict[str, Any]]:
    negatives = sum(map(_is_negative, by_role))
    if "text" in by_role:
        return _lone(rows, by_role, classes)
    if {"anchor", "documents", "relevance"} <= set(by_role):
        _check_lists(rows, by_role, where)
        return "ranked_list", {}
    if not {"anchor", "positive"} <= set(by_role):
        raise Refused(_no_shape(columns, by_role, where))
    if "score" in by_role:
        return "scored_pair", {"score_range": _range(rows, by_role["score"], where)}
    if "label" in by_role:
        shape, extra = _labelled(rows, by_role["label"], classes, where)
        if shape == "scored_pair":
            by_role["score"] = by_role.pop("label")
            recognised |= {"score"} if "label" in recognised else set()
        return shape, extra
    if "margin" in by_role and negatives == 1:
        _range(rows, by_role["margin"], where)
        return "margin_triplet", {}
    if "scores" in by_role and negatives:
        _check_scores(rows, by_role["scores"], negatives + 1, where)
        _as_numbered(by_role)
        return "scored_n_tuple", {}
    return ("pair" if not negatives else "triplet" if negatives == 1 else "n_tuple"), {}


def _as_numbered(by_role: dict[str, str]) -> None:
    """A single negative is the first of one."""
    if "negative" in by_role:
        by_role["negative_1"] = by_role.pop("negative")


def _lone(
    rows: Sequence[Mapping[str, Any]], by_role: Mapping[str, str], classes: Sequence[str] | None
) -> tuple[Shape, dict[str, Any]]:
    if "embedding" in by_role:
        return "embedded_text", {}
    if "translation" in by_role:
        return "parallel_text", {}
    if "label" not in by_role:
        return "text", {}
    values = {str(row[by_role["label"]]).strip() for row in rows if not is_missing(row[by_role["label"]])}
    return "labeled_text", {"classes": tuple(classes or sorted(values, key=_natural))}


def _check_scores(rows: Sequence[Mapping[str, Any]], column: str, expected: int, where: str) -> None:
    for number, row in enumerate(rows, 1):
        scores = row[column]
        if not isinstance(scores, list) or len(scores) != expected:
            what = f"'{column}' must hold {expected} numbers: the positive's score, then those of the negatives"
            raise Refused(Problem(what, f"{where}, row {number}", "mend the row, or leave the column out"))


def _check_lists(rows: Sequence[Mapping[str, Any]], by_role: Mapping[str, str], where: str) -> None:
    for number, row in enumerate(rows, 1):
        documents, relevance = row[by_role["documents"]], row[by_role["relevance"]]
        if not isinstance(documents, list) or not isinstance(relevance, list):
            what, mend = (
                "documents and relevance must be lists",
                "use a .jsonl or .parquet file, whose cells can hold lists",
            )
        elif len(documents) != len(relevance):
            what = f"there are {len(documents)} documents and {len(relevance)} relevance values"
            mend = "give each document its relevance"
        else:
            continue
        raise Refused(Problem(what, f"{where}, row {number}", mend))


def _no_shape(columns: Sequence[str], by_role: Mapping[str, str], where: str) -> Problem:
    pairs = "relevance" if "documents" in by_role else "positive"
    missing = "anchor" if "anchor" not in by_role else pairs
    free = [column for column in columns if column not in by_role.values()]
    taken = ", ".join(f"{role} = {column}" for role, column in by_role.items()) or "none"
    return Problem(
        f"no column was recognised as the {missing} (recognised: {taken}; columns: {', '.join(columns)})",
        where,
        f"name it: dataset.roles.{missing}={free[0] if free else 'COLUMN'}",
    )


def _range(rows: Sequence[Mapping[str, Any]], column: str, where: str) -> tuple[float, float] | None:
    """Smallest and largest number of `column`; None when no row has one. Rows count from 1, below any header."""
    given = [(number, row[column]) for number, row in enumerate(rows, 1) if not is_missing(row[column])]
    numbers = [_number(value, column, number, where) for number, value in given]
    return (min(numbers), max(numbers)) if numbers else None


def is_missing(value: Any) -> bool:
    """Whether a label or a score is not there: an empty cell, a dash (as SNLI has), None or NaN."""
    return value is None or str(value).strip() in ("", "-") or value != value


def number_of(value: Any) -> float | None:
    """`value` as a finite number; None when it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _number(value: Any, column: str, row: int, where: str) -> float:
    number = number_of(value)
    if number is not None:
        return number
    raise Refused(
        Problem(
            f"{value!r} in column '{column}' is not a number", f"{where}, row {row}",
            f"mend the row, or name another column: dataset.roles.score=COLUMN (dataset.roles.label={column} for classes)",
        )
    )  # fmt: skip


def _labelled(
    rows: Sequence[Mapping[str, Any]], column: str, classes: Sequence[str] | None, where: str
) -> tuple[Shape, dict[str, Any]]:
    if classes is not None:
        return "class_pair", {"classes": tuple(classes)}
    values = {str(row[column]).strip() for row in rows if not is_missing(row[column])}
    if values & {"0", "0.0"}:
        values -= UNLABELLED
    if values <= BINARY:
        return "labeled_pair", {}
    if any("." in value for value in values) and all(number_of(value) is not None for value in values):
        return "scored_pair", {"score_range": _range(rows, column, where)}
    return "class_pair", {"classes": tuple(sorted(values, key=_natural))}


def _natural(value: str) -> tuple[int, str]:
    """Sorts by the number a name ends with, then by name."""
    digits = re.search(r"-?\d+$", value)
    return (int(digits[0]) if digits else 0, value)
