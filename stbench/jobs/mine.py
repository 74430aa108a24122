"""`job=mine`: hard negatives for all training rows, written with their scores as a data set of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbench import console
from stbench.cache import Store, cache_folder, digest_of
from stbench.config.sentence import Sentence
from stbench.errors import Failed, Problem, Refused, in_words
from stbench.jobs.lifecycle import changed_inputs, is_done, terminable
from stbench.jobs.mining_plan import MiningPlan, hub_problems, output_file, plan_mining
from stbench.records.folder import RunFolder

if TYPE_CHECKING:
    from stbench.data.mining import Mined
    from stbench.records.logbook import Logbook

FILE, ABOUT = "mined.parquet", "mined.json"
SAMPLES = 3
"""Pairs that are shown."""


@dataclass(frozen=True)
class Result:
    """What was mined, as it is kept and shown."""

    rows: int
    queries: int
    short: int
    """Queries with fewer admissible negatives than were wanted."""
    shape: str
    positive_score: float | None
    """Median similarity of the positives …"""
    negative_score: float | None
    """… and of the negatives that were found."""
    negative_rank: float | None

    def line(self, file: Path, run: str) -> str:
        """`MINED: rows=5900 | queries=5900 | short=12 | shape=n_tuple | file=… | run=…`"""
        counts = f"rows={self.rows} | queries={self.queries} | short={self.short} | shape={self.shape}"
        return f"MINED: {counts} | file={file} | run={run}"


def run(sentence: Sentence, chosen: Mapping[str, str], command: str, folder: RunFolder) -> int:
    """Plan, rows, mining, and the file to where it was asked for. Returns the exit code."""
    if is_done(folder, sentence) and sentence.plan == "show":
        return finished(folder, sentence)
    store = Store(cache_folder(), sentence.cache)
    with console.progress("looking at models and data"):
        plan = plan_mining(sentence, chosen, folder.name, store)
    console.show_plan(plan)
    if sentence.plan == "only":
        return 0

    from stbench.records.logbook import opened

    with folder.held(), terminable():
        if is_done(folder, sentence):
            return finished(folder, sentence)
        with opened(folder, sentence, console.plan_text(plan), [plan.data.source], command, store) as book:
            with book.timed("libraries"), console.progress("loading libraries"):
                from stbench.libraries import load_libraries

                load_libraries(plan.device, sentence.hardware.threads)
            with book.timed("mining"), console.progress("mining") as advance:
                mined = mine_rows(plan, store, advance)
            result = _write(mined, plan, folder)
            costs = book.costs()
            book.finished()
        _show(mined, result, costs, book)
        return deliver(folder, sentence, result)


def mine_rows(plan: MiningPlan, store: Store, advance: Any) -> Mined:
    """Every clean training pair with its negatives.

    Raises `Refused` when no pair gets any.
    """
    from stbench.audit.cleaning import faultless
    from stbench.data.convert import convert
    from stbench.data.mining import Pool, mine
    from stbench.data.positives import known_positives
    from stbench.data.sources import load
    from stbench.data.splits import cleaned, trainable
    from stbench.evaluation.watch import behind
    from stbench.models.miner import Miner, Rescorer

    data, watch, counts = plan.data, behind(advance), dict[str, int]()
    clean = cleaned({name: load(data.source.files(name)) for name in data.source.splits}, data.mapped, counts)
    for what, number in counts.items():
        console.note(f"{number:,} {what}")
    rows, left_out = faultless(trainable(clean, data.sizes), data.mapped["train"].shape, data.cleaning)
    for what, number in left_out.items():
        console.note(f"{number:,} {what}")
    for step in data.steps[:-1]:
        rows = convert(rows, step, data.mapped["train"].classes, data.seed)
    assert data.miner is not None
    rescorer = Rescorer(data.rescorer, plan.device, watch) if data.rescorer else None
    pool = Pool(known_positives(clean, data.mapped), data.corpus)
    return mine(rows, data.shape, plan.settings, Miner(data.miner, plan.device, watch), store, pool, rescorer)


def _write(mined: Mined, plan: MiningPlan, folder: RunFolder) -> Result:
    from stbench.jobs.mined_rows import write_rows

    temporary = folder.path / f".{FILE}.new"
    rows = write_rows(mined.lists, plan.data.shape, plan.settings.num, temporary)
    if not rows:
        temporary.unlink()
        mend = "negatives.fill=random, or a smaller negatives.num"
        raise Refused(Problem("no row has as many negatives as were wanted", "negatives", mend))
    temporary.replace(folder.path / FILE)
    found = {row["anchor"]: len(row["ranks"]) for row in mined.lists}
    scores = [row["scores"] for row in mined.lists if row["scores"]]
    result = Result(
        rows, len(found), sum(number < plan.settings.num for number in found.values()), plan.data.shape,
        _median([some[0] for some in scores]), _median([score for some in scores for score in some[1:]]),
        _median([rank for row in mined.lists for rank in row["ranks"] if rank is not None]),
    )  # fmt: skip
    folder.write(ABOUT, asdict(result))
    return result


def _median(values: list[Any]) -> float | None:
    import statistics

    return float(statistics.median(values)) if values else None


def _show(mined: Mined, result: Result, costs: list[tuple[str, str]], book: Logbook) -> None:
    from stbench.jobs.mined_rows import Pair

    for what, number in mined.counts.items():
        console.note(f"{number:,} {what}")
    facts = [("mined", f"{result.rows:,} {result.shape} rows for {result.queries:,} queries"), *costs]
    if result.negative_score is not None:
        said = f"positives {result.positive_score:.3f}, negatives {result.negative_score:.3f}"
        facts.insert(1, ("similarity", f"{said} in the median, at rank {result.negative_rank:.0f}"))
    some = mined.lists.select(range(min(SAMPLES, len(mined.lists))))
    console.show_mined(facts, [Pair.of(row) for row in some], {"log": str(book.folder.log)})


def finished(folder: RunFolder, sentence: Sentence) -> int:
    """A mining that is already there: only what is asked for elsewhere is still done."""
    result = Result(**folder.read(ABOUT))
    console.show_finished(folder.name, [], "", str(folder.path / FILE), changed_inputs(folder), "mined")
    return deliver(folder, sentence, result)


def deliver(folder: RunFolder, sentence: Sentence, result: Result) -> int:
    """Brings the file to where it was asked for, and ends with its line. Returns the exit code.

    Raises `Failed` when the Hub does not take it: the file is kept, and the same command tries again.
    """
    job, file = sentence.job, folder.path / FILE
    if job.hub is not None and (problems := list(hub_problems(job.hub))):
        raise Refused(*problems)
    if job.output is not None:
        file = _copied(file, output_file(job.output), sentence.force)
    try:
        if job.hub is not None:
            _push(folder, job.hub, job.private, file)
    finally:
        console.show_verdict_line(result.line(file, folder.name), "")
    return 0


def _copied(file: Path, target: Path, force: bool) -> Path:
    """`target` with the content of `file`.

    Raises `Refused` when something else is there already.
    """
    import shutil

    if target.exists() and not force:
        if digest_of(target) == digest_of(file):
            return target
        raise Refused(Problem("another file is there already", f"job.output={target}", "another name, or force=true"))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.new")
    shutil.copyfile(file, temporary)
    temporary.replace(target)
    return target


def _push(folder: RunFolder, repository: str, private: bool, file: Path) -> None:
    pushed = (folder.read("pushed.json") or {}).get(repository)
    digest = digest_of(folder.path / FILE)
    if pushed == digest:
        console.say(f"{repository} has these rows already")
        return
    from datasets import Dataset

    try:
        with console.progress(f"pushing to {repository}"):
            Dataset.from_parquet(str(folder.path / FILE)).push_to_hub(repository, private=private)
    except Exception as error:
        message = f"the mined rows are in {file}, and {repository} did not take them: {in_words(error)}"
        raise Failed(f"{message}; the same command pushes them again") from error
    folder.write("pushed.json", {**(folder.read("pushed.json") or {}), repository: digest})
    console.say(f"pushed to {repository} ({'private' if private else 'public'})")
