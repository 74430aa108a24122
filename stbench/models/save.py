"""The finished model on disk, and the proof that what is there is what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench.data.splits import anchors_of
from stbench.errors import Failed
from stbench.models.adapter import merge_adapter
from stbench.models.build import reload
from stbench.models.parts import loaded_as

if TYPE_CHECKING:
    from datasets import Dataset

    from stbench.plan.plan import Plan

SAMPLES = 8
TOLERANCE = 1e-4


def save(model: Any, plan: Plan, folder: Path, test: Dataset) -> float:
    """Write `model` with its card to `folder`, load it again as a user would, and compare both on a few test rows.

    With an adapter, the model is the merged one, which needs neither peft nor the base model; the adapter alone lies
    beside it in `adapter`. Returns the largest difference of their outputs. Raises `Failed` when it exceeds `TOLERANCE`.
    """
    measured = _outputs(model, plan, test)
    if plan.blueprint.adapter is not None:
        save_adapter(model, plan, folder.parent / "adapter", measured, test)
        merge_adapter(model)
    model.save_pretrained(str(folder))
    return _compare("model", measured, reload(plan.blueprint.type, folder, plan.device), plan, test)


def save_adapter(model: Any, plan: Plan, folder: Path, measured: Any, test: Dataset) -> None:
    """The adapter in the library's own format, which loads as long as the base model is where it was.

    A base model without some of its layers is nowhere, so an adapter of it is not written.
    """
    if plan.blueprint.layers is not None:
        return
    model.save_pretrained(str(folder))
    again = reload(plan.blueprint.type, folder, plan.device, **loaded_as(plan.blueprint)).float()
    _compare("adapter", measured, again, plan, test)


def _compare(what: str, measured: Any, again: Any, plan: Plan, test: Dataset) -> float:
    difference = _difference(measured, _outputs(again, plan, test))
    if not difference <= TOLERANCE:
        raise Failed(f"the saved {what} differs from the measured model by {difference:g} on {SAMPLES} test rows")
    return difference


def _outputs(model: Any, plan: Plan, test: Dataset) -> Any:
    rows = test.select(range(min(SAMPLES, len(test))))
    model.eval()
    anchors = list(anchors_of(rows))
    if plan.blueprint.type == "cross_encoder":
        return model.predict(list(zip(anchors, _beside(anchors, rows), strict=True)), show_progress_bar=False)
    encoded = model.encode(anchors, show_progress_bar=False)
    return encoded.to_dense() if plan.blueprint.type == "sparse_encoder" else encoded


def _beside(anchors: list[str], rows: Dataset) -> list[str]:
    """A text for each anchor to be scored with: single texts are scored with each other."""
    if "documents" in rows.column_names:
        return [documents[0] for documents in rows["documents"]]
    return list(rows["positive"]) if "positive" in rows.column_names else anchors[::-1]


def _difference(first: Any, second: Any) -> float:
    import numpy as np

    if isinstance(first, list):
        # Unlike max(), this lets no nan slip through.
        return float(np.max([_difference(one, other) for one, other in zip(first, second, strict=True)]))
    one, other = (
        np.asarray(item.cpu() if hasattr(item, "cpu") else item, dtype=np.float64) for item in (first, second)
    )
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("inf")
