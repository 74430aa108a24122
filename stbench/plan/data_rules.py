"""Rules about the way from the data to the loss: conversions, mined negatives and the teacher."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.config.sentence import Negatives
from stbench.data.shapes import MINER, path
from stbench.errors import Problem
from stbench.plan.draft import Draft, Rule, fitting, named
from stbench.plan.fault_rules import contradictions_can_be, near_positives_can_be
from stbench.plan.helpers import teachers_of
from stbench.plan.ways import targets_of


def data_reaches_loss(draft: Draft) -> Iterator[Problem]:
    """There must be a way through the graph of conversions from the shape of the data to one the loss takes."""
    if draft.loss is None or draft.reaches(draft.means):
        return
    where = f"loss={draft.chosen['loss']}"
    if draft.reaches(draft.means | MINER):
        what = f"this loss needs hard negatives, which {draft.shape} data has not"
        yield Problem(what, where, "negatives=auto mines them")
    elif able := [
        name for name in teachers_of(draft.sentence.model.type) if draft.with_teacher(name).steps is not None
    ]:
        mends = " or ".join(f"teacher={name} teacher.model=DIR_OR_ID" for name in able)
        what = f"this loss learns from a teacher, and {draft.shape} data holds nothing of one"
        yield Problem(what, where, mends)
    else:
        yield Problem(
            f"it needs rows of shape {' or '.join(draft.targets)}, the data is {draft.shape}, and no conversion leads there",
            where,
            f"losses that this data can feed: {named('loss', fitting(draft)) or 'none for this model type'}",
        )


def teacher_is_asked(draft: Draft) -> Iterator[Problem]:
    """A teacher that was named and then not asked would leave its author in the belief that it was."""
    kind, targets = draft.sentence.teacher.kind, targets_of(draft.sentence, draft.loss) if draft.loss else []
    if kind == "none" and draft.sentence.teacher.model:
        yield Problem("there is no teacher to take it", "teacher.model", "teacher=cross_encoder or teacher=bi_encoder")
    elif kind != "none" and draft.reaches(draft.means) and path(draft.shape, targets, draft.means, ["ask"]) is None:
        yield Problem(
            f"the loss '{draft.chosen['loss']}' learns nothing from a {kind} teacher with {draft.shape} data",
            f"teacher={kind}", "loss=distillation, or teacher=none",
        )  # fmt: skip


def mined_where_said(draft: Draft) -> Iterator[Problem]:
    """Negatives that were asked for and then not mined would leave their author in the belief that they were."""
    if draft.loss is None or not draft.reaches(draft.means):
        return
    negatives, targets = draft.sentence.negatives, targets_of(draft.sentence, draft.loss)
    if negatives.when == "always" and path(draft.shape, targets, draft.means, ["mine"]) is None:
        what = f"the loss '{draft.chosen['loss']}' takes {draft.shape} rows as they are, so nothing is mined"
        yield Problem(what, "negatives=mined", "negatives=auto, or another loss")
    elif not any(step.mines for step in draft.steps or ()):
        for option in ("num", "rescore", "corpus"):
            if (said := getattr(negatives, option)) is not None:
                yield Problem("nothing is mined here", f"negatives.{option}={said}", "negatives=mined, or leave it out")


def mining_window_holds_enough(draft: Draft) -> Iterator[Problem]:
    """The window of ranks must hold as many candidates as negatives are wanted."""
    negatives = draft.sentence.negatives
    yield from window_holds(negatives, negatives.num or draft.sentence.loss.suggests.num_negatives or 1)


def window_holds(negatives: Negatives, wanted: int) -> Iterator[Problem]:
    """What keeps the window from holding `wanted` candidates."""
    room = negatives.range_max - negatives.range_min
    if room < wanted:
        yield Problem(
            f"ranks {negatives.range_min} to {negatives.range_max} hold {max(room, 0)} candidates, fewer than the"
            f" {wanted} negatives wanted",
            "negatives.range_max", f"negatives.range_max={negatives.range_min + 10 * wanted}",
        )  # fmt: skip


DATA_RULES: tuple[Rule, ...] = (
    data_reaches_loss,
    teacher_is_asked,
    mined_where_said,
    mining_window_holds_enough,
    contradictions_can_be,
    near_positives_can_be,
)
