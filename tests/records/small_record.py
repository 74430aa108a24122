"""What the stages of a run hand to its records, small and made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stbench.audit.finding import Audit, Finding, example
from stbench.data.splits import Splits, content_hash
from stbench.evaluation.cost import Cost, Costs, Machine
from stbench.evaluation.scores import Scores
from stbench.evaluation.sizes import Size
from stbench.training.train import Trained

N = 12
ANCHORS = [f"what is thing number {i}?" for i in range(N)]


def splits() -> Splits:
    from datasets import Dataset

    def rows(word: str) -> Dataset:
        return Dataset.from_dict({"anchor": ANCHORS, "positive": [f"{word} {i}" for i in range(N)]})

    return Splits(rows("first"), rows("second"), rows("third"), "pair")


def scores(value: float, first_stage: float | None = None) -> Scores:
    values = np.linspace(0, 2 * value, N)
    metrics = {"test_cosine_ndcg@10": value, "test_cosine_mrr@10": value / 2}
    if first_stage is not None:
        metrics["test_base_ndcg@10"] = first_stage
    return Scores(
        primary="test_cosine_ndcg@10", metrics=metrics, statistic="mean", seconds=1.0,
        samples={"id": np.array([content_hash(text) for text in ANCHORS]), "value": values},
        references={"wordllama, not reranked": first_stage} if first_stage is not None else {},
        metric="ndcg@10", judged="1a2b",
    )  # fmt: skip


HISTORY = ({"step": 1, "loss": 2.0}, {"step": 2, "score": 0.5}, {"step": 2, "loss": 1.0})
TRAINED = Trained(HISTORY, best_step=2, last_step=2, rows=N, seconds=1.0, seconds_to_first_step=0.5)


SIZES = (Size(64, 6, 0.75, 0.25, 256, 1.5, 1000), Size(16, 6, 0.5, 0.25, 64, 1.5, 1000))
_COST = Cost(1000.0, 2000.0, 0.4, 0.9, 4_000_000, 1_000_000, 1024.0, None, None, 256)
LEAK = Finding(
    "test_leak", 6, 12, "test queries", "stand in the training data", (example(("test", "<b>a query</b>")),), "dataset.leaks=drop",
)  # fmt: skip
AUDIT = Audit((LEAK,), {"repeated rows (train)": 3})
COSTS = Costs(replace(_COST, texts_per_second=900.0), Machine("cpu", 2, 1.0), _COST)
