"""Runs held against each other: those that answered the same question are ranked and tested pair by pair, others stand apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stbench.cache import Store, digest_of, key_of
from stbench.records.finished import FinishedRun, LeftOut
from stbench.verdict.judge import none_for_nan
from stbench.verdict.metric_names import plain_names, without_similarity
from stbench.verdict.pairwise import Pair, Ranking, ranked, spreads
from stbench.verdict.statistics import Spread

MATRIX = 8
"""Most runs whose every pair is shown; of more only the differences from the best."""
AGREES = 1e-6
"""How far a metric that was computed again may be from the one that the library gave."""
SET_LEVEL = {
    "spearman": ("spearman",),
    "pearson": ("pearson",),
    "ap": ("average_precision",),
    "average_precision": ("average_precision",),
    "f1": ("best_f1",),
    "accuracy": ("accuracy", "best_accuracy"),
    "f1_macro": ("macro_f1",),
    "f1_weighted": ("weighted_f1",),
}
"""Statistics that a metric may be, where samples have no value of their own; the one that gives the same number is taken."""


@dataclass(frozen=True)
class Measured:
    """One metric of one run; no bounds where it cannot be resampled."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Group:
    """Runs that one metric judged on the same samples, best first."""

    runs: tuple[FinishedRun, ...]
    ranking: Ranking
    """Its places are those of `runs`."""
    metrics: tuple[Mapping[str, Measured], ...] = ()
    """Of each run, by plain name; empty where only the score was asked for."""

    @property
    def metric(self) -> str:
        return self.runs[0].judgement.metric

    @property
    def greater_is_better(self) -> bool:
        return self.runs[0].judgement.greater_is_better

    @property
    def n(self) -> int:
        return len(self.runs[0].samples["id"])

    @property
    def data(self) -> str:
        """What the rows come from, in words of the first run that says it."""
        return next((run.plan["data"].split(":")[0] for run in self.runs if "data" in run.plan), "")

    @property
    def title(self) -> str:
        source = f" of {self.data}" if self.data else ""
        return f"{self.metric} on {self.n:,} samples{source}"

    @property
    def manner(self) -> str:
        """How the samples were judged, as the plan of the first run has it."""
        return ", ".join(filter(None, (self.runs[0].plan.get(name, "") for name in ("evaluator", "candidates"))))

    @property
    def scores(self) -> tuple[Spread, ...]:
        return self.ranking.spreads

    @property
    def best(self) -> FinishedRun:
        return self.runs[0]

    @cached_property
    def tied(self) -> frozenset[int]:
        """Places that cannot be told from the first, without it."""
        return frozenset(self.ranking.tied)

    def behind(self, place: int) -> Pair | None:
        """The run at `place` seen from the best; None for the best itself."""
        return self.ranking.between(place, 0) if place else None

    @property
    def shows_matrix(self) -> bool:
        return 2 < len(self.runs) <= MATRIX

    @cached_property
    def references(self) -> dict[str, float]:
        """Scores of other systems on which all runs agree."""
        first, *others = (run.references for run in self.runs)
        return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}

    @cached_property
    def metric_names(self) -> list[str]:
        """Every metric that some run has, the deciding one first."""
        names = list(dict.fromkeys(name for one in self.metrics for name in one))
        return sorted(names, key=lambda name: name != self.metric)


@dataclass(frozen=True)
class Comparison:
    """Everything that is told about some runs."""

    groups: tuple[Group, ...]
    """Those with the most runs first."""
    left_out: tuple[LeftOut, ...] = ()
    resamples: int = 10_000
    command: str = ""
    title: str = "Comparison"

    @property
    def runs(self) -> list[FinishedRun]:
        """All of them, group by group, best first."""
        return [run for group in self.groups for run in group.runs]

    @cached_property
    def numbers(self) -> dict[Path, int]:
        """What each run is called in tables and drawings: from 1 upwards."""
        return {run.path: number for number, run in enumerate(self.runs, 1)}

    def title_of(self, group: Group) -> str:
        """Its own title, with as much more as tells it from the others."""
        if [one.title for one in self.groups].count(group.title) == 1:
            return group.title
        longer = [f"{one.title} ({one.manner})" if one.manner else one.title for one in self.groups]
        place = self.groups.index(group)
        return longer[place] if longer.count(longer[place]) == 1 else f"{longer[place]}, group {place + 1}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no nan: None stands for it."""
        found: dict[str, Any] = none_for_nan(
            {
                "command": self.command,
                "resamples": self.resamples,
                "correction": "holm",
                "groups": [_group_dict(group) for group in self.groups],
                "left_out": [{"run": one.name, "reason": one.reason, "mend": one.mend} for one in self.left_out],
            }
        )
        return found


@dataclass(frozen=True)
class Statistics:
    """How intervals and tests are made, and where they are kept."""

    store: Store
    resamples: int
    seed: int
    every_metric: bool = True


def compare(
    runs: Sequence[FinishedRun],
    statistics: Statistics,
    *,
    left_out: Sequence[LeftOut] = (),
    command: str = "",
    title: str = "Comparison",
) -> Comparison:
    """`runs` in groups of one question each."""
    by_question: dict[str, list[FinishedRun]] = {}
    for run in runs:
        by_question.setdefault(run.question, []).append(run)
    groups = sorted((_group(some, statistics) for some in by_question.values()), key=lambda group: -len(group.runs))
    return Comparison(tuple(groups), tuple(left_out), statistics.resamples, command, title)


def _group(runs: Sequence[FinishedRun], statistics: Statistics) -> Group:
    # By name first: equal scores then always stand in the same order.
    named = sorted(runs, key=lambda run: (run.name, str(run.path)))
    # Draws go by place: in the order of a trained run its interval is the one that its own verdict line has.
    first = next((run for run in named if run.job == "train"), named[0])
    found = _ranked(named, first, statistics)
    ordered = tuple(named[place] for place in found.order)
    metrics = tuple(_measured(run, first, statistics) for run in ordered) if statistics.every_metric else ()
    return Group(ordered, _reordered(found), metrics)


def _ranked(runs: Sequence[FinishedRun], first: FinishedRun, statistics: Statistics) -> Ranking:
    """`runs`, with their samples in the order of `first`."""
    judgement = runs[0].judgement

    def made() -> dict[str, Any]:
        return ranked(
            [run.in_order_of(first) for run in runs], judgement.statistic, greater_is_better=judgement.greater_is_better,
            resamples=statistics.resamples, seed=statistics.seed,
        ).as_dict()  # fmt: skip

    contents = [digest_of(run.path / "samples.parquet") for run in (first, *runs)]
    return Ranking.from_dict(_kept(statistics, "ranking", [judgement.as_dict(), contents], made))


def _reordered(found: Ranking) -> Ranking:
    """The same with the places in order of rank."""
    rank = {place: number for number, place in enumerate(found.order)}
    pairs = []
    for pair in found.pairs:
        first, second = rank[pair.first], rank[pair.second]
        moved = Pair(first, second, pair.delta, pair.low, pair.high, pair.p, pair.corrected)
        pairs.append(moved if first < second else moved.turned())
    spread = tuple(found.spreads[place] for place in found.order)
    return Ranking(spread, tuple(range(len(spread))), tuple(pairs))


def _measured(run: FinishedRun, first: FinishedRun, statistics: Statistics) -> dict[str, Measured]:
    """Every metric of a run, with an interval where its samples give the same number again."""
    names, samples = plain_names(run.metrics), run.in_order_of(first)
    sides = [(name, side) for name in run.metrics for side in _sides(run, samples, name)]

    def made() -> dict[str, Any]:
        found = spreads([side for _, side in sides], resamples=statistics.resamples, seed=statistics.seed)
        return {"spreads": [asdict(one) for one in found]}

    contents = [digest_of(one.path / "samples.parquet") for one in (first, run)]
    key = [contents, [[name, side[0]] for name, side in sides]]
    kept = _kept(statistics, "spreads", key, made)["spreads"]
    measured = {names[name]: Measured(values["final"]) for name, values in run.metrics.items()}
    for (name, _), one in zip(sides, kept, strict=True):
        if abs(one["value"] - run.metrics[name]["final"]) <= AGREES:
            measured[names[name]] = Measured(run.metrics[name]["final"], one["low"], one["high"])
    return measured


def _sides(run: FinishedRun, samples: Mapping[str, Any], name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Statistics, each with its samples, that the metric `name` may be."""
    plain = without_similarity(name)
    if not run.judgement.statistic.startswith("mean"):
        return [(one, samples) for one in SET_LEVEL.get(plain, ())]
    column = samples.get(plain, samples["value"] if plain == run.judgement.metric else None)
    if column is None:
        return []
    return [(run.judgement.statistic, {**{k: v for k, v in samples.items() if k == "group"}, "value": column})]


def _kept(statistics: Statistics, kind: str, key: list[Any], made: Any) -> dict[str, Any]:
    """What `made()` returns, kept under everything that could change it."""
    from stbench import __version__

    def build(folder: Path) -> None:
        (folder / "found.json").write_text(json.dumps(made()), encoding="utf-8")

    whole = key_of(__version__, key, statistics.resamples, statistics.seed)
    file = statistics.store.product(kind, whole, build) / "found.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _group_dict(group: Group) -> dict[str, Any]:
    return {
        "metric": group.metric, "samples": group.n, "data": group.data, "greater_is_better": group.greater_is_better,
        "runs": [_run_dict(group, place) for place in range(len(group.runs))],
        "pairs": [
            {
                "first": group.runs[pair.first].name, "second": group.runs[pair.second].name, "delta": pair.delta,
                "ci95": [pair.low, pair.high], "p": pair.p, "p_holm": pair.corrected, "differs": pair.differs,
            }
            for pair in group.ranking.pairs
        ],
        "references": group.references,
    }  # fmt: skip


def _run_dict(group: Group, place: int) -> dict[str, Any]:
    run, spread = group.runs[place], group.scores[place]
    metrics = group.metrics[place] if group.metrics else {}
    return {
        "run": run.name, "folder": str(run.path), "said": run.words, "score": run.score, "ci95": [spread.low, spread.high],
        "tied_with_best": place == 0 or place in group.tied, "outcome": run.outcome, "baseline": run.baseline,
        "metrics": {name: asdict(one) for name, one in metrics.items()}, "cost": asdict(run.cost),
    }  # fmt: skip
