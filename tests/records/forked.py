"""Processes for tests, forked from one that has MLflow in memory: importing it takes seconds each time.

Only for scripts that tests start: pytest's own process has threads, and MLflow's connections must not be forked.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import stbench

LIMIT_SECONDS = 300


def script(name: str, place: Path, *arguments: object) -> str:
    """What a script of this folder prints, run in `place`; it must end well and say nothing on stderr."""
    places = [Path(stbench.__file__).parents[1], Path(__file__).parents[1]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    environment.pop("MLFLOW_LOGGING_LEVEL", None)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(name), *map(str, arguments)],
        cwd=place, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
    return done.stdout


def load(*modules: str) -> None:
    """Imports MLflow, and `modules`, into this process."""
    from stbench.records.mlflow_store import set_environment

    assert "mlflow" not in sys.modules
    set_environment()
    for name in (*modules, "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "alembic.command"):
        import_module(name)
    assert threading.active_count() == 1


def begin(work: Callable[[], Any]) -> int:
    """Starts `work` in a child; returns its process id."""
    sys.stdout.flush()
    if child := os.fork():
        return child
    code = 1
    try:
        work()
        sys.stdout.flush()
        code = 0
    finally:
        if code:
            import traceback

            traceback.print_exc()
        os._exit(code)


def ended(child: int) -> int:
    """Its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
