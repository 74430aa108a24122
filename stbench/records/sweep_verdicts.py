"""The verdicts of many runs: each p corrected for how many there are, since the best is picked by what it is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist

from stbench.records.finished import FinishedRun
from stbench.verdict.judge import CONFIDENCE, POWER
from stbench.verdict.pairwise import holm
from stbench.verdict.statistics import ROUNDING, student_p, widened_p


def corrected(runs: Sequence[FinishedRun]) -> Mapping[Path, float]:
    """Holm's p of each verdict; empty for one alone, which nothing has chosen."""
    there = {run.path: _sharpened(run, p) for run in runs if (p := p_of(run)) is not None}
    return dict(zip(there, holm(list(there.values())), strict=True)) if len(there) > 1 else {}


def p_of(run: FinishedRun) -> float | None:
    """What its verdict says; None where it has none."""
    found = run.verdict.get("p")
    return None if found is None else float(found)


def _sharpened(run: FinishedRun, p: float) -> float:
    """`p`, or what the spread of the resamples says where none of them lay beyond zero, so that they cannot tell how small it is.

    Otherwise no verdict of 10,000 resamples, whose smallest p is 0.0002, could hold among 250 runs.
    """
    resamples = run.config.get("verdict", {}).get("resamples")
    deviation = _deviation(run)
    if resamples is None or deviation <= ROUNDING:
        return p
    changed = max(2, _changed(run))
    none_beyond = p <= widened_p(2 / (resamples + 1), changed) * (1 + ROUNDING)
    return min(p, student_p(float(run.verdict["delta"]) / deviation, changed)) if none_beyond else p


def _deviation(run: FinishedRun) -> float:
    """Standard error of its difference, of which the detectable one is a multiple; 0 where there is none."""
    normal = NormalDist()
    return float(run.verdict.get("detectable") or 0.0) / (normal.inv_cdf((1 + CONFIDENCE) / 2) + normal.inv_cdf(POWER))


def _changed(run: FinishedRun) -> int:
    """Samples on which final model and baseline differ."""
    import numpy as np
    from pyarrow.parquet import ParquetFile

    column = "value" if run.judgement.statistic.startswith("mean") else "prediction"
    names = [f"{side}_{column}" for side in ("baseline", "final")]
    table = ParquetFile(run.path / "samples.parquet").read(columns=names)
    before, after = (np.array(table.column(name).to_pylist()) for name in names)
    return int(np.count_nonzero(before != after))
