"""`hydra/launcher=local`: jobs at the same time on this machine, each in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher


class LocalLauncher(Launcher):  # type: ignore[misc]
    """Hydra's interface to `stbench.sweep.local`."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots
        self._loader: Any = None
        self._config: Any = None

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self._loader, self._config = hydra_context.config_loader, config

    def warm_up(self) -> None:
        """Begins with the imports that all jobs share, before any of them is known."""
        from stbench.sweep.pool import warm_up

        warm_up(tracked=self._config.tracker.kind == "mlflow")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Runs all of them; the return value of each is an `Ending`."""
        from stbench.sweep.jobs import labels_of, ready
        from stbench.sweep.local import Waiting, run_all

        numbers = range(initial_job_idx, initial_job_idx + len(job_overrides))
        jobs = [
            Waiting(number, label, partial(ready, self._loader, self._config, words, number))
            for number, label, words in zip(numbers, labels_of(job_overrides), job_overrides, strict=True)
        ]
        endings = run_all(jobs, self.slots)
        return [_returned(words, endings[number]) for number, words in zip(numbers, job_overrides, strict=True)]


def _returned(words: Sequence[str], ending: Any) -> JobReturn:
    found = JobReturn()
    found.overrides = list(words)
    found.return_value = ending
    found.status = JobStatus.COMPLETED
    return found
