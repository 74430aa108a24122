"""`job=leaderboard`: every finished run of `experiments` by score, those apart that answered another question."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from stbench import console
from stbench.config.sentence import Sentence
from stbench.errors import Problem, Refused
from stbench.jobs.gathered import gate, gathered, statistics_of
from stbench.jobs.lifecycle import terminable
from stbench.jobs.named_runs import ALL
from stbench.records.comparison import Comparison, compare
from stbench.records.folder import EXPERIMENTS, LOGS, RunFolder

PAGE, FILE = LOGS / "leaderboard.html", LOGS / "leaderboard.json"


def run(sentence: Sentence, chosen: Mapping[str, str], command: str, folder: RunFolder) -> int:
    """Runs, ranks, table, page. Returns the exit code.

    Raises `Refused` when there is no finished run.
    """
    gate(sentence)
    runs, left_out = gathered(sentence.runs or [ALL])
    if not runs:
        mend = "train one: python -m stbench"
        unfinished = (Problem(one.reason, one.name, one.mend) for one in left_out)
        raise Refused(Problem("there is no finished run here", str(EXPERIMENTS), mend), *unfinished)
    if sentence.plan == "only":
        console.show_runs(runs, left_out)
        return 0
    with terminable(), console.progress("ranking"):
        statistics = statistics_of(sentence, every_metric=False)
        found = compare(runs, statistics, left_out=left_out, command=command, title="Leaderboard")
        keep(found)
    show(found)
    return 0


def keep(found: Comparison) -> None:
    """Writes the page beside the ledger, and all of it as JSON."""
    from stbench.records.comparison_report import write_comparison

    write_comparison(found, PAGE, whole=False)
    _write(FILE, json.dumps(found.as_dict(), indent=2, ensure_ascii=False) + "\n")


def _write(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)


def show(found: Comparison) -> None:
    from stbench.records import comparison_text as words

    tables = [*(words.standings(found, group) for group in found.groups), words.costs(found)]
    console.show_tables([table for table in tables if table])
    console.show_left_out(found.left_out)
    places = {"page": str(PAGE), "json": str(FILE)}
    console.show_best(words.remarks(found), places, [words.best_line(group) for group in found.groups])
