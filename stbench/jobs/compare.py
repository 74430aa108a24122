"""`job=compare`: finished runs held against each other, in tables and on a page; nothing is trained or scored again."""

from __future__ import annotations

from collections.abc import Mapping

from stbench import console
from stbench.config.sentence import Sentence
from stbench.errors import Problem, Refused
from stbench.jobs.gathered import gate, gathered, statistics_of
from stbench.jobs.lifecycle import terminable
from stbench.records.comparison import Comparison, compare
from stbench.records.finished import FinishedRun, LeftOut
from stbench.records.folder import RunFolder

FILE = "comparison.json"


def run(sentence: Sentence, chosen: Mapping[str, str], command: str, folder: RunFolder) -> int:
    """Runs, statistics, tables, page. Always done anew, with the statistics out of the store. Returns the exit code."""
    gate(sentence)
    runs, left_out = _some(sentence)
    if sentence.plan == "only":
        console.show_runs(runs, left_out)
        return 0
    with folder.held(), terminable(), console.progress("comparing"):
        found = compare(
            runs, statistics_of(sentence), left_out=left_out, command=command, title=f"Comparison {folder.name}"
        )
        keep(found, sentence, folder)
    show(found, folder)
    return 0


def _some(sentence: Sentence) -> tuple[list[FinishedRun], list[LeftOut]]:
    """Raises `Refused` where there are not two runs."""
    if not sentence.runs:
        raise Refused(Problem("no runs are named", "runs", "runs=[A,B], names of folders in experiments; or runs=all"))
    runs, left_out = gathered(sentence.runs)
    if len(runs) < 2:
        where = f"runs=[{','.join(sentence.runs)}]"
        what = "one run alone cannot be compared" if runs else "none of these runs can be compared"
        found = f": this is {runs[0].name}" if runs else ""
        raise Refused(
            Problem(f"{what}{found}", where, "name another: runs=[A,B], or runs=all"),
            *(Problem(one.reason, one.name, one.mend) for one in left_out),
        )
    return runs, left_out


def keep(found: Comparison, sentence: Sentence, folder: RunFolder) -> None:
    """Writes the page, and all of it as JSON."""
    from omegaconf import OmegaConf

    from stbench.records.comparison_report import write_comparison

    folder.write("config.yaml", OmegaConf.to_yaml(OmegaConf.create(sentence.model_dump(mode="json", by_alias=True))))
    folder.write("command.txt", found.command + "\n")
    folder.write(FILE, found.as_dict())
    write_comparison(found, folder.report)
    folder.set_state("finished")


def show(found: Comparison, folder: RunFolder) -> None:
    from stbench.records import comparison_text as words

    tables = []
    for group in found.groups:
        tables += [words.standings(found, group), words.matrix(found, group), words.metrics(found, group)]
    differences = words.differences(found) if len(found.runs) <= words.SIDE_BY_SIDE else []
    tables += [words.costs(found), *differences]
    console.show_tables([table for table in tables if table])
    console.show_left_out(found.left_out)
    places = {"page": str(folder.report), "json": str(folder.path / FILE)}
    console.show_best(words.remarks(found), places, [words.best_line(group) for group in found.groups])
