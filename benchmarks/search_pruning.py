"""How many training steps a search with pruning needs to reach the best of as many full random trials.

    python benchmarks/search_pruning.py --folder DIR --output docs/search.md

Each repetition is two commands in DIR, random and full, then Optuna with its pruner in small portions until it has reached
the best selection score of the random trials. Both are searches of stbench with a study of their own, so that whatever was
trained in DIR is there for later: a sentence that recurs is not trained again (its steps count all the same), and a benchmark
that was stopped goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

SPACE = (
    "training.learning_rate=tag(log,interval(0.0003,1))", "loss.arguments.scale=tag(log,interval(1,200))",
    "training.scheduler=choice(linear,cosine,constant)", "loss=choice(contrastive,MultipleNegativesSymmetricRankingLoss)",
)  # fmt: skip
FIXED = (
    "tracker=none",
    "evaluator.cost=false",
    "evaluator.bm25=false",
    "verdict.resamples=100",
    "training.eval_steps=0.1",
    "training.batch_size=128",
)
FULL = ("hydra.sweeper.sampler=random", "hydra.sweeper.pruner=none")
OTHER_SEEDS = 1000
"""Between the seeds of both: the first draws of Optuna's own sampler are random, and would be those of the random search."""
PORTION = 4
NEAR = 0.005
"""A difference that stbench itself calls none (verdict.min_effect): the best of many scores is partly luck."""
TARGET = 1 / 3


@dataclass(frozen=True)
class Trial:
    """As search.json has it."""

    score: float | None
    """None where it did not finish."""
    steps: int
    started: str
    ended: str
    pruned: bool


@dataclass(frozen=True)
class Repetition:
    """One seed."""

    seed: int
    best: float
    """That the random trials reached."""
    full: int
    """Steps of all random trials."""
    until: int
    """Steps of these until the best was reached."""
    steps: int
    """Of the search with pruning until it reached as much, or of all its trials."""
    reached: bool
    trials: int
    pruned: int
    near: int | None
    """Steps of the search with pruning until it was within `NEAR`; None where it never was."""

    @property
    def share(self) -> float:
        return self.steps / self.full

    @property
    def near_share(self) -> float:
        return inf if self.near is None else self.near / self.full


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--trials", type=int, default=30, help="of the random search")
    parser.add_argument("--most", type=int, default=None, help="of the search with pruning; default: twice as many")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--limit", type=int, default=None, help="training rows; default: all")
    parser.add_argument("--slots", type=int, default=None, help="trainings at a time; default: as stbench chooses")
    parser.add_argument("--folder", type=Path, default=Path("search-pruning"), help="where everything is trained")
    parser.add_argument("--output", type=Path, default=None, help="where the page is written")
    said = parser.parse_args()
    output = said.output and said.output.resolve()
    said.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(said.folder)
    found = []
    for seed in range(said.repetitions):
        found.append(repetition(seed, said))
        print(line(found[-1]), file=sys.stderr, flush=True)
    page = table(found, said)
    print(page)
    if output:
        output.write_text(page, encoding="utf-8")
    return 0 if median(one.near_share for one in found) <= TARGET else 1


def repetition(seed: int, said: argparse.Namespace) -> Repetition:
    random = search(f"random-{seed}", seed, said.trials, FULL, said)
    scores = [one.score for one in random if one.score is not None]
    if not scores:
        raise SystemExit(f"no random trial of seed {seed} finished: see {Path('output.txt').resolve()}")
    most, best = said.most or 2 * said.trials, max(scores)
    for trials in range(PORTION, most + PORTION, PORTION):
        pruning = search(f"pruning-{seed}", seed + OTHER_SEEDS, min(trials, most), (), said)
        if any(one.score is not None and one.score >= best for one in pruning):
            break
    spent = until(pruning, best)
    counted = spent or pruning
    return Repetition(
        seed, best, steps_of(random), steps_of(until(random, best)), steps_of(counted), bool(spent), len(counted),
        sum(one.pruned for one in counted), steps_of(until(pruning, best - NEAR)) or None,
    )  # fmt: skip


def until(trials: Sequence[Trial], best: float) -> list[Trial]:
    """Trials that had begun when one of them reached `best`, those that ran beside it as a whole; none where it never was."""
    ends = [one.ended for one in trials if one.score is not None and one.score >= best]
    return [one for one in trials if one.started <= min(ends)] if ends else []


def steps_of(trials: Sequence[Trial]) -> int:
    return sum(one.steps for one in trials)


def search(name: str, seed: int, trials: int, more: Sequence[str], said: argparse.Namespace) -> list[Trial]:
    """Runs what is missing of a study; returns all its trials."""
    limit = [f"dataset.limit={said.limit}"] if said.limit else []
    slots = [f"hydra.launcher.slots={said.slots}"] if said.slots else []
    words = [
        "-m", "hydra/sweeper=optuna", f"hydra.sweeper.name={name}", f"hydra.sweeper.seed={seed}",
        f"hydra.sweeper.trials={trials}", *more, *slots, *SPACE, *FIXED, f"training.epochs={said.epochs:g}", *limit,
    ]  # fmt: skip
    known = [place for place in studies(name) if len(_trials(place)) >= trials]
    if not known:
        run(words)
    (place,) = studies(name)
    return [_trial(one) for one in _trials(place)]


def studies(name: str) -> list[Path]:
    return [place for place in Path("experiments").glob(f"search-{name}-*") if (place / "search.json").is_file()]


def run(words: Sequence[str]) -> None:
    """One command line, in this process: its jobs are forked from one that has the libraries in memory."""
    from stbench.__main__ import command

    with Path("output.txt").open("a", encoding="utf-8") as stream, redirected(stream):
        code = command(words)
    if code == 130:
        raise SystemExit("stopped; the same command goes on from here")
    if code == 2:
        raise SystemExit(f"refused: see {Path('output.txt').resolve()}")


@contextlib.contextmanager
def redirected(stream: Any) -> Iterator[None]:
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield


def _trials(place: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((place / "search.json").read_text(encoding="utf-8"))["trials"]
    return found


def _trial(one: dict[str, Any]) -> Trial:
    score = one["values"][0] if one["state"] == "finished" else None
    return Trial(score, one["steps"], one["started"], one["ended"], one["state"] == "pruned")


def table(found: Sequence[Repetition], said: argparse.Namespace) -> str:
    shares = [one.share for one in found]
    within = sum(one.reached and one.share <= TARGET for one in found)
    near = [one.near_share for one in found]
    rows = "\n".join(line(one) for one in found)
    return HEAD.format(
        repetitions=len(found), trials=said.trials, most=said.most or 2 * said.trials, epochs=f"{said.epochs:g}",
        limit=f", {said.limit:,} training rows" if said.limit else "", rows=rows, median=median(shares), within=within,
        reached=sum(one.reached for one in found), least=min(shares), greatest=max(shares), margin=NEAR,
        near=median(near), near_within=sum(one <= TARGET for one in near),
        space="\n".join(SPACE),
    )  # fmt: skip


def line(one: Repetition) -> str:
    state = f"{one.share:.0%}" if one.reached else f"not reached ({one.share:.0%})"
    near = "never" if one.near is None else f"{one.near:,} ({one.near_share:.0%})"
    return (
        f"| {one.seed} | {one.best:.4f} | {one.full:,} | {one.until:,} | {one.trials} ({one.pruned} stopped) "
        f"| {one.steps:,} | {state} | {near} |"
    )


HEAD = """# What a search with pruning saves

Written by `benchmarks/search_pruning.py` ({repetitions} repetitions). A random search trains {trials} sentences to their end
({epochs} epochs of the default data set and base model{limit}). Then Optuna draws from the same space with the defaults of
`hydra/sweeper=optuna` (TPE, successive halving), until one of its trials has reached the best selection score of the random
search, or {most} trials have ended. Steps are those of all trainings that had begun by then, stopped ones as far as they went,
and trainings that ran beside the last one as a whole.

```
{space}
```

| seed | best of {trials} random trials | steps of all of them | steps until it was reached | trials with pruning | their steps | share of all random steps | steps until within {margin:g} |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

Within {margin:g} of the best random score, a difference that stbench itself calls none (`verdict.min_effect`), with a median of
**{near:.0%}** of the steps of the random search; with at most a third of them in {near_within} of {repetitions} repetitions. The same
score or a better one, to the last digit, with a median of **{median:.0%}** of the steps of the random search ({least:.0%} to {greatest:.0%}); reached in
{reached} of {repetitions} repetitions, with at most a third of the steps in {within}.
"""

if __name__ == "__main__":
    raise SystemExit(main())
