"""Data sets of the Hugging Face Hub, fetched by the library `datasets` and kept as Parquet files in the store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stbench.cache import Store, key_of
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.config.suggest import closest, did_you_mean
from stbench.data.sources.source import Note, Source
from stbench.data.sources.splits import note_of, splits_of, untrainable
from stbench.data.sources.tables import BATCH
from stbench.data.splits import held_out
from stbench.errors import Problem, Refused
from stbench.hub import kept, reachable

EXPORT = "refs/convert/parquet"
"""The branch on which the Hub keeps its own Parquet copy of many data sets, a folder for each subset."""
_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


@dataclass(frozen=True)
class Repository:
    """A data set at one commit."""

    path: str
    revision: str | None
    commit: str

    def arguments(self, subset: str | None) -> dict[str, Any]:
        """What the functions of the library take; the prefix keeps a local folder of that name out of it."""
        part = "data_dir" if self.revision == EXPORT else "name"
        return {"path": f"hf://datasets/{self.path}", "revision": self.commit, part: subset}


@dataclass(frozen=True)
class Layout:
    """The subsets of a data set, the one that is meant, and its splits."""

    subsets: Sequence[str]
    subset: str
    splits: Sequence[str]


def opened(choice: DatasetChoice, store: Store) -> Source:
    """The splits of a data set as files in the store, downloaded once for each commit.

    With `choice.streaming` only the first rows of each split are: `choice.limit` to train on and those to be held out.

    Raises `Refused` for a data set, revision, subset or split that there is not, for one that may not be read, and when the
    Hub is needed and cannot be reached.
    """
    repository = _resolved(choice.path or "", choice.revision)
    layout = _layout(repository, choice.subset, store)
    chosen = splits_of(choice, layout.splits, f"dataset.path={choice.path}")
    wanted = (
        _rows_wanted(choice, chosen)
        if choice.streaming
        else {name: None for names in chosen.values() for name in names}
    )
    key = key_of("rows", repository.path, repository.commit, layout.subset, wanted)
    folder = store.product("hub", key, lambda folder: _fetch(repository, layout.subset, wanted, folder))
    files = {split: tuple(folder / f"{name}.parquet" for name in names) for split, names in chosen.items()}
    return Source(
        files["train"], files["validation"], files["test"],
        origin=f"https://huggingface.co/datasets/{repository.path}",
        notes=tuple(_notes(repository, layout, chosen, wanted)),
        untrainable=None if files["train"] else untrainable(layout.splits, f"dataset.path={choice.path}"),
    )  # fmt: skip


def _notes(
    repository: Repository, layout: Layout, chosen: dict[str, list[str]], wanted: Mapping[str, int | None]
) -> Iterator[Note]:
    subset = f", subset {layout.subset}" if len(layout.subsets) > 1 else ""
    others = f"; other subsets: {', '.join(name for name in layout.subsets if name != layout.subset)}" if subset else ""
    why = f"commit {repository.commit[:7]} of {repository.revision or 'main'}, kept in the store{others}"
    yield Note("rows of", repository.path + subset, why)
    if list(chosen.values()) != [["train"], ["validation"], ["test"]]:
        yield note_of(chosen, layout.splits)
    taken = ", ".join(f"{number:,} of {name}" for name, number in wanted.items() if number is not None)
    if taken:
        yield Note(
            "streaming", f"the first {taken}", "in the order of the data set, not at random; the rest is never read"
        )


def _resolved(path: str, revision: str | None) -> Repository:
    """The data set at the commit that `revision` stands for now; without the Hub, stood for when it was last asked."""
    where = f"dataset.path={path}"
    if not _ID.match(path) or path.startswith("."):
        raise Refused(Problem("this is no name of a data set", where, _local(path) or "write it as OWNER/NAME"))
    if revision is not None and _COMMIT.match(revision):
        return Repository(path, revision, revision)
    if reachable():
        with _explained(path, revision):
            return Repository(path, revision, _commit(path, revision))
    folder = kept(path, revision, "dataset")
    if folder is None:
        raise Refused(_unreachable(path))
    return Repository(path, revision, folder.name)


def _local(path: str) -> str | None:
    folder = Path(path).expanduser()
    if folder.is_dir():
        return f"for a folder: dataset=disk dataset.path={path}, or dataset=files dataset.train={path}/*.parquet"
    return f"for a file: dataset=files dataset.train={path}" if folder.is_file() else None


def _commit(path: str, revision: str | None) -> str:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        # Not only the commit: the file brings it into the local cache, whence it is known without the Hub as well.
        return Path(hf_hub_download(path, "README.md", repo_type="dataset", revision=revision)).parent.name
    except EntryNotFoundError:
        return str(HfApi().dataset_info(path, revision=revision).sha)


def _layout(repository: Repository, subset: str | None, store: Store) -> Layout:
    def build(folder: Path) -> None:
        if not reachable():
            raise Refused(_unreachable(repository.path))
        with _explained(repository.path, repository.revision):
            subsets = _subsets(repository)
            name = _subset(repository, subset, subsets)
            splits = _splits(repository, name)
        (folder / "layout.json").write_text(json.dumps({"subsets": subsets, "subset": name, "splits": splits}))

    folder = store.product("hub", key_of("layout", repository.path, repository.commit, subset), build)
    return Layout(**json.loads((folder / "layout.json").read_text()))


def _subsets(repository: Repository) -> list[str]:
    from datasets import get_dataset_config_names
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFolder

    if repository.revision == EXPORT:
        tree = HfApi().list_repo_tree(repository.path, repo_type="dataset", revision=repository.commit)
        return sorted(item.path for item in tree if isinstance(item, RepoFolder))
    place = repository.arguments(None)
    return list(get_dataset_config_names(place["path"], revision=place["revision"]))


def _subset(repository: Repository, asked: str | None, subsets: Sequence[str]) -> str:
    """The subset that is asked for, else the only one or the default."""
    from datasets import get_dataset_default_config_name

    if asked is not None:
        if asked in subsets:
            return asked
        match = closest(asked, subsets)
        known = ", ".join(subsets)
        mend = f"did you mean dataset.subset={match}? ({known})" if match else f"subsets: {known}"
        raise Refused(Problem(f"{repository.path} has no subset '{asked}'", f"dataset.subset={asked}", mend))
    place = repository.arguments(None)
    default = None if repository.revision == EXPORT else get_dataset_default_config_name(
        place["path"], revision=place["revision"]
    )  # fmt: skip
    if default is None and len(subsets) == 1:
        default = subsets[0]
    if default is None:
        what = f"{repository.path} has several subsets and none is the default: {', '.join(subsets)}"
        raise Refused(Problem(what, f"dataset.path={repository.path}", f"choose one: dataset.subset={subsets[0]}"))
    return str(default)


def _splits(repository: Repository, subset: str) -> list[str]:
    from datasets import get_dataset_split_names

    place = repository.arguments(subset)
    return [str(name) for name in get_dataset_split_names(**_renamed(place))]


def _renamed(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`load_dataset` and its sister call the subset by two names."""
    return {{"name": "config_name"}.get(name, name): value for name, value in arguments.items()}


def _rows_wanted(choice: DatasetChoice, chosen: Mapping[str, Sequence[str]]) -> dict[str, int | None]:
    """How many rows of each split are streamed: those to train on, and those to be held out.

    Raises `Refused` without a limit.
    """
    if choice.limit is None:
        mend = "dataset.limit=10000, or dataset.streaming=false"
        raise Refused(
            Problem("streaming takes the first rows, and how many is not said", "dataset.streaming=true", mend)
        )
    limit, sizes = choice.limit, {"validation": choice.validation_size, "test": choice.test_size}
    lacking = [size for split, size in sizes.items() if not chosen[split]]
    rows = {split: held_out(size, limit) for split, size in sizes.items()}
    if chosen["validation"] and not chosen["test"]:
        # It is halved into both.
        rows["validation"] += rows["test"]
        lacking = []
    rows["train"] = limit
    while (short := limit - rows["train"] + sum(held_out(size, rows["train"]) for size in lacking)) > 0:
        rows["train"] += short
    wanted: dict[str, int | None] = {}
    for split, names in chosen.items():
        wanted.update({name: max(rows[split], wanted.get(name) or 0) for name in names})
    return wanted


def _fetch(repository: Repository, subset: str, wanted: Mapping[str, int | None], folder: Path) -> None:
    """Writes a Parquet file for each split of `wanted`."""
    from datasets import load_dataset

    if not reachable():
        raise Refused(_unreachable(repository.path))
    place = repository.arguments(subset)
    with _explained(repository.path, repository.revision), TemporaryDirectory(dir=folder.parent) as scratch:
        if any(rows is not None for rows in wanted.values()):
            for name, rows in wanted.items():
                _write_first(load_dataset(**place, split=name, streaming=True), rows or 0, folder / f"{name}.parquet")
        else:
            everything = load_dataset(**place, cache_dir=scratch)
            for name in wanted:
                everything[name].to_parquet(folder / f"{name}.parquet")


def _write_first(stream: Any, rows: int, file: Path) -> None:
    """Writes the first `rows` rows, and asks for none beyond them: `take` would open the next file too."""
    from pyarrow.parquet import ParquetWriter

    writer, written = None, 0
    for table in stream.with_format("arrow").iter(batch_size=min(BATCH, rows)):
        if writer is None:
            schema = stream.features.arrow_schema if stream.features else table.schema
            writer = ParquetWriter(file, schema)
        writer.write_table(table.slice(0, rows - written).cast(schema))
        written += len(table)
        if written >= rows:
            break
    if writer is None:
        raise Refused(Problem(f"the split {file.stem} has no rows", "dataset=hub", "name another: dataset.train=SPLIT"))
    writer.close()


def _unreachable(path: str) -> Problem:
    mend = "check the network, or name data on disk: dataset=files dataset.train=FILE, dataset=disk dataset.path=FOLDER"
    return Problem("it is not on this machine and the Hub cannot be reached", f"dataset.path={path}", mend)


@contextmanager
def _explained(path: str, revision: str | None) -> Iterator[None]:
    """Turns what the libraries raise into a refusal."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        problem = _problem(error, path, revision)
        if problem is None:
            raise
        raise Refused(problem) from None


def _problem(error: Exception, path: str, revision: str | None) -> Problem | None:
    """What is wrong, by the kind of the error; None for one that is nobody's mistake."""
    from datasets.exceptions import DatasetGenerationError
    from huggingface_hub import errors

    where = f"dataset.path={path}"
    page = f"https://huggingface.co/datasets/{path}"
    login = "log in (hf auth login) or set HF_TOKEN"
    text = (str(error.__cause__ or error).strip().splitlines() or [type(error).__name__])[0]
    match error:
        case errors.GatedRepoError():
            what = "this data set is gated: its owners want to be asked"
            return Problem(what, where, f"ask on {page}, then {login}")
        case errors.RepositoryNotFoundError():
            what = "the Hub has no such data set, or it is private"
            return Problem(what, where, f"{_similar(path)}for a private one {login}")
        case errors.RevisionNotFoundError():
            mend = _revisions(path, revision or "")
            return Problem(f"{path} has no revision '{revision}'", f"dataset.revision={revision}", mend)
        case errors.HfHubHTTPError():
            return Problem(f"the Hub says: {text}", where, "try again later, or look at HF_ENDPOINT")
        case _ if isinstance(error, ConnectionError | errors.LocalEntryNotFoundError) or _is_of_network(error):
            mend = "the same command goes on from what is there"
            return Problem(f"the Hub stopped answering: {text}", where, mend)
        case RuntimeError() if "scripts are no longer supported" in text:
            mend = f"dataset.revision={EXPORT} reads the Hub's own Parquet copy, where there is one"
            return Problem("this data set is a Python script, which the library no longer runs", where, mend)
        case FileNotFoundError():
            return Problem("there is no file in it that can be read as a table", where, f"look at {page}/tree/main")
        case DatasetGenerationError() | ValueError():
            mend = "another dataset.subset or dataset.revision"
            return Problem(f"its files cannot be read as one table: {text}", where, mend)
    return None


def _is_of_network(error: Exception) -> bool:
    # Which HTTP library raises depends on the release.
    return type(error).__module__.split(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "aiohttp")


def _similar(path: str) -> str:
    """Offers the closest name that the Hub finds."""
    from huggingface_hub import HfApi

    try:
        found = [item.id for item in HfApi().list_datasets(search=path.rpartition("/")[2], limit=20)]
    except Exception:  # an offer is not worth another failure
        return ""
    match = closest(path, found) or (found[0] if found else None)
    return f"did you mean dataset.path={match}? " if match else ""


def _revisions(path: str, revision: str) -> str:
    from huggingface_hub import HfApi

    refs = HfApi().list_repo_refs(path, repo_type="dataset", include_pull_requests=False)
    names = [ref.name for ref in (*refs.branches, *refs.tags)]
    return did_you_mean(revision, names, "dataset.revision={}")
