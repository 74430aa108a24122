"""How many rows there are before and after each conversion, and what the costly ones will ask of a model."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.data.mining import MiningSettings
from stbench.data.shapes import Conversion
from stbench.data.splits import held_out
from stbench.plan.plan import DataPlan, Decision, TeacherPlan

TEXTS = 2
"""Texts that rows of pairs, triplets or lists have of their own, about: many come in several rows."""


def rows_after(data: DataPlan, steps: int | None = None) -> int:
    """Training rows after the first `steps` conversions (all of them without it), as far as the heads tell."""
    rows = data.heads["train"].count
    given = set(data.heads)
    if given == {"train"}:
        rows -= held_out(data.sizes.validation, rows) + held_out(data.sizes.test, rows)
    elif "validation" not in given:
        rows -= held_out(data.sizes.validation, rows)
    rows = min(rows, data.sizes.limit or rows, data.sizes.train_rows or rows)
    for step in data.steps[:steps]:
        rows *= _growth(step, _negatives(data))
    return max(rows, 1)


def _negatives(data: DataPlan) -> int:
    """Negatives of a row: as many as are mined, or as the rows bring along."""
    own = sum(role.startswith("negative") for role in data.mapped["train"].columns)
    return data.mining.num if data.mining else max(own, 1)


def _growth(step: Conversion, negatives: int) -> int:
    """Rows that come out for one that goes in."""
    if (step.target in ("labeled_pair", "scored_pair") and step.source in _LISTS) or (
        step.mines and step.target == "labeled_pair"
    ):
        return 1 + negatives
    if (step.mines and step.target == "triplet") or step.name == "margins":
        return negatives
    return TEXTS if step.name == "texts" and step.source not in ("labeled_text",) else 1


_LISTS = ("ranked_list", "n_tuple", "triplet", "scored_n_tuple")


def explain_conversions(data: DataPlan) -> Iterator[Decision]:
    """Lines of the plan: each conversion, and how much of a model's work it is."""
    for number, step in enumerate(data.steps):
        yield Decision("conversion", f"{step.source} → {step.target}", step.says)
        rows = rows_after(data, number)
        if step.mines and data.mining and data.miner:
            yield from _mining(data, rows)
        elif step.asks_teacher and data.teacher:
            yield _asking(data, step, rows)
    if data.teacher and not any(step.asks_teacher for step in data.steps):
        yield Decision("teacher", data.teacher.base.name, "asked about held-out rows alone; kept by content")


def _mining(data: DataPlan, rows: int) -> Iterator[Decision]:
    mining, corpus = data.mining, data.corpus
    assert mining is not None
    assert data.miner is not None
    texts = [f"about {rows:,} queries", f"{rows:,} documents" + (" of the rows" if corpus else "")]
    texts += [f"{corpus.count:,} of {corpus.name}"] if corpus else []
    work = f"{', '.join(texts[:-1])} and {texts[-1]} through {data.miner.name}"
    yield Decision("negatives", f"{mining.num} a query, {_window(mining)}", f"{work}; kept by content")
    if data.rescorer is not None:
        pairs = f"about {rows * mining.range_max:,} pairs through {data.rescorer.name}"
        yield Decision("rescoring", pairs, "its scores, 0 to 1, decide; negatives.range_max bounds their number")


def _window(mining: MiningSettings) -> str:
    """Which of the ranked documents count as hard negatives."""
    order = "hardest first" if mining.sampling == "top" else "drawn at random"
    bounds = {
        f"{mining.relative_margin or 0:.0%} below the positive's score": mining.relative_margin is not None,
        f"{mining.absolute_margin} below the positive": mining.absolute_margin is not None,
        f"at most {mining.max_score}": mining.max_score is not None,
        f"at least {mining.min_score}": mining.min_score is not None,
    }
    kept = [bound for bound, holds in bounds.items() if holds]
    scored = f", scored {' and '.join(kept)}" if kept else ""
    return f"of ranks {mining.range_min} to {mining.range_max}{scored}, {order}"


def _asking(data: DataPlan, step: Conversion, rows: int) -> Decision:
    assert data.teacher is not None
    teacher = data.teacher
    number = rows * (1 + _negatives(data)) if step.source in ("triplet", "n_tuple") else rows
    what = "pairs" if teacher.kind == "cross_encoder" else "texts"
    asked = f"{teacher.base.name}: about {number:,} {what}"
    return Decision("teacher", asked, f"{_answers(teacher, step, rows)}; kept by content")


def _answers(teacher: TeacherPlan, step: Conversion, rows: int) -> str:
    if teacher.kind == "cross_encoder":
        return "scores from 0 to 1" if step.target == "scored_pair" else "raw scores"
    if teacher.kind == "sparse_encoder":
        words = teacher.base.vocabulary
        return f"{words:,} weights a text, {4e-9 * rows * words:,.1f} GB on disk"
    if teacher.dimensions:
        return f"{teacher.size:,} dimensions, projected to the student's {teacher.dimensions:,} by PCA"
    return f"{teacher.size:,} dimensions"
