"""What the folder of a finished job tells of it."""

from __future__ import annotations

from stbench.records.folder import RunFolder


def outcome_in(folder: RunFolder) -> str:
    """The verdict in a few words; of a job without one that it is done."""
    kept = folder.read("verdict.json")
    if not kept or kept.get("score") is None:
        return "done"
    said = f"{kept['outcome']} {kept['score']:.4f}"
    return f"{said} ({kept['delta']:+.4f})" if kept.get("delta") is not None else said
