"""What can end a run early, and the exit code each end has.

StbenchError
├── Refused       2    bad option, bad data, impossible combination: nothing was spent, nothing is lost
├── Failed        1    the run broke while it ran
└── Interrupted   130  Ctrl-C or a termination signal: the same sentence goes on from the last checkpoint
    └── Pruned         stopped by a search, whose better trials it was behind
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what it is, where it stands (file, row, option), and what mends it."""

    what: str
    where: str = ""
    mend: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n    → {self.mend}" if self.mend else head


class StbenchError(Exception):
    """Every error that stbench raises on purpose; `exit_code` is what the process ends with."""

    exit_code = 1


class Refused(StbenchError):
    """The sentence or its data cannot work; all problems found are reported at once."""

    exit_code = 2

    def __init__(self, *problems: Problem) -> None:
        self.problems: Sequence[Problem] = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    def in_one_line(self) -> str:
        return "; ".join(" ".join(str(problem).split()) for problem in self.problems)


class Failed(StbenchError):
    """The run broke while it ran."""


class Interrupted(StbenchError):
    """The run was stopped from outside and can go on later."""

    exit_code = 130


class Pruned(Interrupted):
    """A search has stopped the run, whose scores promised nothing."""


def in_words(error: BaseException) -> str:
    """An error of a library in one line, with what mends it where that is known."""
    first = (str(error).strip().splitlines() or [""])[0]
    said = f"{type(error).__name__}: {first}"
    signs = ("out of memory", "not enough memory", "allocate memory")
    memory = isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)
    return f"{said}; {_MEMORY}" if memory else said


_MEMORY = (
    "lower loss.arguments.mini_batch_size first where the loss has it, then training.batch_size with"
    " training.gradient_accumulation, then training.max_seq_length"
)
