"""The folder of a run: everything about it in one place, under a name that its sentence always has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock, Timeout

from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from stbench.evaluation.sizes import Size

State = Literal["running", "finished", "failed", "interrupted"]
EXPERIMENTS = Path("experiments")
LOGS = Path("logs")


@dataclass(frozen=True)
class Summary:
    """What the console shows at the end."""

    line: str
    outcome: str
    facts: Sequence[tuple[str, str]]
    metrics: Mapping[str, tuple[float, float]]
    """Each metric before and after."""
    references: Mapping[str, float]
    places: Mapping[str, str]
    advice: Sequence[tuple[str, str]] = ()
    settle: str = ""
    sizes: Sequence[Size] = ()
    """The model cut to fewer dimensions or layers."""


@dataclass(frozen=True)
class RunFolder:
    """Paths inside `experiments/<run>`, and the state the run is in."""

    name: str
    root: Path = field(default=EXPERIMENTS)

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    @property
    def printed(self) -> Path:
        """What the run would have printed, had it not been one of many."""
        return LOGS / f"{self.name}.out"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes out of the run.

        Raises `Refused` when the same sentence is running already.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Refused(
                Problem(
                    "this sentence is running already",
                    str(self.path),
                    f"wait for it, or follow it: tail -f {self.log}",
                )
            ) from None
        try:
            yield
        finally:
            lock.release()

    def state(self) -> State | None:
        found = self.read("status.json")
        return found["state"] if found else None

    def set_state(self, state: State, **more: Any) -> None:
        """Changes the state and what is in `more`; the reason of a state goes with it."""
        kept = {name: value for name, value in (self.read("status.json") or {}).items() if name != "reason"}
        self.write("status.json", {**kept, "state": state, **more})

    def start_over(self, **known: Any) -> None:
        """Removes everything but the lock, and `known`, which the state is from now on."""
        # First: what is killed half-way must not pass for a finished run, or for one to go on with.
        self.write("status.json", {"state": "running", **known})
        for item in self.path.iterdir():
            if item.name not in (".lock", "status.json"):
                shutil.rmtree(item) if item.is_dir() else item.unlink()

    def close_abandoned(self, reason: str) -> bool:
        """Says that the run failed, if the process that ran it has died. Returns whether that was so."""
        if self.state() != "running":
            return False
        with suppress(Refused), self.held():
            # It may have come to its end just now.
            if self.state() == "running":
                self.set_state("failed", reason=reason)
                return True
        return False

    def tidy(self) -> None:
        """Removes the checkpoints of a finished run, which a process that was killed at its very end has left."""
        if self.checkpoints.exists():
            with suppress(Refused), self.held():
                if self.state() == "finished":
                    shutil.rmtree(self.checkpoints, ignore_errors=True)

    def there(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that the run has left."""
        return [name for name in names if (self.path / name).exists()]

    def read(self, name: str) -> Any:
        file = self.path / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    def write(self, name: str, content: Any) -> None:
        """JSON, or text as it is; whole or not at all."""
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        temporary = self.path / f".{name}.new"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path / name)
