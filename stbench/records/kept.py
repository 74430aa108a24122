"""The outcomes of a finished run, read back from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stbench.evaluation.scores import Scores
from stbench.records.folder import RunFolder
from stbench.records.judgement import KEY, Judgement

SIDES = ("baseline", "final")


def kept_scores(folder: RunFolder) -> tuple[Scores, Scores]:
    """Baseline and final model on the test samples; the same twice where an evaluation compared with nothing.

    Each holds the deciding metric alone. Raises KeyError or OSError for a folder that is no finished run's.
    """
    from pyarrow.parquet import read_table

    table = read_table(folder.path / "samples.parquet")
    columns = {name: table[name].to_numpy() for name in table.column_names}
    verdict, judged = folder.read("verdict.json"), Judgement.from_dict(folder.read("metrics.json")[KEY])
    before = verdict.get("baseline")
    values = {"baseline": verdict["score"] if before is None else before, "final": verdict["score"]}
    baseline, final = (_scores(_side(columns, side), verdict["metric"], values[side], judged) for side in SIDES)
    return baseline, final


def _side(columns: Mapping[str, Any], side: str) -> dict[str, Any]:
    own = {name.removeprefix(f"{side}_"): values for name, values in columns.items() if name.startswith(f"{side}_")}
    return {"id": columns["id"], **own} if own else dict(columns)


def _scores(samples: dict[str, Any], key: str, score: float | None, judged: Judgement) -> Scores:
    value = float("nan") if score is None else float(score)
    return Scores(
        key,
        {key: value},
        judged.statistic,
        samples,
        judged.greater_is_better,
        metric=judged.metric,
        judged=judged.content,
    )
