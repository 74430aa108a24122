"""The figures of a run: its training step by step, its samples, its sizes. Each is None where there is nothing to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from stbench.records.drawing import BAD, GOOD, INK, MAIN, MUTED, SIDE, Chart, canvas, curve, drawn, known, line
from stbench.records.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from stbench.evaluation.sizes import Size
    from stbench.training.pace import Moment

History = Sequence[Mapping[str, float]]
BINS = 21
"""Odd, so that one bin of the histogram has zero in its middle."""


def loss_chart(history: History) -> Chart | None:
    steps, losses = curve(history, "loss")
    if not steps:
        return None
    figure, axes = canvas()
    line(axes, steps, losses, MAIN)
    rate_steps, rates = curve(history, "learning_rate")
    if rate_steps:
        right = _right_of(axes)
        line(right, rate_steps, rates, SIDE, "--")
        right.set_ylim(bottom=0)
        right.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    caption = f"Training loss from {number(losses[0])} to {number(losses[-1])}"
    if not rate_steps:
        return Chart("Loss", drawn(figure, "loss"), f"{caption}.")
    caption = f"{caption}; dashed, on the right: the learning rate."
    return Chart("Loss and learning rate", drawn(figure, "loss"), caption)


def score_chart(history: History, best_step: int | None) -> Chart | None:
    steps, scores = curve(history, "score", thin=False)
    if not steps:
        return None
    figure, axes = canvas()
    line(axes, steps, scores, MAIN)
    caption = "Measured on the selection split, which chooses the checkpoint and gives no verdict."
    if best_step in steps:
        best = scores[steps.index(best_step)]
        axes.scatter([best_step], [best], s=100, facecolors="none", edgecolors=GOOD, linewidths=2, zorder=3)
        caption = f"Best at step {best_step:,}{_epoch(history, best_step)}: {number(best)}. {caption}"
    return Chart("Selection metric", drawn(figure, "score"), caption)


def _right_of(axes: Axes) -> Axes:
    """A second vertical axis."""
    right = axes.twinx()
    right.grid(False)
    right.spines["left"].set_visible(False)
    right.spines["right"].set_visible(True)
    return right


def _epoch(history: History, step: int | None) -> str:
    there = (row for row in history if row.get("step") == step)
    epochs = [row["epoch"] for row in there if known(row.get("epoch"))]
    return f" (epoch {epochs[0]:.3g})" if epochs else ""


def sparsity_chart(history: History) -> Chart | None:
    """How many dimensions of a sparse model's vectors were active when it was evaluated."""
    found = {side: curve(history, name, thin=False) for side, name in _active_names(history).items()}
    if not found:
        return None
    figure, axes = canvas()
    for side, (steps, dims) in found.items():
        line(axes, steps, dims, *((SIDE, "--") if side == "query" else (MAIN,)))
    axes.set_ylim(bottom=0)
    ends = ", ".join(f"{dims[-1]:,.0f} of a {side}" for side, (_, dims) in found.items())
    caption = f"Mean number on the selection split, at the end {ends}; dashed: queries. Healthy: 30 to 50 of a query, 150 to 250 of a document."
    return Chart("Active dimensions", drawn(figure, "active"), caption)


def _active_names(history: History) -> dict[str, str]:
    """The names under which they were logged, by side."""
    names = {name for row in history for name in row if name.endswith("active_dims")}
    ends = {"document": "corpus_active_dims", "query": "query_active_dims"}
    return {side: name for side, end in ends.items() for name in sorted(names) if name.endswith(end)}


def pace_chart(pace: Sequence[Moment]) -> Chart | None:
    """Time and memory of each step."""
    if not pace:
        return None
    rows = [{"step": one.step, "seconds": one.seconds, "memory": one.memory_bytes / 2**30} for one in pace]
    figure, axes = canvas()
    line(axes, *curve(rows, "seconds"), MAIN)
    axes.set_ylim(bottom=0)
    right = _right_of(axes)
    line(right, *curve(rows, "memory"), SIDE, "--")
    right.set_ylim(bottom=0)
    seconds = [one.seconds for one in pace]
    caption = (
        f"Seconds a step, {median(seconds):.3g} in the middle and at most {max(seconds):.3g}, evaluations not counted;"
        f" dashed, on the right: memory held, up to {max(row['memory'] for row in rows):.3g} GiB."
    )
    return Chart("Time and memory by step", drawn(figure, "pace"), caption)


def norm_chart(history: History) -> Chart | None:
    steps, norms = curve(history, "grad_norm")
    if not steps:
        return None
    figure, axes = canvas()
    line(axes, steps, norms, MAIN)
    axes.set_ylim(bottom=0)
    return Chart("Gradient norm", drawn(figure, "norm"), f"Largest, before clipping: {number(max(norms))}.")


def gain_chart(changes: Sequence[float]) -> Chart | None:
    """Samples that did not move are counted in words: their bar would dwarf all others."""
    import numpy as np

    gains = np.array([gain for gain in changes if gain])
    if not len(gains):
        return None
    reach = float(np.abs(gains).max())
    counts, edges = np.histogram(gains, bins=BINS, range=(-reach, reach))
    middles = (edges[:-1] + edges[1:]) / 2
    colors = [MUTED if abs(m) < reach / BINS else GOOD if m > 0 else BAD for m in middles]
    figure, axes = canvas("change of a sample")
    axes.bar(middles, counts, width=0.9 * (edges[1] - edges[0]), color=colors)
    axes.axvline(0, color=INK, linewidth=1)
    axes.locator_params(axis="y", integer=True)
    caption = f"{len(changes) - len(gains):,} of {len(changes):,} samples did not change."
    return Chart("Changes, sample by sample", drawn(figure, "gains"), caption)


def size_chart(sizes: Sequence[Size], metric: str) -> Chart | None:
    """Score against dimensions, a line for each number of layers; or against layers, where only these vary."""
    dims = sorted({size.dim for size in sizes})
    layers = sorted({size.layers for size in sizes if size.layers is not None}, reverse=True)
    if len(sizes) < 2:
        return None
    by_layers = len(dims) == 1
    figure, axes = canvas("transformer layers" if by_layers else "dimensions")
    for count in [None] if by_layers or not layers else layers:
        cut = sorted(
            (size for size in sizes if count is None or size.layers == count),
            key=lambda size: (size.layers or 0) if by_layers else size.dim,
        )
        places = [(size.layers or 0) if by_layers else size.dim for size in cut]
        line(axes, places, [size.baseline for size in cut], SIDE, "--")
        line(axes, places, [size.score for size in cut], MAIN)
        if count is not None and len(layers) > 1:
            axes.annotate(
                f"{count} layers", (places[-1], cut[-1].score), textcoords="offset points", xytext=(0, 5), ha="right"
            )
    if not by_layers:
        axes.set_xscale("log", base=2)
        axes.set_xticks(dims, [str(dim) for dim in dims])
        axes.minorticks_off()
    caption = f"{metric} of the model cut to size; dashed: of the untouched model cut to size."
    return Chart("Score by size", drawn(figure, "sizes"), caption)
