"""Rules about faulty training rows: options that would leave nothing out are refused."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.audit.repeats import SAYING
from stbench.errors import Problem
from stbench.plan.draft import Draft


def contradictions_can_be(draft: Draft) -> Iterator[Problem]:
    """Only rows with labels, scores or grades can deny what others say."""
    if draft.sentence.dataset.contradictions == "drop" and draft.shape not in SAYING:
        what = f"{draft.shape} rows say nothing that another could contradict"
        yield Problem(what, "dataset.contradictions=drop", "dataset.contradictions=keep")


def near_positives_can_be(draft: Draft) -> Iterator[Problem]:
    """Only hard negatives, mined or given, can be positives by mistake."""
    if draft.sentence.negatives.near_positives == "keep" or draft.steps is None:
        return
    mined = any(step.mines for step in draft.steps)
    if not mined and draft.shape not in ("triplet", "n_tuple"):
        what = "these training rows have no hard negatives"
        yield Problem(what, "negatives.near_positives=drop", "negatives=mined, or leave it out")
