"""Data sets of a Hub, fetched by the real libraries from a stand-in on this machine."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from end_to_end.hub import Repository, serving
from end_to_end.session import Session, session
from pyarrow import parquet

from stbench import hub as reach
from stbench.config.sentence import Dataset as DatasetChoice
from stbench.data.sources import hub
from stbench.errors import Refused

CONFIGS = """---
configs:
- config_name: pair
  data_files: [{split: train, path: "pair/train-*"}, {split: dev, path: "pair/dev-*"}, {split: extra, path: "pair/extra-*"}]
- config_name: scored
  data_files: [{split: train, path: "scored/train-*"}, {split: test, path: "scored/test-*"}]
---
# A data set
"""
LABELS = """---
dataset_info:
  features:
  - {name: text, dtype: string}
  - {name: text2, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': entailment, '1': neutral, '2': contradiction}}}
  splits: [{name: train, num_examples: 30}]
configs:
- config_name: default
  data_files: [{split: train, path: "data/train.jsonl"}]
---
"""


def pairs(number: int, start: int = 0, **columns: Any) -> dict[str, list[Any]]:
    numbers = range(start, start + number)
    return {"anchor": [f"q{i}" for i in numbers], "positive": [f"a{i}" for i in numbers], **columns}


def write(file: Path, columns: Mapping[str, list[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(dict(columns))
    if file.suffix == ".parquet":
        parquet.write_table(table, file)
    elif file.suffix == ".csv":
        names = list(columns)
        lines = [",".join(str(row[name]) for name in names) for row in table.to_pylist()]
        file.write_text("\n".join([",".join(names), *lines]))
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


@dataclass(frozen=True)
class Place:
    """A Hub with some data sets, and a process that uses it."""

    say: Session
    asked: list[str]
    folder: Path

    def plan(self, path: str, *words: str) -> tuple[str, list[str]]:
        """The plan's text, its spaces made one, and the files of the data set that were downloaded for it."""
        code, out, err, files = self._run(path, *words)
        assert code == 0, err
        return out, files

    def refusal(self, path: str, *words: str) -> str:
        code, _, err, _ = self._run(path, *words)
        assert code == 2
        assert err.count("✗") == 1
        assert "Traceback" not in err
        return err

    def _run(self, path: str, *words: str) -> tuple[int, str, str, list[str]]:
        self.asked.clear()
        code, out, err = self.say("dataset=hub", f"dataset.path={path}", "plan=only", *words)
        got = [line.split("/resolve/")[1].split("/", 1)[1] for line in self.asked if line.startswith("GET /datasets/")]
        return code, " ".join(out.split()), err, [name.split()[0] for name in got if "README" not in name]


def repositories(root: Path) -> Iterator[Repository]:
    many = root / "many"
    write(many / "pair" / "train-0.parquet", pairs(40))
    write(many / "pair" / "train-1.parquet", pairs(400, 40))
    write(many / "pair" / "dev-0.parquet", pairs(10, 900))
    write(many / "pair" / "extra-0.parquet", pairs(5, 950))
    write(many / "scored" / "train-0.parquet", pairs(30, score=[i / 30 for i in range(30)]))
    write(many / "scored" / "test-0.parquet", pairs(20, 600, score=[i / 20 for i in range(20)]))
    (many / "README.md").write_text(CONFIGS)
    yield Repository("owner/many", many, "datasets")

    write(root / "plain" / "train.csv", pairs(30))
    write(root / "plain" / "test.csv", pairs(12, 500))
    yield Repository("owner/plain", root / "plain", "datasets", commit="b" * 40)

    write(root / "labels" / "data" / "train.jsonl", {**_texts(30), "label": [i % 3 for i in range(30)]})
    (root / "labels" / "README.md").write_text(LABELS)
    yield Repository("owner/labels", root / "labels", "datasets", commit="c" * 40)

    write(root / "exported" / "easy" / "train" / "0000.parquet", pairs(30))
    write(root / "exported" / "hard" / "train" / "0000.parquet", pairs(20))
    (root / "script").mkdir()
    (root / "script" / "script.py").write_text("import datasets")
    (root / "script" / "README.md").write_text("# Old")
    branches = {hub.EXPORT: ("e" * 40, root / "exported")}
    yield Repository("owner/script", root / "script", "datasets", commit="d" * 40, branches=branches)

    yield Repository("owner/gated", many, "datasets", closed=(403, "GatedRepo"))
    yield Repository("owner/private", many, "datasets", closed=(401, "RepoNotFound"))
    (root / "empty").mkdir()
    (root / "empty" / "README.md").write_text("# Nothing")
    yield Repository("owner/empty", root / "empty", "datasets", commit="f" * 40)


def _texts(number: int) -> dict[str, list[Any]]:
    return {"text": [f"t{i}" for i in range(number)], "text2": [f"u{i}" for i in range(number)]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("hub")
    with serving(*repositories(folder)) as (address, asked):
        own = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "0"}
        with session(folder, **own) as say:
            yield Place(say, asked, folder)


def test_a_subset_is_downloaded_once_and_then_only_asked_for_its_commit(place: Place) -> None:
    out, files = place.plan("owner/many", "dataset.subset=pair")
    assert "rows of owner/many, subset pair commit c0ffeec of main, kept in the store; other subsets: scored" in out
    assert "taken as train = train; validation = dev unused: extra;" in out
    assert "data hub: 440 rows shape pair" in out
    assert set(files) == {f"pair/{name}-0.parquet" for name in ("dev", "extra", "train")} | {"pair/train-1.parquet"}
    again, files = place.plan("owner/many", "dataset.subset=pair")
    assert (again, files) == (out, [])
    assert len(place.asked) == 1
    assert "HEAD /datasets/owner/many/resolve/main/README.md" in place.asked[0]


def test_splits_can_be_named(place: Place) -> None:
    words = ["dataset.subset=pair", "dataset.train=[train,extra]", "dataset.validation=[]", "dataset.test=dev"]
    out, _ = place.plan("owner/many", *words)
    assert "taken as train = train + extra; test = dev" in out
    assert "data hub: 445 rows" in out


def test_files_without_a_description_are_found_by_their_names(place: Place) -> None:
    out, files = place.plan("owner/plain")
    assert "rows of owner/plain commit bbbbbbb of main" in out
    assert "test file (12 rows)" in out
    assert sorted(set(files)) == ["test.csv", "train.csv"]
    assert place.plan("owner/plain", f"dataset.revision={'b' * 40}")[1] == []
    assert place.asked == []


def test_class_ids_get_the_names_that_the_description_has(place: Place, encoder: Path) -> None:
    out, _ = place.plan("owner/labels", "model=cross_encoder", f"base_model={encoder}", "loss=classification")
    assert "classes" in out
    for name in ("contradiction", "entailment", "neutral"):
        assert name in out


def test_streaming_takes_the_first_rows_and_reads_no_other_file(place: Place) -> None:
    words = ["dataset.subset=pair", "dataset.streaming=true", "dataset.limit=20", "dataset.validation=[]"]
    out, files = place.plan("owner/many", *words)
    assert "streaming the first 26 of train in the order of the data set, not at random; the rest is never read" in out
    assert "data hub: 26 rows" in out
    assert set(files) == {"pair/train-0.parquet"}
    assert place.plan("owner/many", *words)[1] == []


def test_streaming_says_what_it_needs(place: Place) -> None:
    assert "→ dataset.limit=10000" in place.refusal("owner/many", "dataset.subset=pair", "dataset.streaming=true")


@pytest.mark.parametrize(
    ("words", "what", "mend"),
    [
        (["owner/mnay"], "the Hub has no such data set, or it is private", "log in"),
        (["other/many"], "the Hub has no such data set", "did you mean dataset.path=owner/many?"),
        (["owner/private"], "the Hub has no such data set, or it is private", "HF_TOKEN"),
        (["owner/gated"], "this data set is gated", "ask on https://huggingface.co/datasets/owner/gated, then log in"),
        (["owner/many"], "several subsets and none is the default: pair, scored", "dataset.subset=pair"),
        (
            ["owner/many", "dataset.subset=scord"],
            "no subset 'scord'",
            "did you mean dataset.subset=scored? (pair, scored)",
        ),
        (["owner/many", "dataset.subset=qqq"], "no subset 'qqq'", "subsets: pair, scored"),
        (["owner/many", "dataset.revision=mian"], "no revision 'mian'", "did you mean dataset.revision=main?"),
        (["owner/many", "dataset.subset=pair", "dataset.test=dve"], "no split 'dve'", "did you mean dataset.test=dev?"),
        (["owner/script"], "is a Python script", "dataset.revision=refs/convert/parquet"),
        (["owner/script", "dataset.revision=refs/convert/parquet"], "several subsets", "dataset.subset=easy"),
        (["owner/empty"], "no file in it that can be read as a table", "/tree/main"),
        (["a/b/c"], "this is no name of a data set", "OWNER/NAME"),
        (["store"], "this is no name", "dataset=disk dataset.path=store"),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_each_mistake_is_one_message(words: list[str], what: str, mend: str, place: Place) -> None:
    if words == ["store"]:
        words = ["./store"]
        mend = mend.replace("=store", "=./store")
    err = place.refusal(*words)
    assert what in err
    assert mend in err


def test_the_hubs_own_copy_of_a_script_can_be_read(place: Place) -> None:
    out, _ = place.plan("owner/script", "dataset.revision=refs/convert/parquet", "dataset.subset=hard")
    assert "rows of owner/script, subset hard commit eeeeeee of refs/convert/parquet" in out
    assert "data hub: 20 rows" in out


def test_what_is_there_needs_no_hub_and_what_is_not_is_refused_at_once(place: Place) -> None:
    place.plan("owner/many", "dataset.subset=pair")
    place.plan("owner/plain")
    with silence() as address:
        own = {"HF_ENDPOINT": address, "HF_HOME": str(place.folder / "home"), "HF_HUB_OFFLINE": "0"}
        with session(place.folder, **own) as say:
            said = Place(say, [], place.folder)
            assert "data hub: 440 rows" in said.plan("owner/many", "dataset.subset=pair")[0]
            assert "data hub: 30 rows" in said.plan("owner/plain")[0]
            start = time.monotonic()
            for words in (["owner/unknown"], ["owner/many", "dataset.subset=scored"]):
                assert "it is not on this machine and the Hub cannot be reached" in said.refusal(*words)
            code, _, err = say("base_model=owner/unknown", "plan=only")
            assert (code, err.count("✗")) == (2, 1)
            assert time.monotonic() - start < 5


class silence:  # noqa: N801
    """An address that takes connections and never answers."""

    def __enter__(self) -> str:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(50)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()


@pytest.mark.parametrize(
    ("there", "more", "wanted"),
    [
        (["train"], {"limit": 1000}, {"train": 1250}),
        (["train"], {"limit": 50_000}, {"train": 52_000}),
        (["train"], {"limit": 100, "validation_size": 30, "test_size": 20}, {"train": 150}),
        (["train", "test"], {"limit": 90}, {"train": 100, "test": 9}),
        (["train", "validation"], {"limit": 100}, {"train": 100, "validation": 20}),
        (["train", "validation", "test"], {"limit": 100, "test_size": 7}, {"train": 100, "validation": 10, "test": 7}),
    ],
)
def test_as_many_rows_are_streamed_as_are_used(there: list[str], more: dict[str, Any], wanted: dict[str, int]) -> None:
    choice = DatasetChoice(source="hub", path="a/b", streaming=True, **more)
    chosen = {split: [split] if split in there else [] for split in ("train", "validation", "test")}
    assert hub._rows_wanted(choice, chosen) == wanted


def test_a_look_at_a_silent_hub_is_short() -> None:
    with silence() as address:
        start = time.monotonic()
        assert not reach._answers(address)
        assert time.monotonic() - start < 5
    assert not reach._answers("http://127.0.0.1:9")


def test_a_hub_that_stops_answering_is_no_crash() -> None:
    with pytest.raises(Refused, match="stopped answering"), hub._explained("a/b", None):
        raise ConnectionError("reset by peer")
    with pytest.raises(KeyError), hub._explained("a/b", None):
        raise KeyError("a mistake of ours")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    from huggingface_hub import constants

    monkeypatch.setattr(reach, "_looks", {})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return lambda answer: monkeypatch.setattr(reach, "_answers", lambda address: answer)


def test_the_libraries_are_told_whether_there_is_a_hub(
    looks: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import is_offline_mode

    looks(False)
    assert (reach.reachable(), is_offline_mode()) == (False, True)
    looks(True)
    assert (reach.reachable(), is_offline_mode()) == (False, True)
    monkeypatch.setattr(reach, "FRESH_SECONDS", -1)
    assert (reach.reachable(), is_offline_mode()) == (True, False)


def test_who_wants_no_hub_is_not_asked(looks: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    looks(True)
    assert not reach.reachable()
