"""Script: `killed_stores.py NUMBER …` makes a new database for each number, killed at its statement so numbered, and goes on.

Prints how the processes ended, by number, as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from records.forked import begin, ended, load


def make(place: Path, fatal: int = 0) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    from stbench.records.mlflow_store import connect, experiment_id

    numbers = itertools.count(1)

    @event.listens_for(Engine, "before_cursor_execute")
    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        changes = statement.strip().upper().startswith(("CREATE", "ALTER", "INSERT", "DROP", "UPDATE"))
        if changes and next(numbers) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    client = connect(f"sqlite:///{place / 'mlflow.db'}")
    client.create_run(experiment_id(client, "mine"))


def main(numbers: list[int]) -> None:
    load()
    found = {}
    for number in numbers:
        place = Path(str(number)).resolve()
        ends = [
            ended(begin(lambda place=place, number=number: make(place, number))),  # type: ignore[misc]
            ended(begin(lambda place=place: make(place))),  # type: ignore[misc]
        ]
        found[number] = ends
    print(json.dumps(found))


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
