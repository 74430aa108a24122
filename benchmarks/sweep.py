"""Eight jobs of static embeddings on python_docs as one sweep, against eight plain scripts that do the same one after another.

    make bench-sweep     alternates the two, prints medians and their ratio, writes docs/bench-sweep.md

Both start from the same rows; the sweep's cache is empty each time, apart from the rows themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "plain" / "static_embeddings.py"
RATES = ("0.005", "0.01", "0.015", "0.02", "0.03", "0.04", "0.05", "0.07")
BATCHES = ("256",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--output", type=Path, default=None, help="where the page is written")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows_into(place / "data")
        pairs = [(scripts(place, place / "data"), sweep(place, place / "data")) for _ in range(said.repetitions)]
    page = written(pairs)
    print(page)
    if said.output:
        said.output.write_text(page, encoding="utf-8")
    return 0


def rows_into(folder: Path) -> None:
    """The splits of python_docs as the default sentence makes them, as three files."""
    words = [sys.executable, str(ROOT / "benchmarks" / "rows.py"), str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})


def scripts(place: Path, data: Path) -> float:
    """Seconds of the plain scripts, one after another."""
    start = time.perf_counter()
    for rate in RATES:
        for batch in BATCHES:
            output = place / "plain"
            run([sys.executable, str(SCRIPT), str(data), str(output), rate, batch], place)
            shutil.rmtree(output)
    return time.perf_counter() - start


def sweep(place: Path, data: Path) -> float:
    """Seconds of the sweep."""
    files = [f"dataset.{name}={data / name}.parquet" for name in ("train", "validation", "test")]
    grid = [f"training.learning_rate={','.join(RATES)}", f"training.batch_size={','.join(BATCHES)}"]
    same = ["training.epochs=3", "training.eval_steps=0.2", "tracker=none", "evaluator.cost=false"]
    words = ["-m", "dataset=files", *files, *grid, *same]
    start = time.perf_counter()
    run([sys.executable, "-m", "stbench", *words], place, STBENCH_CACHE=str(place / "store"), PYTHONPATH=str(ROOT))
    seconds = time.perf_counter() - start
    finished = json.loads(next(place.glob("experiments/sweep-*/sweep.json")).read_text(encoding="utf-8"))["finished"]
    if finished != len(RATES) * len(BATCHES):
        raise SystemExit(f"only {finished} jobs finished")
    for name in ("experiments", "logs", "store"):
        shutil.rmtree(place / name)
    return seconds


def run(words: list[str], place: Path, **environment: str) -> None:
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def _repeated(number: int) -> str:
    return "one repetition" if number == 1 else f"{number} repetitions in alternation, medians"


def written(pairs: list[tuple[float, float]]) -> str:
    """The page of the docs."""
    plain, ours = (statistics.median(one) for one in zip(*pairs, strict=True))
    ratio = statistics.median(after / before for before, after in pairs)
    lines = [
        "# A sweep against the scripts it replaces", "",
        f"Written by `make bench-sweep` ({_repeated(len(pairs))}; {os.cpu_count()} processors,"
        f" {platform.machine()}). Eight jobs, the default sentence with eight learning rates, static embeddings on `python_docs`:"
        " untouched score, three epochs with five evaluations and checkpoints, final score, saved model. stbench also looks for"
        " leaks, resamples, writes reports and ranks the runs.", "",
        "| | seconds |", "| --- | --- |",
        f"| eight plain scripts, one after another | {plain:.0f} |",
        f"| one sweep | {ours:.0f} |",
        f"| ratio | {ratio:.2f} |", "",
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
