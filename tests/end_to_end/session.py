"""One process that runs one command line after the other: the libraries read their environment when they are imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import stbench

_CHILD = """
import contextlib, io, json, os, sys
from stbench.__main__ import command
answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Session:
    """`session(word, …)`: (exit code, stdout, stderr) of a command line."""

    words: IO[str]
    answers: IO[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        print(json.dumps(words), file=self.words, flush=True)
        answer = self.answers.readline()
        assert answer, "the process has ended"
        code, out, err = json.loads(answer)
        return code, out, err


@contextmanager
def session(folder: Path, **environment: str) -> Iterator[Session]:
    """A process in `folder` with a store of its own."""
    own = {"STBENCH_CACHE": str(folder / "store"), "PYTHONPATH": str(Path(stbench.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **own, **environment},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Session(process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()
