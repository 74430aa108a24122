"""Servers of their own for tests, on loopback, with fixed resources, gone when the test is."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

WORKERS = 2
LIMIT_SECONDS = 120
UNPRIVILEGED = ("postgres", "nobody")
"""Who runs PostgreSQL where the tests are root, which it refuses."""


def why_no_postgres() -> str:
    """What is missing for PostgreSQL behind MLflow; empty where nothing is."""
    if _programs() is None:
        return "PostgreSQL's server programs are not installed (no /usr/lib/postgresql/*/bin/initdb, none in PATH)"
    if importlib.util.find_spec("psycopg2") is None:
        return "psycopg2 is not installed (pip install psycopg2-binary)"
    if os.geteuid() == 0 and _other_user() is None:
        return f"PostgreSQL refuses root, and there is no user {' or '.join(UNPRIVILEGED)}"
    return ""


@contextmanager
def mlflow_server(store: str, place: Path) -> Iterator[str]:
    """The address of an MLflow server whose runs are in `store`, whose artefacts in `place`."""
    port = _free_port()
    words = ["--backend-store-uri", store, "--artifacts-destination", str(place / "artifacts")]
    words += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(WORKERS)]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    address = f"http://127.0.0.1:{port}"
    with _running([sys.executable, "-m", "mlflow", "server", *words], place / "server.log", environment) as process:
        _wait(lambda: _answers(f"{address}/health"), process, place / "server.log")
        yield address


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database in a cluster of its own."""
    programs, port, user = _programs(), _free_port(), _other_user()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="stbench-postgres-") as name:
        # Not pytest's own folder, which only its user may enter.
        place = Path(name)
        if user:
            os.chown(place, pwd.getpwnam(user).pw_uid, -1)
        data, log = place / "data", place / "log"
        make = [programs / "initdb", "-D", data, "-U", "stbench", "--auth=trust", "--no-sync"]
        subprocess.run(_as(user, make), cwd=place, check=True, capture_output=True, timeout=LIMIT_SECONDS)
        options = ["shared_buffers=32MB", "max_connections=40", "fsync=off", "unix_socket_directories="]
        words = [word for option in (*options, "listen_addresses=127.0.0.1", f"port={port}") for word in ("-c", option)]
        with _running(_as(user, [programs / "postgres", "-D", data, *words]), log, stop=signal.SIGINT) as process:
            ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            _wait(lambda: subprocess.run(ready, check=False).returncode == 0, process, log)
            yield f"postgresql+psycopg2://stbench@127.0.0.1:{port}/postgres"


@contextmanager
def _running(
    words: Sequence[str], log: Path, environment: dict[str, str] | None = None, stop: int = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, all of which is gone afterwards."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, cwd=log.parent, env=environment, stdout=out, stderr=out, start_new_session=True
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not ready():
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _programs() -> Path | None:
    """The folder of PostgreSQL's server programs, the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: float(file.parts[-3]))
    known = shutil.which("initdb")
    files = [*([Path(known)] if known else []), *found]
    return files[-1].parent if files else None


def _other_user() -> str | None:
    """Whom root turns into; None for everybody else."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in UNPRIVILEGED if name in names), None)


def _as(user: str | None, words: Sequence[object]) -> list[str]:
    said = [str(word) for word in words]
    return ["setpriv", f"--reuid={user}", "--clear-groups", *said] if user else said
