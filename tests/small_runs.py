"""Folders of finished runs with made-up outcomes, written by what writes those of real ones."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stbench.evaluation.scores import Scores
from stbench.records.folder import RunFolder
from stbench.records.judgement import KEY, Judgement
from stbench.records.record import write_samples
from stbench.verdict.judge import judge
from stbench.verdict.line import verdict_line
from stbench.verdict.score import score
from stbench.verdict.statistics import STATISTICS

N = 60
IDS = [f"q{place}" for place in range(N)]
TRUTH = np.random.default_rng(1).random(N)
CONFIG: Mapping[str, Any] = {
    "job": {"kind": "train"}, "model": {"type": "sentence_transformer", "suggests": {"learning_rate": 2e-5}},
    "loss": {"summary": "in-batch negatives", "types": {"sentence_transformer": [{"class": "X"}]}, "sampler": "no_duplicates"},
    "training": {"trial": False, "epochs": None, "extra": {}}, "tracker": {"kind": "none"}, "seed": 12,
}  # fmt: skip
PLAN = "data        small: 100 rows  (shape pair)\nloss        LossOne\nbatch size  32  (suggested by the model type)\n"
HISTORY = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}, {"step": 2, "score": 0.5}]


def outcomes(quality: float, seed: int = 1, n: int = N) -> Any:
    """Values of samples around `quality`, alike in all runs but for some noise."""
    return np.clip(TRUTH[:n] * 0.5 + quality + np.random.default_rng(seed).normal(0, 0.05, n), 0, 1)


def scores(
    values: Any, prefix: str = "test_cosine_", judged: str = "1a2b", ids: Sequence[str] = IDS, **more: Any
) -> Scores:
    """Of queries, each with its nDCG and a recall that is its half."""
    metrics = {f"{prefix}ndcg@10": float(np.mean(values)), f"{prefix}recall@10": float(np.mean(values)) / 2}
    columns = {"id": np.array(ids[: len(values)]), "ndcg@10": values, "recall@10": values / 2, "value": values}
    return Scores(
        f"{prefix}ndcg@10", metrics, "mean", columns, metric="ndcg@10", judged=judged, references={"BM25": 0.25}, **more
    )


def set_level(prediction: Any, target: Any = TRUTH, statistic: str = "spearman") -> Scores:
    """Of scored pairs, whose metric exists over the whole set alone."""
    columns = {"id": np.array(IDS), "prediction": prediction, "target": target}
    value = float(STATISTICS[statistic](columns, np.ones((1, N)))[0])
    metrics = {
        "test_spearman_cosine": value,
        "test_pearson_cosine": float(np.corrcoef(prediction, target)[0, 1]),
        "test_odd": 0.5,
    }
    return Scores("test_spearman_cosine", metrics, statistic, columns, metric="spearman", judged="3c4d")


def write_run(root: Path, name: str, final: Scores, baseline: Scores | None = None, **more: Any) -> Path:
    """A finished run of job=train in `root`; `more` are files to write otherwise, None for those to leave out."""
    folder = RunFolder(name, root)
    folder.path.mkdir(parents=True)
    baseline = baseline or final
    verdict = judge(baseline, final, resamples=200)
    write_samples(baseline, final, folder.path / "samples.parquet")
    readable = {key.removeprefix("test_"): value for key, value in final.metrics.items()}
    files: dict[str, Any] = {
        "status.json": {"state": "finished"},
        "verdict.json": {"line": verdict_line(verdict, name), **verdict.as_dict()},
        "metrics.json": {
            "test": {key: {"baseline": value / 2, "final": value} for key, value in readable.items()},
            "references": final.references, KEY: Judgement.of(final).as_dict(), "best_step": 2, "last_step": 2,
            "seconds": {"training": 12.5, "in all": 20.0}, "peak_bytes": 2**30,
        },
        "config.yaml": json.dumps(CONFIG), "history.json": HISTORY, "plan.txt": PLAN, "report.html": "<html></html>",
        "command.txt": f"python -m stbench tracker=none loss={name}\n",
    }  # fmt: skip
    for file, content in {**files, **more}.items():
        if content is not None:
            folder.write(file, content)
    return folder.path


def write_evaluation(root: Path, name: str, final: Scores) -> Path:
    """A finished run of job=evaluate, of one model alone."""
    import pyarrow
    from pyarrow.parquet import write_table

    alone = score(final, resamples=200, seed=1)
    config = {**CONFIG, "job": {"kind": "evaluate"}}
    kept = {
        "test": {key.removeprefix("test_"): {"final": value} for key, value in final.metrics.items()},
        "references": {}, KEY: Judgement.of(final).as_dict(), "seconds": {"in all": 3.0},
    }  # fmt: skip
    more = {
        "verdict.json": {"outcome": "EVALUATED", "baseline": None, **alone.as_dict()}, "metrics.json": kept,
        "config.yaml": json.dumps(config), "history.json": None,
    }  # fmt: skip
    path = write_run(root, name, final, **more)
    write_table(pyarrow.table({key: list(values) for key, values in final.samples.items()}), path / "samples.parquet")
    return path


def write_weights(path: Path, shapes: Mapping[str, Sequence[int]], size: int = 0) -> None:
    """The header of a file of weights, and `size` bytes that stand for them."""
    header = {name: {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 0]} for name, shape in shapes.items()}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    folder = path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(size))
