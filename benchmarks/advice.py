"""For each kind of advice a weak run on real data, what it was told, and what came of following that.

    make advice     writes docs/advice.md

Each pair is two sentences on python_docs as a person would say them: the second is the first with the overrides of its first
advice of that kind appended.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = ("tracker=none", "evaluator.cost=false")


@dataclass(frozen=True)
class Case:
    """One weak sentence."""

    kind: str
    words: str
    wanted: str
    """What the advice is recognised by: a part of its reason."""

    @property
    def sentence(self) -> str:
        return f"`{self.words}`" if self.words else "the default one"


CASES = (
    Case("learning rate far too high", "training.learning_rate=30", "forget what it knew"),
    Case("learning rate unusual", "training.learning_rate=3", "times what is usual"),
    Case("learning rate too low", "training.learning_rate=1e-5", "hardly moved"),
    Case("stopped too soon", "training.max_steps=12", "still improving"),
    Case("negatives too easy", "", "too easy"),
    Case("chance negatives", "training.learning_rate=3e-3 training.epochs=1", "chance negatives"),
    Case(
        "few test samples", "dataset.test_size=25 training.learning_rate=1e-3 training.epochs=1", "the verdict rests on"
    ),
    Case(
        "texts cut off",
        "base_model=minilm base_model.max_seq_length=12 dataset.limit=300 dataset.test_size=100 training.epochs=1",
        "were cut off",
    ),
    Case(
        "few rows, many passes",
        "base_model=minilm base_model.max_seq_length=32 dataset.limit=64 dataset.test_size=200 training.batch_size=16"
        " training.epochs=30 training.max_steps=120 training.learning_rate=2e-4",
        "learnt by heart",
    ),
)
MASKED = "BERT-TINY"
SPARSE = Case(
    "sparse vectors too dense",
    "model=sparse_encoder base_model=path base_model.path=BERT-TINY dataset.limit=600 training.learning_rate=3e-4",
    "active dimensions",
)
"""Needs weights with a masked-LM head, which the package index has none of."""


@dataclass(frozen=True)
class Ran:
    line: str
    advice: tuple[tuple[str, str], ...]
    """(overrides, reason)."""

    @property
    def numbers(self) -> str:
        found = dict(part.split("=", 1) for part in self.line.split(" | ")[1:])
        return f"{self.line.split()[1]} {found['baseline']} → {found['score']}, {found['ci95']}"


def run(words: list[str], place: Path) -> Ran:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "stbench", *words, *ALWAYS], cwd=place, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    advice = re.findall(r"^try next  (.*?)  (.*)$", done.stdout, re.MULTILINE)
    return Ran(done.stdout.rstrip().rsplit("\n", 1)[-1], tuple(advice))


def followed(case: Case, place: Path, masked: str) -> list[str]:
    """The row of the page."""
    words = shlex.split(case.words.replace(MASKED, masked))
    weak = run(words, place)
    found = next((one for one in weak.advice if case.wanted in one[1]), None)
    if found is None:
        return [case.kind, case.sentence, weak.numbers, "not given: " + json.dumps(weak.advice), "", ""]
    after = run([*words, *shlex.split(found[0])], place)
    return [case.kind, case.sentence, weak.numbers, f"`{found[0]}`", found[1], after.numbers]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=None, help="where the page is written")
    parser.add_argument("--only", default="", help="part of the name of a kind")
    parser.add_argument(
        "--masked", type=Path, default=None, help="folder of a masked language model, such as BERT-tiny"
    )
    said = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in [*CASES, *([SPARSE] if said.masked else [])]:
            if said.only in case.kind:
                rows.append(followed(case, Path(folder), str(said.masked and said.masked.resolve())))
                print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    page = "\n".join([HEAD, *(f"| {' | '.join(row)} |" for row in rows), ""])
    print(page)
    if said.output:
        said.output.write_text(page, encoding="utf-8")
    return 1 if any(row[3].startswith("not given") for row in rows) else 0


HEAD = """# What the advice is worth

Written by `make advice`: weak sentences on `python_docs`, the advice that each was given, and the same sentence with that advice
appended. Numbers are nDCG@10 on the test split, untouched → trained, with the 95 % interval of the gain.

| what is wrong | sentence | verdict | advice | its reason | with the advice |
| --- | --- | --- | --- | --- | --- |"""

if __name__ == "__main__":
    raise SystemExit(main())
