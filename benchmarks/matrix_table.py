"""The matrix as a page of the docs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

HEAD = """# Every loss, every model type, every shape of data

Written by `make matrix`: each cell is a whole run of the command line (three steps on tiny random models and forty rows), made
with sentence-transformers {version}. A dash is data that no conversion brings to the loss; the run is refused before any weight
loads, and the message names losses that fit. Elsewhere the cell says how the data got there: `=` as it is, else the
conversions; `T` asks a teacher (`teacher=cross_encoder`, `bi_encoder` or `sparse_encoder`).

{counts}
"""
SHORT = {
    "n_tuple": "n-tuple", "labeled_pair": "labels", "ranked_list": "list", "scored_pair": "scores", "scored_n_tuple": "T scores",
    "margin_triplet": "T margin", "embedded_text": "T embedding", "damaged_text": "damaged", "twin_text": "twin",
    "tension_pair": "tension",
}  # fmt: skip


def table(outcomes: Sequence[Any], shapes: Sequence[str]) -> str:
    """The page, one table for each model."""
    states = [outcome.state for outcome in outcomes]
    counts = f"{len(states)} cells: {states.count('trained')} trained, {states.count('refused')} refused, {states.count('FAILED')} failed."  # fmt: skip
    parts = [HEAD.format(version=version("sentence-transformers"), counts=counts)]
    for model in dict.fromkeys(outcome.cell.model for outcome in outcomes):
        parts += [f"## {model}\n", "| loss | " + " | ".join(shape.replace("_", " ") for shape in shapes) + " |"]
        parts.append("| --- |" + " --- |" * len(shapes))
        for loss in dict.fromkeys(item.cell.loss for item in outcomes if item.cell.model == model):
            row = {item.cell.shape: item for item in outcomes if (item.cell.model, item.cell.loss) == (model, loss)}
            parts.append(f"| `{loss}` | " + " | ".join(_cell(row[shape]) for shape in shapes) + " |")
        parts.append("")
    return "\n".join(parts)


def _cell(outcome: Any) -> str:
    if outcome.state != "trained":
        return "–" if outcome.state == "refused" else "**FAILED**"
    if outcome.how == "as it is":
        return "="
    return " · ".join(dict.fromkeys(_way(way) for way in outcome.how.split(" · ")))


def _way(way: str) -> str:
    """`pair → triplet, triplet → margin_triplet (cross_encoder)` as the stops between."""
    stops = [step.split(" → ")[1] for step in way.partition(" (")[0].split(", ")]
    return " → ".join(SHORT.get(stop, stop.replace("_", " ")) for stop in stops)
