"""What a job and its sweep say to each other, through a pipe."""

from __future__ import annotations

from dataclasses import dataclass

from stbench.task import Ending


@dataclass(frozen=True)
class Stage:
    """How far the stage at hand is."""

    what: str
    done: int
    total: int | None
    text: str


@dataclass(frozen=True)
class Score:
    """The selection score at a step of the training; the job waits for a `Reply`."""

    step: int
    value: float
    total: int | None = None
    """Steps of the whole training."""


@dataclass(frozen=True)
class Reply:
    """Whether the job goes on; else why not."""

    stop: str = ""


Message = Stage | Score | Ending
