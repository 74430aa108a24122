"""One attempt at a run: from an empty folder to its end, through as many processes as it takes.

Its id and the time of its line in the ledger stand in `status.json` before anything else bears them, so that whoever goes
on after a kill finds what was left elsewhere, instead of leaving it twice.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from stbench import console
from stbench.records.folder import RunFolder


def begin(folder: RunFolder, data: str, force: bool) -> bool:
    """Goes on with the attempt that was stopped, or begins another in an emptied folder. Returns whether it is another one.

    `data` is the digest of the rows: on other ones nothing goes on. Whoever calls holds the folder.
    """
    before = folder.read("status.json") or {}
    fresh = force or _is_new(before, data)
    if fresh:
        folder.start_over(replaced=_replaced(before))
    attempt = uuid4().hex if fresh else before.get("attempt") or uuid4().hex
    folder.set_state("running", pid=os.getpid(), resumed=not fresh, data=data, attempt=attempt)
    return fresh


def ended_at(folder: RunFolder) -> str:
    """When the attempt has come to its end, for the ledger; the same for every process that brings it there."""
    known = (folder.read("status.json") or {}).get("when")
    if known is not None:
        return str(known)
    # Two attempts at a short run may end within one second.
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    folder.set_state("running", when=when)
    return when


def _is_new(status: dict[str, Any], data: str) -> bool:
    """Whether there is nothing to go on from, or only checkpoints of other data."""
    if "data" not in status:  # nothing has run here, or the folder was being emptied
        return True
    if status["data"] != data:
        console.note("the data has changed since this run was stopped; it starts over")
        return True
    return False


def _replaced(status: dict[str, Any]) -> list[str]:
    """Attempts that nobody goes on with, and of which a killed process may have left something running."""
    if status.get("state") == "finished":
        return []
    before = list(status.get("replaced", ()))
    return [*before, status["attempt"]] if "attempt" in status else before
