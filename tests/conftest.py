"""What several tests need: a place to work in, a store of their own, tiny data of every shape, sentences and plans."""

from __future__ import annotations

import csv
import json
import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stbench.config.sentence import Sentence
    from stbench.models.base import Base
    from stbench.plan.plan import Plan

# Libraries read these when they are imported, which some test files do at the top.
_PLACE = tempfile.TemporaryDirectory(prefix="stbench-tests-", ignore_cleanup_errors=True)
os.environ["STBENCH_CACHE"] = str(Path(_PLACE.name, "store"))
os.environ["HF_DATASETS_CACHE"] = str(Path(_PLACE.name, "datasets"))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Threads of several workers on the same processors wait for each other longer than they compute.
    os.environ["OMP_NUM_THREADS"] = "1"

ROWS = 40


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., Path]:
    def write(file: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t" if file.suffix == ".tsv" else ",")
            writer.writerows([columns, *rows])
        return file

    return write


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, write_csv: Callable[..., Path]) -> Mapping[str, Path]:
    """One small file for each shape of rows, under the shape's name."""
    folder = tmp_path_factory.mktemp("data")
    questions = [f"what is thing number {number}?" for number in range(ROWS)]
    answers = [f"thing number {number} is a {'tool' if number % 2 else 'plant'}" for number in range(ROWS)]
    others = [f"nothing is known about {number}" for number in range(ROWS)]
    pairs = list(zip(questions, answers, strict=True))
    columns = {
        "pair": ([], lambda i: []),
        "triplet": (["negative"], lambda i: [others[i]]),
        "n_tuple": (["negative_1", "negative_2"], lambda i: [others[i], others[i - 1]]),
        "labeled_pair": (["label"], lambda i: [i % 2]),
        "scored_pair": (["score"], lambda i: [i / 8]),
        "class_pair": (["label"], lambda i: [("contradiction", "entailment", "neutral")[i % 3]]),
    }
    files = {
        shape: write_csv(
            folder / f"{shape}.csv", ["question", "answer", *names], [[*pairs[i], *more(i)] for i in range(ROWS)]
        )
        for shape, (names, more) in columns.items()
    }
    alone = {
        "text": (["text"], lambda i: [answers[i]]),
        "labeled_text": (["text", "label"], lambda i: [answers[i], ("tool", "plant")[i % 2]]),
        "parallel_text": (["text", "translation"], lambda i: [answers[i], f"Ding {i}"]),
    }
    for shape, (names, cells) in alone.items():
        files[shape] = write_csv(folder / f"{shape}.csv", names, [cells(i) for i in range(ROWS)])
    files["margin_triplet"] = write_csv(
        folder / "margin_triplet.csv",
        ["question", "answer", "negative", "margin"],
        [[*pairs[i], others[i], i / 4] for i in range(ROWS)],
    )
    lists = {
        "scored_n_tuple": lambda i: {
            "query": questions[i], "positive": answers[i], "negative_1": others[i], "negative_2": others[i - 1],
            "scores": [5.0, i / 10, -1.0],
        },
        "embedded_text": lambda i: {"text": answers[i], "embedding": [i / ROWS, 1 - i / ROWS] * 4},
    }  # fmt: skip
    for shape, row in lists.items():
        files[shape] = folder / f"{shape}.jsonl"
        files[shape].write_text("".join(json.dumps(row(i)) + "\n" for i in range(ROWS)), encoding="utf-8")
    files["ranked_list"] = folder / "ranked_list.jsonl"
    files["ranked_list"].write_text(
        "".join(
            json.dumps({"query": questions[i], "documents": [answers[i], others[i]], "relevance": [1, 0]}) + "\n"
            for i in range(ROWS)
        ),
        encoding="utf-8",
    )
    return files


@dataclass(frozen=True)
class Said:
    """A composed and checked sentence, and the choice of each group."""

    sentence: Sentence
    chosen: dict[str, str]


@pytest.fixture(scope="session")
def say() -> Callable[..., Said]:
    """Composes words into a sentence, as the command line does, but through Hydra's compose API."""
    from hydra import compose, initialize_config_dir
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.plugins import Plugins
    from omegaconf import DictConfig, open_dict

    from stbench.config.check import checked
    from stbench.config.discovery import choices, package_conf
    from stbench.config.preflight import check
    from stbench.config.search_path import UserConf

    # Composing takes a tenth of a second, setting options next to nothing: Hydra does them one after the other too.
    @cache
    def composed(words: tuple[str, ...], _folder: Path) -> tuple[DictConfig, dict[str, str]]:
        Plugins.instance().register(UserConf)
        with initialize_config_dir(version_base="1.3", config_dir=str(package_conf())):
            config = compose("config", list(words), return_hydra_config=True)
        with open_dict(config):
            names = config.pop("hydra").runtime.choices
        return config, {str(key): str(value) for key, value in names.items() if value is not None}

    @cache
    def said(words: tuple[str, ...], folder: Path) -> Said:
        forms, groups = check(words), choices()
        chosen = tuple(form for form in forms if form.partition("=")[0] in groups)
        config, names = composed(chosen, folder)
        config = deepcopy(config)
        options = OverridesParser.create().parse_overrides([form for form in forms if form not in chosen])
        ConfigLoaderImpl._apply_overrides_to_config(options, config)
        return Said(checked(config), names)

    return lambda *words: said(words, Path.cwd())


@pytest.fixture(scope="session")
def plan_of(say: Callable[..., Said]) -> Callable[..., Plan]:
    """The plan of a sentence, out of words or as `Said`."""
    from stbench.cache import Store, cache_folder
    from stbench.plan.make import make_plan

    def planned(*words: str, said: Said | None = None) -> Plan:
        said = said or say(*words)
        return make_plan(said.sentence, said.chosen, "run", Store(cache_folder(), "on"))

    return planned


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Runs a command line in this process: (exit code, stdout, stderr)."""
    from stbench.__main__ import command as run

    def called(*argv: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(list(argv))
        said = capfd.readouterr()
        return code, said.out, said.err

    return called


@pytest.fixture(scope="session")
def write_model() -> Callable[..., Path]:
    """A model folder of nothing but small files and the header of its weights: all that a plan reads."""

    def write(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Sequence[int]], **files: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        header = {
            name: {"dtype": "F32", "shape": list(shape), "data_offsets": [0, 0]} for name, shape in tensors.items()
        }
        text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
        for name, content in {"config": config, **files}.items():
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """The folder of a small encoder with a masked-LM head."""
    config = {
        "model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 64, "vocab_size": 1000,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128,
    }  # fmt: skip
    tensors = {"bert.embeddings.word_embeddings.weight": (1000, 64), "cls.predictions.transform.dense.weight": (64, 64)}
    return write_model(tmp_path_factory.mktemp("models") / "tiny", config, tensors)


@pytest.fixture
def a_base() -> Callable[..., Base]:
    """A base model by its description, an encoder with a masked-LM head unless told otherwise."""
    from stbench.models.base import Base

    def made(**changes: Any) -> Base:
        plain: dict[str, Any] = {
            "name": "tiny", "location": "models/tiny", "local": True, "revision": None, "architecture": "encoder",
            "modules": (), "parameters": 1_000_000, "dimensions": 64, "vocabulary": 1000, "stored": "F32", "max_tokens": 128,
            "positions": 512, "mlm_head": True, "trained_head": False, "layers": 2, "attention_heads": 4,
        }  # fmt: skip
        return Base(**{**plain, **changes})

    return made
