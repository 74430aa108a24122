from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import stbench
from stbench.config.discovery import choices, load, package_conf
from stbench.config.preflight import FILE_ONLY, check, option_names
from stbench.errors import Problem, Refused


def problems(*words: str) -> list[Problem]:
    with pytest.raises(Refused) as caught:
        check(words)
    return list(caught.value.problems)


def problem(*words: str) -> Problem:
    (only,) = problems(*words)
    return only


@pytest.mark.parametrize(
    ("word", "what", "mend"),
    [
        ("modell=cross_encoder", "no group or option 'modell'", "did you mean model=cross_encoder?"),
        ("model=cross_encodr", "no model called 'cross_encodr'", "did you mean model=cross_encoder?"),
        ("training.lerning_rate=1", "no option 'training.lerning_rate'", "did you mean training.learning_rate=1?"),
        ("+training.lerning_rate=1", "no option 'training.lerning_rate'", "did you mean training.learning_rate=1?"),
        ("verdict.min_efect=1", "no group or option 'verdict.min_efect'", "did you mean verdict.min_effect=1?"),
        ("learning_rate=1", "no group or option 'learning_rate'", "did you mean training.learning_rate=1?"),
        ("dataset.anchor=question", "no option 'dataset.anchor'", "did you mean dataset.roles.anchor=question?"),
        ("training.qqq=1", "no option 'training.qqq'", "options of training: batch_size,"),
        ("qqq=1", "no group or option 'qqq'", "choose one of: adapter, base_model, cache,"),
        ("model=", "no model called ''", "choose one of: cross_encoder,"),
        ("model=null", "no model called ''", "choose one of: cross_encoder,"),
        ('model="cross_encodr"', "no model called 'cross_encodr'", "did you mean model=cross_encoder?"),
        ("model=1", "no model called '1'", "choose one of: cross_encoder,"),
        ("model=[cross_encoder,sparse_encoder]", "one model at a time", "model=A,B -m runs each"),
        ("minilm", "'minilm' has no value", "did you mean base_model=minilm?"),
        ("listwise", "'listwise' has no value", "did you mean loss=listwise?"),
        ("seeds", "'seeds' has no value", "as in seeds=…"),
        ("plan=[only", "the value '[only' cannot be read", "quote it: 'plan=\"[only\"'"),
        ("~loss", "options cannot be taken away", "loss=…"),
        ("loss@train=triplet", "'@train' has no meaning here", "did you mean loss=triplet?"),
        ("training.summary=x", "no option 'training.summary'", "options of training:"),
        ("seed=1,2", "one run takes one value", "add -m to run each of them"),
        ("model=cross_encoder,sparse_encoder", "one run takes one value", "add -m to run each of them"),
        ("--multirn", "there is no flag --multirn", "did you mean --multirun?"),
        ("--cfg=jobs", "there is no 'jobs'", "did you mean --cfg job?"),
        ("--cfg", "expected one argument", "see python -m stbench --hydra-help"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_problem_with_its_mend(word: str, what: str, mend: str) -> None:
    found = problem(word)
    assert what in found.what
    assert mend in found.mend


@pytest.mark.parametrize(
    "words",
    [
        ("+training.lerning_rate=1,2", "-m"),
        ("-m", "loss=contrastiv,triplet"),
        ("-m", "loss=glob(trilp*)"),
        ("-m", "training.learning_rate=1e-5,2e-5", "negatives=mind"),
    ],
)
def test_mistakes_in_sweeps_are_found_before_the_first_job(words: tuple[str, ...]) -> None:
    assert problem(*words).mend


def test_all_mistakes_are_reported_at_once() -> None:
    found = problems("model=cross_encodr", "loss=listwise", "trainin.epochs=1", "sead=1")
    assert [item.where for item in found] == ["model=cross_encodr", "trainin.epochs=1", "sead=1"]


def test_what_is_right_passes_as_it_is() -> None:
    words = ["model=cross_encoder", "loss=listwise", "training.learning_rate=1e-5", "dataset.roles.anchor=question"]
    assert check(words) == words


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "seed=1,2"),
        ("-m", "loss=glob(*)"),
        ("hydra.mode=MULTIRUN", "training.epochs=1,2"),
        ("hydra/launcher=basic", "hydra.sweep.dir=x"),
        ("dataset.train=[a.csv,b.csv]",),
    ],
)
def test_sweeps_lists_and_hydras_own_options_pass(words: tuple[str, ...]) -> None:
    assert check(words) == list(words)


def test_flags_may_stand_anywhere() -> None:
    assert check(["seed=1", "--cfg", "job", "loss=triplet"]) == ["--cfg", "job", "seed=1", "loss=triplet"]


def test_completion_is_left_to_hydra() -> None:
    assert check(["-sc", "query=bash"]) == ["-sc", "query=bash"]


@pytest.mark.parametrize("prefix", ["loss.arguments.", "training.extra."])
def test_the_librarys_own_options_need_no_plus(prefix: str) -> None:
    assert check([f"{prefix}whatever=3"]) == [f"++{prefix}whatever=3"]
    assert check([f"{prefix[:-1]}={{a: 1}}"]) == [f"++{prefix[:-1]}={{a: 1}}"]


@pytest.mark.parametrize("folder", ["models/my model (2)", "models/plain", 'models/quo"ted', "models/2024", "mine"])
def test_a_folder_or_hub_id_can_be_named_as_the_base_model(
    folder: str,
    workplace: Path,
    say: Callable,  # type: ignore[type-arg]
) -> None:
    (workplace / folder).mkdir(parents=True)
    said = say(f"base_model={folder}")
    assert said.chosen["base_model"] == "path"
    assert said.sentence.base_model.path == folder


def test_a_base_model_that_is_neither_choice_nor_folder_is_a_typo(workplace: Path) -> None:
    assert problem("base_model=minlm").mend == "did you mean base_model=minilm?"


def test_a_config_dir_must_be_there(workplace: Path) -> None:
    (workplace / "extra").mkdir()
    assert problem("--config-dir", "extr").mend == "did you mean --config-dir extra?"


def test_a_choice_that_the_package_hides_is_refused(workplace: Path) -> None:
    folder = workplace / "conf" / "loss"
    folder.mkdir(parents=True)
    (folder / "triplet.yaml").write_text("summary: never read\n", encoding="utf-8")
    assert "is not used" in problem("loss=triplet").what
    assert check(["loss=contrastive"]) == ["loss=contrastive"]


def test_option_names_are_those_a_command_line_can_say() -> None:
    names = list(option_names())
    assert len(names) == len(set(names))
    assert {"seed", "training.learning_rate", "dataset.roles.anchor", "negatives.num", "verdict.fail_on"} <= set(names)
    assert not [name for name in names if set(name.split(".")) & set(FILE_ONLY)]


def test_every_option_can_be_said_with_some_choice() -> None:
    """Hydra takes only what a file or config.yaml lists: an option that none of them lists could never be said."""
    whole = OmegaConf.to_container(OmegaConf.load(package_conf() / "config.yaml"))
    trees = [whole]
    for group, known in choices().items():
        if group.startswith("hydra/"):  # these have options of their own
            continue
        contents = [load(group, name) for name in known]
        trees += [{group: content.get(group, content)} for content in contents]
    assert [name for name in option_names() if not any(_has(tree, name.split(".")) for tree in trees)] == []


def test_no_option_is_read_by_nothing() -> None:
    """A first net, by name alone; tests/plan/test_make.py changes options and looks at the plan."""
    package = Path(stbench.__file__).parent
    sources = [file for file in package.rglob("*.py") if file.name != "sentence.py"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    # The roles are read as a whole; the demo's numbers by the files of data sets.
    files = "\n".join(choice.file.read_text(encoding="utf-8") for choice in choices()["dataset"].values())
    names = [name for name in option_names() if not name.startswith("dataset.roles.")]
    assert [name for name in names if not _is_read(name.rpartition(".")[2], text) and f"${{{name}}}" not in files] == []


def _is_read(name: str, text: str) -> bool:
    attribute = re.search(rf"\.{name}\b(?!\s*=[^=])", text)
    by_name = re.search(rf"""(resolved|include=|getattr)\W.*["']{name}["']""", text)
    return bool(attribute or by_name)


def _has(tree: object, path: list[str]) -> bool:
    for part in path:
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True
