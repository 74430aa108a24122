"""How often a model that has not improved is called a win: the customary rule beside stbench's.

    make false-wins     writes docs/false-wins.md (about half an hour on two cores)

Everything is real but the gain: the queries and documents of the default data set (docstrings that look for their
function), the embeddings of its default base model, nDCG@10 of each query. Ten checkpoints differ from the baseline by
noise of one of three kinds. Real noise makes most models a little worse and some a little better, so that nobody
could say which win is false; therefore the outcomes of baseline and checkpoints are swapped for a random half of the
queries, the same half for all ten. That leaves size, shape and correlation of the differences as they were measured
and makes their true mean exactly zero: every win is false.

The customary rule picks the best of ten checkpoints on a set and calls it a win from +0.005 on that set. stbench picks
it on a selection set and judges it on as many other queries. Both see the same draws.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

Values = NDArray[np.float64]
CHECKPOINTS = 10
SIZES = (150, 650, 1000)
POOL = 2600
"""Queries of which each repetition draws its own."""
MIN_EFFECT = 0.005
GAIN = 0.02
DEPTH = 10
CUT = 64
"""Dimensions of a head."""
WEIGHT_NOISE = 0.05
"""Standard deviation of the noise, as a share of that of the weights."""
SHUFFLED_STEPS, BATCH, RATE = 3, 256, 3e-3


@dataclass(frozen=True)
class World:
    """Texts as bags of tokens, and the table of their vectors."""

    queries: Any
    """(queries, tokens) sparse, rows summing to 1; query i is answered by document i."""
    documents: Any
    table: NDArray[np.float32]

    @classmethod
    def real(cls) -> World:
        """The default data set and the default base model."""
        from stbench.data.python_docs import extract
        from stbench.models.build import bi_encoder
        from stbench.models.choose import named_base

        rows = extract()
        model: Any = bi_encoder(named_base("wordllama", "base_model"), "cpu")
        bags = [_bags(model[0].tokenizer, [row[name] for row in rows]) for name in ("query", "document")]
        used = np.flatnonzero(np.asarray(bags[0].sum(0) + bags[1].sum(0)).ravel())
        table = model[0].embedding.weight.detach().numpy()[used].astype(np.float32)
        chosen = np.random.default_rng(0).permutation(len(rows))[:POOL]
        return cls(bags[0][:, used][chosen].tocsr(), _ordered(bags[1][:, used].tocsr(), chosen), table)

    def scores(self, table: NDArray[np.float32], head: NDArray[np.float32] | None = None) -> Values:
        """nDCG@10 of each query: one document is relevant."""
        queries, documents = (_units(bags @ table, head) for bags in (self.queries, self.documents))
        similarity = queries @ documents.T
        own = np.take_along_axis(similarity, np.arange(len(queries))[:, None], 1)
        rank = 1 + np.count_nonzero(similarity > own, axis=1)
        return np.where(rank <= DEPTH, 1 / np.log2(rank + 1), 0.0)

    @cached_property
    def baseline(self) -> Values:
        return self.scores(self.table)


def _bags(tokenizer: Any, texts: Sequence[str]) -> Any:
    from scipy.sparse import csr_array

    ids = [one.ids for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    rows = np.repeat(np.arange(len(ids)), [len(one) for one in ids])
    weights = np.concatenate([np.full(len(one), 1 / max(1, len(one)), dtype=np.float32) for one in ids])
    return csr_array((weights, (rows, np.concatenate(ids))), shape=(len(ids), tokenizer.get_vocab_size())).tocsr()


def _ordered(documents: Any, chosen: NDArray[np.int64]) -> Any:
    """The documents of the chosen queries first, in their order; all others are there to be confused with."""
    others = np.setdiff1d(np.arange(documents.shape[0]), chosen)
    return documents[np.concatenate([chosen, others])]


def _units(vectors: NDArray[np.float32], head: NDArray[np.float32] | None) -> NDArray[np.float32]:
    vectors = vectors if head is None else vectors @ head
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


Kind = Callable[[World, np.random.Generator], tuple[Values, Values]]
"""Outcomes of the baseline (queries,) and of ten checkpoints (10, queries)."""


def reseeded_heads(world: World, random: np.random.Generator) -> tuple[Values, Values]:
    """The same frozen vectors under new random heads."""
    shape = (world.table.shape[1], CUT)
    heads = [random.normal(size=shape).astype(np.float32) for _ in range(CHECKPOINTS + 1)]
    baseline, *others = (world.scores(world.table, head) for head in heads)
    return baseline, np.stack(others)


def weight_noise(world: World, random: np.random.Generator) -> tuple[Values, Values]:
    """Each weight moved a little, as by the last digits of another machine or another order of batches."""
    spread = WEIGHT_NOISE * float(world.table.std())
    noise = (spread * random.standard_normal(world.table.shape, dtype=np.float32) for _ in range(CHECKPOINTS))
    return world.baseline, np.stack([world.scores(world.table + one) for one in noise])


def shuffled_labels(world: World, random: np.random.Generator) -> tuple[Values, Values]:
    """Trained with in-batch negatives, each query beside another's document."""
    return world.baseline, np.stack([world.scores(table) for table in _trained(world, random)])


def _trained(world: World, random: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    import torch
    from torch.nn.functional import cross_entropy, normalize

    table = torch.tensor(world.table, requires_grad=True)
    optimizer = torch.optim.Adam([table], lr=RATE)
    beside = random.permutation(world.queries.shape[0])
    for _ in range(CHECKPOINTS):
        for _ in range(SHUFFLED_STEPS):
            rows = random.integers(0, len(beside), BATCH)
            sides = [_tensor(bags) for bags in (world.queries[rows], world.documents[beside[rows]])]
            queries, documents = (normalize(side @ table, dim=1) for side in sides)
            loss = cross_entropy(20 * queries @ documents.T, torch.arange(BATCH))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield table.detach().numpy().copy()


def _tensor(bags: Any) -> Any:
    import torch

    entries = bags.tocoo()
    return torch.sparse_coo_tensor(np.stack(entries.coords), entries.data, entries.shape, check_invariants=False)


KINDS: dict[str, Kind] = {
    "re-seeded heads": reseeded_heads,
    "weight noise": weight_noise,
    "shuffled labels": shuffled_labels,
}


@dataclass(frozen=True)
class Repetition:
    """What was called a win with one draw of one size."""

    kind: str
    size: int
    customary: bool
    ours: bool
    regression: bool
    gained: bool
    """Whether stbench saw the win that a true gain of `GAIN` is."""


def repetitions(kind: str, number: int) -> list[Repetition]:
    """All sizes, with one draw of the noise."""
    random = np.random.default_rng([number, list(KINDS).index(kind)])
    baseline, checkpoints = KINDS[kind](WORLD, random)  # type: ignore[name-defined]  # noqa: F821
    swapped = random.random(len(baseline)) < 0.5
    null = np.where(swapped, checkpoints, baseline), np.where(swapped, baseline, checkpoints)
    return [_repetition(kind, size, null, random, number) for size in SIZES]


def _repetition(
    kind: str, size: int, null: tuple[Values, Values], random: np.random.Generator, seed: int
) -> Repetition:
    drawn = random.permutation(len(null[1][0]))
    selection, test = drawn[:size], drawn[size : 2 * size]
    # Where outcomes were swapped the baseline differs from checkpoint to checkpoint.
    gains = null[1] - null[0]
    best = int(gains[:, selection].mean(1).argmax())
    before, after = null[0][best], null[1][best]
    said = _verdict(before[test], after[test], seed)
    return Repetition(
        kind, size, bool(gains[best, selection].mean() >= MIN_EFFECT), said == "WIN", said == "REGRESSION",
        _verdict(before[test], _raised(before, after, random)[test], seed) == "WIN",
    )  # fmt: skip


def _raised(before: Values, after: Values, random: np.random.Generator) -> Values:
    """`after` with a true mean gain of `GAIN` over all queries: some that were missed are found."""
    raised, order = after.copy(), random.permutation(len(after))
    target = before.mean() + GAIN
    for query in order[after[order] < 1]:
        lacking = (target - raised.mean()) * len(raised)
        if lacking <= 0:
            break
        raised[query] = min(1.0, raised[query] + min(lacking, 0.5))
    return raised


def _verdict(before: Values, after: Values, seed: int) -> str:
    from stbench.evaluation.scores import Scores
    from stbench.verdict.judge import judge

    ids = np.arange(len(before))
    sides = [
        Scores("ndcg@10", {"ndcg@10": float(side.mean())}, "mean", {"id": ids, "value": side})
        for side in (before, after)
    ]
    return str(judge(*sides, min_effect=MIN_EFFECT, seed=seed).outcome)


def begin() -> None:
    import torch

    torch.set_num_threads(1)
    globals()["WORLD"] = World.real()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=None, help="where the page is written")
    parser.add_argument("--state", type=Path, default=None, help="repetitions so far, which are not drawn again")
    said = parser.parse_args()
    start, known = time.monotonic(), _read(said.state)
    with ProcessPoolExecutor(said.processes, mp_context=get_context("spawn"), initializer=begin) as pool:
        for kind in KINDS:
            numbers = [number for number in range(said.repetitions) if (kind, number) not in known]
            for number, drawn in zip(numbers, pool.map(partial(repetitions, kind), numbers), strict=True):
                known[kind, number] = drawn
                _keep(said.state, kind, number, drawn)
            print(f"{kind}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    found = [one for (_, number), drawn in known.items() if number < said.repetitions for one in drawn]
    page = table(found, said.repetitions)
    print(page)
    if said.output:
        said.output.write_text(page, encoding="utf-8")
    rates = [_rate(found, kind, size, "ours") for kind in KINDS for size in SIZES]
    return 0 if max(rates) <= 0.05 else 1


def _read(state: Path | None) -> dict[tuple[str, int], list[Repetition]]:
    lines = state.read_text(encoding="utf-8").splitlines() if state and state.is_file() else []
    rows = [json.loads(line) for line in lines]
    return {(row["kind"], row["number"]): [Repetition(**one) for one in row["drawn"]] for row in rows}


def _keep(state: Path | None, kind: str, number: int, drawn: Sequence[Repetition]) -> None:
    if state:
        row = {"kind": kind, "number": number, "drawn": [asdict(one) for one in drawn]}
        with state.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


def table(found: Sequence[Repetition], number: int) -> str:
    """The page of the docs."""
    rows = [
        f"| {kind} | {size:,} | {_rate(found, kind, size, 'customary'):.1%} | {_rate(found, kind, size, 'ours'):.1%} "
        f"| {_rate(found, kind, size, 'regression'):.1%} | {_rate(found, kind, size, 'gained'):.0%} |"
        for kind in KINDS
        for size in SIZES
    ]
    return "\n".join([HEAD.format(number=number), *rows, ""])


def _rate(found: Sequence[Repetition], kind: str, size: int, name: str) -> float:
    own = [getattr(one, name) for one in found if (one.kind, one.size) == (kind, size)]
    return sum(own) / len(own)


HEAD = """# How often nothing is called a win

Written by `make false-wins` ({number} repetitions a row). Ten checkpoints that differ from the baseline by noise alone are
compared with it on real queries of the default data set (nDCG@10 of the default base model). *Customary*: the best
checkpoint is chosen on a set, and +0.005 on that set is a win. *stbench*: it is chosen on the selection split and judged on a
test split of the same size. The difference is exactly zero by construction (outcomes of baseline and checkpoints are swapped
for a random half of the queries), so every win is false; false regressions are counted too. The last column is the power:
how often stbench announces a true gain of 0.02.

| noise | queries | customary: false wins | stbench: false wins | stbench: false regressions | power at +0.02 |
| --- | --- | --- | --- | --- | --- |"""

if __name__ == "__main__":
    raise SystemExit(main())
