"""Jobs of sweeps with made-up ends, over the folders that small_runs writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from small_runs import CONFIG, outcomes, scores, write_run

from stbench.cache import Store
from stbench.records.comparison import Statistics
from stbench.records.sweep import State, SweepResult, SweepRow, sweep_result

KNOWN = {"config.yaml": json.dumps({**CONFIG, "verdict": {"resamples": 200}})}
"""Of runs that say on how many resamples their verdict rests."""


def statistics(root: Path) -> Statistics:
    return Statistics(Store(root / "store", "on"), 200, 5)


def ran(root: Path, number: int, quality: float, *, judged: str = "1a2b", files: Mapping[str, Any] | None = None, **factors: str) -> SweepRow:  # fmt: skip
    """A job that finished, its samples around `quality`; `files` are written otherwise."""
    final = scores(outcomes(quality, number), judged=judged)
    base = scores(outcomes(0.05, 99), judged=judged)
    name = f"run-{number}"
    path = write_run(root / "experiments", name, final, base, **(files or {}))
    return SweepRow(number, named(factors), name, path, "finished", "", said(factors), 12.5)


def lost(number: int, state: State, reason: str, **factors: str) -> SweepRow:
    """A job that came to no score."""
    return SweepRow(number, named(factors), "", None, state, reason, said(factors))


def named(factors: Mapping[str, str]) -> dict[str, str]:
    """`training__epochs` is what no keyword can say."""
    return {name.replace("__", "."): value for name, value in factors.items()}


def said(factors: Mapping[str, str]) -> str:
    return " ".join(["python -m stbench", *(f"{name}={value}" for name, value in named(factors).items())])


def ended(root: Path, *rows: SweepRow) -> SweepResult:
    return sweep_result(rows, statistics(root), command="python -m stbench -m loss=a,b", title="Sweep x")


def mixed(root: Path) -> SweepResult:
    """Two losses at three learning rates, of which one failed, and a loss that is refused: every state once or more."""
    rates, rows = ("3e-2", "1e-3", "1e-2"), []
    for place, loss in enumerate(("triplet", "contrastive")):
        for at, rate in enumerate(rates):
            number = 1 + 3 * place + at
            quality = 0.2 + 0.15 * place + 0.03 * at
            rows.append(ran(root, number, quality, files=KNOWN, loss=loss, training__learning_rate=rate))
    rows[4] = lost(5, "failed", "the loss is nan", loss="contrastive", training__learning_rate="1e-3")
    ends: tuple[State, ...] = ("refused", "interrupted", "pruned")
    rows += [
        lost(7 + place, state, f"it was {state}", loss="teacher", training__learning_rate=rate)
        for place, (state, rate) in enumerate(zip(ends, rates, strict=True))
    ]
    return ended(root, *rows)
