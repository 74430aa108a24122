"""The command line as a person meets it: every mistake one clear message, and nothing heavy loaded for an answer."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import stbench

Command = Callable[..., tuple[int, str, str]]
HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "mlflow",
    "sentence_transformers",
    "pandas",
    "scipy",
    "matplotlib",
    "sklearn",
)

# Runs command lines one after another in one process, and tells after each what it has loaded.
LOADED = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from stbench.__main__ import command

for line in json.loads(sys.argv[1]):
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        code = command(line)
    loaded = sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[2:]))
    print(json.dumps([code, loaded]), flush=True)
"""


def python(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    places = {"PYTHONPATH": str(Path(stbench.__file__).parents[1]), "COLUMNS": "200", **environment}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=60, env={**os.environ, **places}
    )


FLOOR = "import hydra.main, hydra._internal.hydra, pydantic, rich.console"
"""What no answer can do without."""


def is_done_within(times: float, *words: str, folder: Path) -> bool:
    """Whether one of three tries takes less than `times` the processor time of the imports that every answer needs.

    A ratio measured in turn: machines differ, and tests share their cores. Each heavy library would add more than that.
    """

    def seconds(*line: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert python(*line, folder=folder).returncode in (0, 2)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    return any(seconds("-m", "stbench", *words) < times * seconds("-c", FLOOR) for _ in range(3))


@pytest.fixture
def pairs(workplace: Path, data: Mapping[str, Path]) -> Path:
    file = workplace / "pairs.csv"
    file.write_bytes(data["pair"].read_bytes())
    return file


TYPOS = [
    (["modell=cross_encoder"], "no group or option 'modell'", "did you mean model=cross_encoder?"),
    (["model=cross_encodr"], "no model called 'cross_encodr'", "did you mean model=cross_encoder?"),
    (["training.lerning_rate=1"], "no option 'training.lerning_rate'", "did you mean training.learning_rate=1?"),
    (["+training.lerning_rate=1"], "no option 'training.lerning_rate'", "did you mean training.learning_rate=1?"),
    (["-m", "+training.lerning_rate=1,2"], "no option 'training.lerning_rate'", "training.learning_rate=1,2?"),
    (["plan=onli"], "not 'onli'", "did you mean plan=only?"),
    (["training.warmup=-1"], "greater than or equal to 0, not -1", "training.warmup=0"),
    (["dataset.roles.anchor=qestion"], "no column 'qestion'", "did you mean dataset.roles.anchor=question?"),
    (["dataset.train=piars.csv"], "no such file", "did you mean dataset.train=pairs.csv?"),
    (["base_model=./pair"], "no such folder", "give a folder, or a Hub id"),
    (["minilm"], "'minilm' has no value", "did you mean base_model=minilm?"),
    (["plan=[only"], "cannot be read", "quote it"),
    (["--multirn"], "no flag --multirn", "did you mean --multirun?"),
    (["model=cross_encoder", "model.embedding_dim=64"], "has no such option", "say model=multi_vector_encoder"),
    (["-m", "model=cross_encoder,sparse_encoder", "model.embedding_dim=64"], "no such option", "model=multi_vector_encoder"),
    (["--config-dir", "nowhere"], "no such folder", "as conf has"),
    (["seed=1,2"], "one run takes one value", "add -m"),
    (["--run", "--cfg", "job"], "Only one of --run", ""),
    (["negatives.miner=wordlama", "loss=triplet"], "no base model called", "did you mean negatives.miner=wordllama?"),
    (["dataset=qqq"], "no dataset called 'qqq'", "choose one of: "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "what", "mend"), TYPOS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_each_typo_is_one_clear_message(words: list[str], what: str, mend: str, pairs: Path, command: Command) -> None:
    own = [] if any(word.startswith(("dataset=", "--config-dir")) for word in words) else ["dataset=files"]
    train = [] if any(word.startswith("dataset.train") for word in words) or not own else ["dataset.train=pairs.csv"]
    only = [] if any(word.startswith(("plan=", "-m", "--")) for word in words) else ["plan=only"]
    start = time.process_time()
    code, out, err = command(*words, *own, *train, *only)
    assert time.process_time() - start < 2
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err.count("✗") == 1
    assert what in err
    assert mend in err
    assert (err.count("→") == 1) == bool(mend)


def test_a_typo_takes_little_more_than_the_start_of_hydra(workplace: Path) -> None:
    assert is_done_within(3.5, "training.warmup=-1", folder=workplace)


def test_so_does_showing_the_configuration(workplace: Path) -> None:
    assert is_done_within(3, "--cfg", "job", folder=workplace)


def test_answers_load_nothing_heavy(pairs: Path, workplace: Path) -> None:
    data = ["dataset=files", "dataset.train=pairs.csv", "plan=only"]
    lines = [
        ["--cfg", "job"], ["--help"], ["list"], ["list", "los"], ["--version"], ["model=cross_encodr"], ["plan=onli"],
        data, [*data, "loss=triplet", "negatives.num=2"], [*data, "-m", "seed=1,2"], [*data, "loss=classification"],
        ["-sc", "install=bash"],
        ["-sc", "query=bash"],
    ]  # fmt: skip
    done = python("-c", LOADED, json.dumps(lines), *HEAVY, folder=workplace, COMP_LINE="stbench training.le")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [code for code, _ in found] == [0, 0, 0, 2, 0, 2, 2, 0, 0, 0, 2, 0, 0]
    assert [loaded for _, loaded in found] == [[]] * len(lines)
    assert not (workplace / "experiments").exists()


def test_listing_a_group_that_is_misspelt(command: Command, workplace: Path) -> None:
    code, _, err = command("list", "los")
    assert code == 2
    assert "did you mean list loss?" in err


def test_listing_shows_every_choice_with_its_line(command: Command, workplace: Path) -> None:
    code, out, _ = command("list", "loss", "tracker")
    assert code == 0
    assert "loss=listwise" in out
    assert "all documents of a query at once" in out
    assert "tracker=none" in out
    assert "model=" not in out


GROUPS = {"loss": "contrastive", "model": "cross_encoder", "adapter": "lora", "job": "mine", "teacher": "none"}


def test_help_shows_every_group(command: Command, workplace: Path) -> None:
    code, out, _ = command("--help")
    assert code == 0
    assert all(re.search(rf"^{group}: .*\b{choice}\b", out, re.MULTILINE) for group, choice in GROUPS.items())
    assert "learning_rate" in out


def test_the_version(command: Command) -> None:
    assert command("--version") == (0, f"stbench {stbench.__version__}\n", "")


@pytest.fixture
def own(pairs: Path) -> Path:
    """Files of one's own in the working directory, and in another folder."""
    texts = {
        "conf/loss/mine.yaml": "defaults: [contrastive, _self_]\nsummary: my loss\narguments: {scale: 33}\n",
        "conf/dataset/mine.yaml": "defaults: [files, _self_]\nsummary: my pairs\ntrain: pairs.csv\n",
        "extra/loss/other.yaml": "defaults: [triplet, _self_]\nsummary: another loss\n",
    }
    for name, text in texts.items():
        file = pairs.parent / name
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
    return pairs.parent


def test_own_files_are_found_listed_and_composed(own: Path, command: Command) -> None:
    _, listed, _ = command("list")
    assert "my loss" in listed
    assert "my pairs" in listed
    code, shown, _ = command("loss=mine", "dataset=mine", "--cfg", "job")
    assert code == 0
    assert "scale: 33" in shown
    code, planned, err = command("loss=mine", "dataset=mine", "plan=only")
    assert (code, err) == (0, "")
    assert "wordllama-mine-mine" in planned
    assert "scale=33" in planned
    assert "anchor = question, positive = answer" in planned


def test_so_are_those_of_a_folder_that_is_named(own: Path, command: Command) -> None:
    assert "another loss" in command("list", "loss", "--config-dir", "extra")[1]
    code, planned, _ = command("--config-dir", "extra", "loss=other", "dataset=mine", "plan=only")
    assert code == 0
    assert "TripletLoss" in planned
    assert command("loss=other", "dataset=mine", "plan=only")[0] == 2


def test_a_refusal_offers_losses_of_the_folder_that_is_named(own: Path, command: Command) -> None:
    words = ["--config-dir", "extra", "dataset=mine", "loss=listwise", "plan=only"]
    assert "loss=other" in command(*words)[2]


@pytest.mark.parametrize(
    ("text", "what", "mend"),
    [
        ("summary: x\nshapes: [pair\n", "this is not YAML", "mend the file"),
        ("defaults: [contrastve, _self_]\n", "no loss called 'contrastve'", "did you mean loss: contrastive?"),
        ("defaults: [contrastive, _self_]\nshape: [pair]\n", "no such option", "did you mean loss.shapes?"),
        ("defaults: [contrastive, _self_]\nshapes: [pairs]\n", "not 'pairs'", "=pair?"),
        ("defaults: [contrastive, _self_]\nsuggests:\n  epochs: ${nowhere}\n", "nowhere", "there is not"),
    ],
)
def test_own_files_that_are_wrong_are_refused(text: str, what: str, mend: str, own: Path, command: Command) -> None:
    (own / "conf" / "loss" / "mine.yaml").write_text(text, encoding="utf-8")
    code, out, err = command("loss=mine", "dataset=mine", "plan=only")
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err.count("✗") == 1
    assert what in err
    assert mend in err


def test_an_own_file_that_is_hidden_is_not_ignored(own: Path, command: Command) -> None:
    (own / "conf" / "loss" / "triplet.yaml").write_text("summary: mine\n", encoding="utf-8")
    assert "is not used" in command("loss=triplet", "dataset=mine", "plan=only")[2]


def test_a_sweep_plans_each_job(own: Path, command: Command) -> None:
    code, out, _ = command("-m", "dataset=mine", "loss=mine,triplet", "seed=1,2", "plan=only")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines() if line[:1].isdigit()] == [
        ["1", "mine", "1"], ["2", "mine", "2"], ["3", "triplet", "1"], ["4", "triplet", "2"],
    ]  # fmt: skip
    assert "4 of 4 jobs run" in out
    assert "1 baseline score for 4 jobs" in out


def test_of_several_jobs_the_gravest_end_counts(own: Path, command: Command) -> None:
    code, out, _ = command("-m", "dataset=mine", "loss=mine,classification", "plan=only")
    assert code == 2
    assert "1 of 2 jobs run, 1 refused" in out
    assert "refused, job 2: loss=classification" in out


@pytest.mark.parametrize(
    ("words", "what", "mend"),
    [
        (["hydra/launcher=locl"], "no hydra/launcher called 'locl'", "hydra/launcher=local"),
        (["hydra/sweeper=gird"], "no hydra/sweeper called 'gird'", "hydra/sweeper=grid"),
        (["hydra.launcher.slot=2"], "no such option", "hydra.launcher.slots="),
    ],
)
def test_launchers_and_sweepers_have_names_too(
    words: list[str], what: str, mend: str, own: Path, command: Command
) -> None:
    code, out, err = command("-m", "dataset=mine", "seed=1,2", "plan=only", *words)
    assert (code, out) == (2, "")
    assert what in err
    assert mend in err


def test_the_process_is_left_as_it_was(own: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    before = list(sys.argv)
    command("loss=mine", "dataset=mine", "plan=only")
    command("model=cross_encoder", "model.embedding_dim=3")
    assert sys.argv == before
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_the_shell_gets_a_script_for_the_program(command: Command, workplace: Path) -> None:
    code, out, _ = command("-sc", "install=bash")
    assert code == 0
    assert "complete -o nospace" in out
    assert out.split()[-1] == "stbench"


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("stbench mod", {"model=", "model.", "modifier=", "modifier."}),
        ("stbench model=cr", {"model=cross_encoder"}),
        ("stbench training.le", {"training.learning_rate="}),
        ("stbench negatives=", {"negatives=auto", "negatives=in_batch", "negatives=mined", "negatives=none"}),
        ("stbench dataset=mi", {"dataset=mine", "dataset=mixture"}),
        ("stbench dataset=files dataset.train=./pa", {"dataset.train=./pairs.csv"}),
        ("stbench qqq", set()),
    ],
)
def test_the_shell_completes(
    line: str, offers: set[str], own: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    code, out, err = command("-sc", "query=bash")
    assert (code, err) == (0, "")
    assert set(out.split()) == offers


def test_a_line_that_cannot_be_completed_is_answered_with_silence(
    workplace: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_LINE", "stbench list lo")
    assert command("-sc", "query=bash")[1:] == ("", "")
