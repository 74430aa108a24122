"""The finished model on disk, and the proof that what is there is what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.data.splits import anchors_of
from stbench.errors import Failed
from stbench.models.build import reload

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.plan.plan import Plan

SAMPLES = 8
TOLERANCE = 1e-4


def save(model: Any, plan: Plan, folder: Path, test: Dataset) -> float:
    """Write `model` with its card to `folder`, load it again as a user would, and compare both on a few test rows.

    Returns the largest difference of their outputs. Raises `Failed` when it exceeds `TOLERANCE`.
    """
    model.save_pretrained(str(folder))
    again = reload(plan.blueprint.type, folder, plan.device)
    difference = _difference(_outputs(model, plan, test), _outputs(again, plan, test))
    if not difference <= TOLERANCE:
        raise Failed(f"the saved model differs from the measured one by {difference:g} on {SAMPLES} test rows")
    return difference


def _outputs(model: Any, plan: Plan, test: Dataset) -> Any:
    rows = test.select(range(min(SAMPLES, len(test))))
    model.eval()
    if plan.blueprint.type == "cross_encoder":
        texts = rows["positive"] if "positive" in rows.column_names else [row[0] for row in rows["documents"]]
        return model.predict(list(zip(rows["anchor"], texts, strict=True)), show_progress_bar=False)
    encoded = model.encode(list(anchors_of(rows)), show_progress_bar=False)
    return encoded.to_dense() if plan.blueprint.type == "sparse_encoder" else encoded


def _difference(first: Any, second: Any) -> float:
    import numpy as np

    if isinstance(first, list):
        # Unlike max(), this lets no nan slip through.
        return float(np.max([_difference(one, other) for one, other in zip(first, second, strict=True)]))
    one, other = (
        np.asarray(item.cpu() if hasattr(item, "cpu") else item, dtype=np.float64) for item in (first, second)
    )
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("inf")
