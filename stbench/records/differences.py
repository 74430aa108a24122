"""In what the sentences of several runs differ: what was said, and what their plans made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stbench.records.finished import SILENT, FinishedRun

OF_CHOICES = (
    "summary", "suggests", "new_head", "demo", "choose", "lacks", "metrics", "shapes", "types",
)  # fmt: skip
"""What the files of choices say of themselves: the choice is told by the plan."""
OF_RUN = ("job", "judged", "data", "roles", "splits")
"""Lines of the plan that are told by options, or that say only how the rows lie."""


UNSAID = "–"


class Difference(NamedTuple):
    """One thing in which runs differ, with the value of each."""

    what: str
    values: tuple[str, ...]


def said(runs: Sequence[FinishedRun]) -> list[Difference]:
    """Options of the sentences that have not the same value in all runs."""
    trees = [{name: _shown(value) for name, value in _leaves(_loud(run.config))} for run in runs]
    return _different(_filled(trees))


def decided(runs: Sequence[FinishedRun]) -> list[Difference]:
    """Lines of the plans that are not the same in all runs."""
    plans = [{name: value for name, value in run.plan.items() if name not in OF_RUN} for run in runs]
    # An evaluation decides nothing about training: that its plan is silent there is no difference.
    trained = [plan for run, plan in zip(runs, plans, strict=True) if run.job == "train"]
    filled = iter(_filled(trained))
    return _different([next(filled) if run.job == "train" else plan for run, plan in zip(runs, plans, strict=True)])


def _filled(trees: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Each with the names of all."""
    names = dict.fromkeys((name for tree in trees for name in tree), UNSAID)
    return [{**names, **tree} for tree in trees]


def _different(trees: Sequence[Mapping[str, str]]) -> list[Difference]:
    names = dict.fromkeys(name for tree in trees for name in tree)
    found = [name for name in names if len({tree[name] for tree in trees if name in tree}) > 1]
    return [Difference(name, tuple(tree.get(name, UNSAID) for tree in trees)) for name in found]


def _loud(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in (*SILENT, "job")}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if name in OF_CHOICES:
            continue
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    """As it would be typed."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
