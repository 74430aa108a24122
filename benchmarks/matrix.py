"""Every loss with every model type that it trains, from every shape of data: trained for three steps, or refused.

    make matrix        writes docs/matrix.md; fails when a cell is neither trained nor refused with losses that fit

Each cell is a whole run of the command line on tiny random models and forty rows: plan, baseline, three steps, verdict,
saved and loaded again. Two processes share the cells.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "tests")]

ROWS = 40
SHAPES = ("pair", "triplet", "scored_pair", "labeled_pair", "class_pair", "labeled_text", "text", "ranked_list")
MODELS = {
    "sentence_transformer": ("pooled", []),
    "cross_encoder": ("plain", []),
    "sparse_encoder (SPLADE)": ("masked", []),
    "sparse_encoder (CSR)": ("pooled", ["model.architecture=csr"]),
    "multi_vector_encoder": ("plain", []),
}
TEACHERS = {"cross_encoder": "judge", "bi_encoder": "pooled", "sparse_encoder": "masked"}
STEPS = ["training.max_steps=3", "training.batch_size=8", "training.eval_steps=1.0", "negatives.range_max=20",
         "tracker=none", "verdict.resamples=100", "dataset.validation_size=6", "dataset.test_size=8"]  # fmt: skip
TRAINED = re.compile(r"^VERDICT: (WIN|MARGINAL|REGRESSION) ", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One combination."""

    model: str
    loss: str
    shape: str

    @property
    def type(self) -> str:
        return self.model.split()[0]


@dataclass(frozen=True)
class Outcome:
    cell: Cell
    state: str
    """trained, refused or FAILED."""
    how: str
    """Conversions and teacher of a trained cell, the message of another."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="cells whose name holds this: model/loss/shape")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--state", type=Path, default=None, help="outcomes so far: cells that were green are not run again"
    )
    parser.add_argument("--output", type=Path, default=None, help="where the table is written")
    said = parser.parse_args()
    cells = [cell for cell in all_cells() if said.only in f"{cell.model}/{cell.loss}/{cell.shape}"]
    known = read_state(said.state) if said.state else {}
    with tempfile.TemporaryDirectory(prefix="stbench-matrix-") as place:
        prepare(Path(place))
        for outcome in run_all([cell for cell in cells if cell not in known], Path(place), said.processes):
            known[outcome.cell] = outcome
            if said.state:
                with said.state.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps([*astuple(outcome.cell), outcome.state, outcome.how]) + "\n")
    outcomes = [known[cell] for cell in cells]
    bad = [outcome for outcome in outcomes if outcome.state == "FAILED"]
    for outcome in bad:
        print(f"FAILED {outcome.cell.model}/{outcome.cell.loss}/{outcome.cell.shape}: {outcome.how}")
    states = [outcome.state for outcome in outcomes]
    print(
        f"{len(outcomes)} cells: {states.count('trained')} trained, {states.count('refused')} refused, {len(bad)} failed"
    )
    if said.output and not said.only:
        from matrix_table import table

        said.output.write_text(table(outcomes, SHAPES), encoding="utf-8")
    return 1 if bad else 0


def read_state(file: Path) -> dict[Cell, Outcome]:
    """Green outcomes of an earlier run."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    found = {Cell(*row[:3]): Outcome(Cell(*row[:3]), *row[3:]) for row in rows}
    return {cell: outcome for cell, outcome in found.items() if outcome.state != "FAILED"}


def all_cells() -> Iterator[Cell]:
    from stbench.config.discovery import choices, load

    for model in MODELS:
        for loss in sorted(choices()["loss"], key=lambda name: (name[0].isupper(), name)):
            if model.split()[0] in load("loss", loss)["types"]:
                yield from (Cell(model, loss, shape) for shape in SHAPES)


def run_all(cells: list[Cell], place: Path, processes: int) -> Iterator[Outcome]:
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=begin, initargs=(place,)) as pool:
        for done, outcome in enumerate(pool.map(run_cell, cells), 1):
            if outcome.state == "FAILED" or done % 25 == 0:
                print(f"{done}/{len(cells)} {outcome.state} {outcome.cell}", file=sys.stderr, flush=True)
            yield outcome


def begin(place: Path) -> None:
    """One worker: its own folder, the store shared, one thread."""
    folder = place / f"worker-{os.getpid()}"
    folder.mkdir()
    os.chdir(folder)
    os.environ.update(STBENCH_CACHE=str(place / "store"), HF_HUB_OFFLINE="1", TQDM_DISABLE="1")
    import torch

    torch.set_num_threads(1)
    globals()["PLACE"] = place


def run_cell(cell: Cell) -> Outcome:
    """The cell as a command line; where it asks for a teacher, once more with each kind that it names."""
    code, out, message = command(cell, [])
    if code == 2 and "learns from a teacher" in message:
        kinds = re.findall(r"teacher=(\w+)", message)
        tries = [(kind, *command(cell, teacher(kind))) for kind in kinds]
        worst = max(tries, key=lambda item: (item[1] != 0, item[0]))
        if all(code == 0 for _, code, _, _ in tries):
            return Outcome(cell, "trained", " · ".join(f"{steps(out)} ({kind})" for kind, _, out, _ in tries))
        return Outcome(cell, "FAILED", f"teacher={worst[0]}: {worst[3]}")
    if code == 0 and TRAINED.search(out):
        return Outcome(cell, "trained", steps(out))
    fits = re.search(r"loss=\w+|none for this model type", message.partition("→")[2])
    return Outcome(cell, "refused" if code == 2 and fits else "FAILED", message)


def teacher(kind: str) -> list[str]:
    return [f"teacher={kind}", f"teacher.model={PLACE / 'models' / TEACHERS[kind]}"]  # type: ignore[name-defined]  # noqa: F821


def command(cell: Cell, more: list[str]) -> tuple[int, str, str]:
    """(exit code, what was printed, the message of a refusal or failure on one line)."""
    from stbench.__main__ import command as run

    place: Path = globals()["PLACE"]
    base, own = MODELS[cell.model]
    suffix = "jsonl" if cell.shape == "ranked_list" else "csv"
    words = [
        f"model={cell.type}", *own, f"loss={cell.loss}", f"base_model={place / 'models' / base}", "dataset=files",
        f"dataset.train={place / 'data' / cell.shape}.{suffix}", *STEPS, *guide(cell, place), *more,
    ]  # fmt: skip
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    return code, out.getvalue(), " ".join(err.getvalue().split()) or " ".join(out.getvalue().split())[-300:]


def guide(cell: Cell, place: Path) -> list[str]:
    return [f"loss.guide={place / 'models' / 'pooled'}"] if "GIST" in cell.loss else []


def steps(out: str) -> str:
    """The conversions that the plan announced."""
    found = re.findall(r"^ *conversion +(\w+ → \w+)", out, re.MULTILINE)
    return ", ".join(found) or "as it is"


def prepare(place: Path) -> None:
    """Models and data of the matrix."""
    import shutil

    import tiny_models
    import torch
    from sentence_transformers import CrossEncoder
    from torch import nn

    tiny = tiny_models.build()
    (place / "models").mkdir()
    for name in ("plain", "pooled", "masked"):
        shutil.copytree(getattr(tiny, name), place / "models" / name)
    torch.manual_seed(0)
    CrossEncoder(str(tiny.plain), num_labels=1, activation_fn=nn.Identity()).save_pretrained(
        str(place / "models" / "judge")
    )
    write_data(place / "data")


def write_data(folder: Path) -> None:
    folder.mkdir()
    questions = [f"what is thing number {i}?" for i in range(ROWS)]
    answers = [f"thing number {i} is a {'tool' if i % 2 else 'plant'}" for i in range(ROWS)]
    others = [f"nothing is known about the {'box' if i % 3 else 'shelf'} of thing {i}" for i in range(ROWS)]
    # Each premise stands beside an entailed, a contradicted and a neutral hypothesis, each query beside two judgements.
    nli = [(questions[i // 3 * 3], [answers, others, questions][i % 3][i], i % 3) for i in range(ROWS)]
    tables: dict[str, tuple[list[str], Callable[[int], list[Any]]]] = {
        "pair": (["question", "answer"], lambda i: [questions[i], answers[i]]),
        "triplet": (["question", "answer", "negative"], lambda i: [questions[i], answers[i], others[i]]),
        "scored_pair": (["sentence1", "sentence2", "score"], lambda i: [questions[i], answers[i - i % 4], i % 8]),
        "labeled_pair": (["question", "answer", "label"], lambda i: [questions[i // 2], [answers, others][i % 2][i // 2], 1 - i % 2]),
        "class_pair": (["premise", "hypothesis", "label"], lambda i: [*nli[i][:2], ("entailment", "contradiction", "neutral")[nli[i][2]]]),
        "labeled_text": (["text", "category"], lambda i: [answers[i], ("a", "b", "c", "d")[i % 4]]),
        "text": (["text"], lambda i: [answers[i]]),
    }  # fmt: skip
    for shape, (columns, row) in tables.items():
        with (folder / f"{shape}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([columns, *(row(i) for i in range(ROWS))])
    with (folder / "ranked_list.jsonl").open("w", encoding="utf-8") as stream:
        for i in range(ROWS):
            documents = [answers[i], others[i], answers[i - 1]]
            stream.write(json.dumps({"query": questions[i], "documents": documents, "relevance": [2, 0, 1]}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
