"""What a finished run tells whoever advises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stbench.audit.finding import Audit
from stbench.evaluation.scores import Scores
from stbench.plan.plan import Plan
from stbench.verdict.facts import Curve, Facts
from stbench.verdict.judge import Verdict

if TYPE_CHECKING:
    from stbench.data.splits import Splits
    from stbench.training.train import Trained

HARD = ("triplet", "n_tuple", "ranked_list")
"""Shapes of training rows that bring negatives along."""


def facts_of(
    plan: Plan, verdict: Verdict, selection: Scores, trained: Trained, splits: Splits, audit: Audit | None
) -> Facts:
    """`selection` are the untouched model's scores on the selection split."""
    training, mining = plan.training, plan.data.mining
    sign = 1.0 if selection.greater_is_better else -1.0
    cut = next((one for one in (audit.findings if audit else ()) if one.name == "truncated"), None)
    dims = {name.removesuffix("_active_dims"): value for name, value in verdict.extras.items() if "dims" in name}
    ended = training.max_steps == trained.last_step
    return Facts(
        outcome=verdict.outcome, loss=plan.loss.cls, n=verdict.n, needed=verdict.needed,
        negatives="mined" if mining is not None or plan.data.shape in HARD else "none",
        range_min=mining.range_min if mining else 0, best_step=trained.best_step, last_step=trained.last_step,
        losses=_curve(trained.history, "loss"), selection=_curve(trained.history, "score", sign),
        untouched=sign * selection.score, learning_rate=training.learning_rate, usual_rate=training.usual_rate,
        epochs=training.epochs, train_rows=trained.rows, batch_size=training.batch_size, active_dims=dims or None,
        in_batch=plan.loss.in_batch, truncated_share=cut.share if cut else 0.0, longer=cut.override if cut else "",
        max_steps=training.max_steps if ended else None, limited=_limited(plan, splits), carvable=_carvable(plan, splits),
    )  # fmt: skip


def _curve(history: tuple[dict[str, Any], ...], name: str, sign: float = 1.0) -> Curve:
    return [(int(entry["step"]), sign * float(entry[name])) for entry in history if name in entry]


def _limited(plan: Plan, splits: Splits) -> bool:
    limit = plan.data.sizes.limit
    return limit is not None and not plan.parts and limit < len(splits.whole.get("train", ()))


def _carvable(plan: Plan, splits: Splits) -> int | None:
    """Rows that are divided into training, selection and test; None where any of them came on its own."""
    given = plan.parts or splits.collections or set(splits.whole) != {"train"}
    return None if given else len(splits.whole["train"])
