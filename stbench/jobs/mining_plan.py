"""The plan of a mining: which rows get hard negatives from where. Model, loss and evaluator are not asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stbench.audit.cleaning import Cleaning
from stbench.cache import Store
from stbench.config.sentence import Job, Sentence
from stbench.data.mining import MiningSettings
from stbench.data.roles import Mapped
from stbench.data.shapes import COLUMNS, MINER, Conversion, path
from stbench.data.sources import Head, Source, head, open_source
from stbench.data.splits import Sizes
from stbench.errors import Problem, Refused
from stbench.models.base import Base
from stbench.plan import versions
from stbench.plan.collections import searched
from stbench.plan.data_rules import window_holds
from stbench.plan.explain import explain_roles
from stbench.plan.explain_cleaning import explain_cleaning
from stbench.plan.hardware import choose_device
from stbench.plan.helpers import helper, scores_pairs
from stbench.plan.look import map_splits
from stbench.plan.make import corpus_for
from stbench.plan.plan import DataPlan, Decision
from stbench.plan.sizes import explain_conversions

USUAL_NEGATIVES = 3
"""Of a row, where nobody says how many."""
_PROCESS = 600 * 2**20
"""Python with torch, transformers and datasets imported."""


@dataclass(frozen=True)
class MiningPlan:
    """What is decided before anything is mined."""

    run: str
    data: DataPlan
    device: str
    memory_bytes: int
    disk_bytes: int
    decisions: tuple[Decision, ...] = ()

    @property
    def needs(self) -> str:
        return "the miner's weights, embeddings of queries and documents; the rows that are written"

    @property
    def settings(self) -> MiningSettings:
        assert self.data.mining is not None
        return self.data.mining


def plan_mining(sentence: Sentence, chosen: Mapping[str, str], run: str, store: Store) -> MiningPlan:
    """The plan of `sentence`; reads model files and the head of the data, loads nothing heavy.

    Raises `Refused` with everything that cannot work.
    """
    if wrong := versions.found_here():
        raise Refused(*wrong)
    if sentence.dataset.parts:
        mend = "one mining for each: job=mine dataset=NAME, or job=mine dataset=files dataset.train=FILE"
        raise Refused(Problem("the parts of a mixture are mined one by one", f"dataset={chosen['dataset']}", mend))
    source = open_source(sentence.dataset, store)
    heads = {split: head(source.files(split), split) for split in source.splits}
    mapped = map_splits(sentence, heads, source.files("train")[0].name)
    steps = path(mapped["train"].shape, [sentence.job.shape], MINER, ["mine"])
    miner, rescorer, problems = _models(sentence)
    problems += [*_problems(sentence, mapped["train"], steps), *_output(sentence.job, sentence.force)]
    if problems or steps is None or miner is None:
        raise Refused(*problems)
    data = _data(sentence, source, heads, mapped, steps, store)
    data = replace(data, miner=miner, rescorer=rescorer)
    device, _ = choose_device(sentence.hardware)
    rows = heads["train"].count
    texts = 2 * rows + (data.corpus.count if data.corpus else 0)
    written = sum(len(str(row)) for row in heads["train"].rows) / max(1, len(heads["train"].rows))
    plan = MiningPlan(
        run, data, device.device, int(_PROCESS + 4 * miner.parameters + 4 * texts * miner.dimensions),
        int(rows * written * (1 + (data.mining.num if data.mining else 0))),
    )  # fmt: skip
    return replace(plan, decisions=tuple(_explained(plan, sentence, chosen, device.name)))


def _models(sentence: Sentence) -> tuple[Base | None, Base | None, list[Problem]]:
    """Miner, rescorer, and what is wrong with them and with the device."""
    chosen = sentence.negatives
    found: dict[str, Base] = {}
    problems: list[Problem] = []
    for option, name in (("negatives.miner", chosen.miner), ("negatives.rescore", chosen.rescore)):
        if name is None:
            continue
        try:
            found[option] = helper(name, option)
        except Refused as refusal:
            problems += refusal.problems
    if rescorer := found.get("negatives.rescore"):
        problems += scores_pairs(rescorer, f"negatives.rescore={chosen.rescore}")
    _, device_problem = choose_device(sentence.hardware)
    problems += [device_problem] if device_problem else []
    return found.get("negatives.miner"), rescorer, problems


def _problems(sentence: Sentence, train: Mapped, steps: list[Conversion] | None) -> Iterator[Problem]:
    chosen = sentence.negatives
    if chosen.when in ("never", "in_batch"):
        said = {"never": "none", "in_batch": "in_batch"}[chosen.when]
        yield Problem("then there is nothing to mine", f"negatives={said}", "negatives=auto")
    if steps is None:
        fitting = [shape for shape in COLUMNS if path(shape, [sentence.job.shape], MINER, ["mine"]) is not None]
        what = f"{train.shape} rows hold no pairs that negatives could be mined for"
        yield Problem(
            what, "dataset", f"rows of shape {', '.join(fitting)}; dataset.roles.anchor=… dataset.roles.positive=…"
        )
    yield from window_holds(chosen, _number(sentence))


def _number(sentence: Sentence) -> int:
    return sentence.negatives.num or (1 if sentence.job.shape == "triplet" else USUAL_NEGATIVES)


def _output(job: Job, force: bool) -> Iterator[Problem]:
    """What would be written over, and names that are none."""
    if job.output is not None:
        place = Path(job.output).expanduser()
        if place.suffix not in ("", ".parquet") and not place.is_dir():
            mend = f"job.output={place.with_suffix('.parquet')}"
            yield Problem(f"the mined set is a Parquet file, not '{place.suffix}'", f"job.output={job.output}", mend)
        elif (file := output_file(job.output)).exists() and not force:
            mend = "another name, or force=true, which mines again and writes over it"
            yield Problem("this file is there already", f"job.output={file}", mend)
    if job.hub is not None:
        yield from hub_problems(job.hub)


def output_file(output: str) -> Path:
    """The file that `job.output` means: itself, or `mined.parquet` in a folder."""
    place = Path(output).expanduser()
    return place if place.suffix == ".parquet" and not place.is_dir() else place / "mined.parquet"


def hub_problems(name: str) -> Iterator[Problem]:
    """What keeps rows from being pushed to the data set `name`, as far as this machine can tell."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    where = f"job.hub={name}"
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        yield Problem(str(error).splitlines()[0], where, "write it as OWNER/NAME")
        return
    if "/" not in name:
        yield Problem("a data set of the Hub has an owner", where, f"job.hub=OWNER/{name}")
    if get_token() is None:
        yield Problem("there is no token of the Hub on this machine", where, "hf auth login, or export HF_TOKEN=…")


def _data(
    sentence: Sentence, source: Source, heads: Mapping[str, Head], mapped: Mapping[str, Mapped],
    steps: list[Conversion], store: Store,
) -> DataPlan:  # fmt: skip
    chosen, found = sentence.negatives, searched(sentence, source, store)
    return DataPlan(
        source=source, heads=heads, mapped=mapped,
        # Nothing is held out: whoever trains on the rows holds out some of them.
        sizes=Sizes(0, 0, sentence.dataset.limit, sentence.training.rows),
        steps=tuple(steps), shape=sentence.job.shape,
        mining=MiningSettings(
            _number(sentence), chosen.range_min, chosen.range_max, chosen.sampling, chosen.relative_margin,
            chosen.max_score, sentence.seed, chosen.absolute_margin, chosen.min_score, chosen.fill,
            chosen.max_seq_length, chosen.near_positives,
        ),
        miner=None, corpus=corpus_for(sentence, mapped["train"], found, store), searched=None, seed=sentence.seed,
        cleaning=Cleaning(
            "report", sentence.dataset.duplicates, sentence.dataset.contradictions, chosen.near_positives,
        ),
    )  # fmt: skip


def _explained(plan: MiningPlan, sentence: Sentence, chosen: Mapping[str, str], device: str) -> Iterator[Decision]:
    data, job = plan.data, sentence.job
    train = data.heads["train"]
    about = "" if train.exact else "about "
    yield Decision("job", "mine", "model, loss, evaluator and training are not asked")
    yield from (Decision(note.what, note.value, note.why) for note in data.source.notes)
    yield Decision(
        "data", f"{chosen['dataset']}: {about}{train.count:,} training rows", f"shape {data.mapped['train'].shape}"
    )
    yield from explain_roles(data.mapped["train"])
    others = [split for split in data.heads if split != "train"]
    known = f"; positives of {' and '.join(others)} rows are never mined either" if others else ""
    yield Decision("mined for", "all of them", f"nothing is held out here{known}")
    yield from explain_cleaning(data.cleaning)
    yield from explain_conversions(data)
    yield Decision("miner", data.miner.name if data.miner else "", "its similarity finds the negatives")
    yield Decision(
        "writes", f"{job.shape} rows with mined_scores and mined_ranks", "columns that no loss takes for a label"
    )
    if job.output is not None:
        yield Decision("output", str(output_file(job.output)), "and in the run's folder")
    if job.hub is not None:
        yield Decision("hub", job.hub, "private" if job.private else "PUBLIC: everybody can read it")
    yield Decision("device", plan.device, device)
