"""What Hydra is handed: it runs one composed sentence, and tells how that ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

_GRAVITY = (130, 1, 2, 3)
"""Exit codes of several jobs: the first of these that occurred is the one of the whole."""


@dataclass(frozen=True)
class Ending:
    """How one job ended."""

    code: int
    """As a process would end with."""
    reason: str = ""
    """In one line; empty where the job came to its end."""


class Task:
    """Runs sentences as they are composed, here or, pickled, in another process; keeps the exit codes of those run here."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def __call__(self, config: DictConfig) -> Ending:
        from hydra.core.hydra_config import HydraConfig

        from stbench.run import run_job

        # Wherever a launcher has brought it: the libraries' own bars would draw over ours.
        os.environ["TQDM_DISABLE"] = "1"
        ending = run_job(config, HydraConfig.get())
        self.codes.append(ending.code)
        return ending

    @property
    def code(self) -> int:
        """The gravest of all exit codes."""
        return gravest(self.codes)


def gravest(codes: Sequence[int]) -> int:
    return next((code for code in _GRAVITY if code in codes), 0)
