"""What models cost, in words: two lines for the console, a table for the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stbench.evaluation.cost import Cost, Costs


class CostRow(NamedTuple):
    """One figure as it is read, of the model that is compared with (empty where there is none) and of the final one."""

    what: str
    before: str
    after: str


def cost_rows(costs: Costs) -> list[CostRow]:
    """Every figure that one of the models has."""
    figures = (*SPEED, *SIZE)
    rows = [CostRow(_of_pairs(one.label, costs), one.of(costs.before), one.of(costs.after)) for one in figures]
    return [row for row in rows if row.before or row.after]


def cost_facts(costs: Costs) -> list[tuple[str, str]]:
    """Speed in one line and size in another, with arrows where something changed."""
    return [("speed", _line(costs, SPEED)), ("size", _line(costs, SIZE))]


def cost_caption(costs: Costs) -> str:
    """What the speed was measured on, and how busy the machine was."""
    machine = costs.machine
    busy = "" if machine.load is None else f" with {machine.load:g} processes at work"
    place = f"{machine.processors} processors{busy}" if machine.device == "cpu" else machine.device
    number = f"{costs.after.measured_on:,} {_of_pairs('documents', costs)} of the test split"
    return f"Measured in this run, on {place}; throughput with {number}, batches of 32.{_remark(costs)}"


def _remark(costs: Costs) -> str:
    before, after = costs.before, costs.after
    if before is None or (before.parameters, before.index_bytes_per_document) != (
        after.parameters, after.index_bytes_per_document,
    ):  # fmt: skip
        return ""
    return " Both models have one architecture, so that their speed differs by chance alone."


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.2g} ms"


def _bytes(value: float) -> str:
    for size, name in ((1e6, "MB"), (1e3, "kB")):
        if value >= 10 * size:
            return f"{value / size:,.1f} {name}"
    return f"{value:,.0f} bytes"


def _count(value: float) -> str:
    return f"{value / 1e6:,.1f} M" if value >= 100_000 else f"{value:,.0f}"


@dataclass(frozen=True)
class Figure:
    """One figure of a cost, and how it is told."""

    name: str
    label: str
    """In a table."""
    phrase: str
    """In a line, around the value; empty where the line leaves it out."""
    show: Callable[[float], str]

    def of(self, cost: Cost | None) -> str:
        value = getattr(cost, self.name) if cost else None
        return "" if value is None else self.show(value)

    def in_a_line(self, costs: Costs) -> str:
        before, after = self.of(costs.before), self.of(costs.after)
        return _of_pairs(self.phrase, costs).format(after if before in ("", after) else f"{before} → {after}")


SPEED = (
    Figure("texts_per_second", "documents a second", "{} documents a second", _rate),
    Figure("queries_per_second", "queries a second", "{} queries a second", _rate),
    Figure("query_ms_median", "one query, median", "one query in {}", _milliseconds),
    Figure("query_ms_p95", "one query, 95th percentile", "95 % of them within {}", _milliseconds),
)
SIZE = (
    Figure("model_bytes", "weights", "{} of weights", _bytes),
    Figure("parameters", "parameters", "{} parameters", _count),
    Figure("index_bytes_per_document", "index, one document", "{} of index a document", _bytes),
    Figure("active_dims", "active dimensions, one document", "", _count),
    Figure("query_active_dims", "active dimensions, one query", "", _count),
)


def _of_pairs(words: str, costs: Costs) -> str:
    """A cross-encoder reads pairs; beside another model each has its own."""
    if costs.before and _scores_pairs(costs.before) != _scores_pairs(costs.after):
        return words.replace("documents", "documents or pairs").replace("one query", "one query or pair")
    return words.replace("documents", "pairs").replace("one query", "one pair") if _scores_pairs(costs.after) else words


def _scores_pairs(cost: Cost) -> bool:
    return cost.index_bytes_per_document is None


def _line(costs: Costs, figures: Sequence[Figure]) -> str:
    return ", ".join(one.in_a_line(costs) for one in figures if one.phrase and one.of(costs.after))
