from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from stbench.config.check import checked, from_tree
from stbench.config.discovery import choices
from stbench.errors import Problem, Refused

EVERY_FILE = [(group, name) for group, known in choices().items() for name in known]
NEEDED = {
    ("base_model", "from_run"): ["base_model.run=NAME"],
    ("dataset", "files"): ["dataset.train=pairs.csv"],
    ("dataset", "beir"): ["dataset.path=some/folder"],
    ("dataset", "disk"): ["dataset.path=some/folder"],
    ("dataset", "hub"): ["dataset.path=owner/name"],
    ("dataset", "sql"): ["dataset.connection=sqlite:///some.db", "dataset.query=SELECT a FROM b"],
    ("base_model", "path"): ["base_model.path=some/folder"],
}
"""What files with ??? in them want said."""


@pytest.fixture(scope="module")
def tree(say: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = say().sentence.model_dump(by_alias=True)
    return found


def changed(tree: Mapping[str, Any], option: str, value: Any) -> dict[str, Any]:
    new = OmegaConf.create(dict(tree))
    OmegaConf.update(new, option, value, force_add=True)
    plain = OmegaConf.to_container(new)
    assert isinstance(plain, dict)
    return {str(key): item for key, item in plain.items()}


def problem(tree: Mapping[str, Any]) -> Problem:
    with pytest.raises(Refused) as caught:
        from_tree(tree)
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize(("group", "name"), EVERY_FILE, ids=lambda value: str(value))
def test_every_file_composes_with_the_default_sentence(group: str, name: str, say: Callable[..., Any]) -> None:
    if name == "ray_cluster":
        pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="hydra-ray-launcher is not installed")
    said = say(f"{group}={name}", *NEEDED.get((group, name), []))
    assert said.chosen.get(group, name) == name


@pytest.mark.parametrize("name", choices()["model"])
def test_model_files_bring_defaults_that_the_command_line_overrides(name: str, say: Callable[..., Any]) -> None:
    said = say(f"model={name}", "base_model=bert", "training=smoke")
    assert said.chosen["base_model"] == "bert"
    assert said.sentence.model.type == name
    assert said.sentence.training.trial


def test_values_that_are_missing_are_asked_for_with_an_example() -> None:
    config = OmegaConf.create({"dataset": {"train": "???"}, "base_model": {"path": "???"}})
    with pytest.raises(Refused) as caught:
        checked(config)
    assert [(item.where, item.mend) for item in caught.value.problems] == [
        ("base_model.path", "base_model.path=DIR_OR_ID"),
        ("dataset.train", "dataset.train=pairs.csv"),
    ]


@pytest.mark.parametrize(
    ("option", "value", "mend"),
    [
        ("plan", "onli", "did you mean plan=only?"),
        ("training.scheduler", "cosin", "did you mean training.scheduler=cosine?"),
        ("training.scheduler", "qqq", "choose one of: constant,"),
        ("training.warmup", -1, "training.warmup=0"),
        ("training.batch_size", 0, "training.batch_size=1"),
        ("training.learning_rate", 0, "give training.learning_rate a value"),
        ("training.batch_size", "many", "give training.batch_size a whole number such as 10"),
        ("training.batch_size", 2.5, "give training.batch_size a whole number such as 10"),
        ("verdict.min_effect", "abc", "give verdict.min_effect a number such as 0.1"),
        ("force", "maybe", "give force true or false"),
        ("negatives.relative_margin", 1.5, "give negatives.relative_margin a value"),
        ("training.lerning_rate", 1, "did you mean training.learning_rate?"),
        ("loss.suggests.lerning_rate", 1, "did you mean loss.suggests.learning_rate?"),
    ],
)
def test_wrong_values_say_where_and_what_instead(tree: dict[str, Any], option: str, value: Any, mend: str) -> None:
    found = problem(changed(tree, option, value))
    assert found.where == option
    assert mend in found.mend


def test_the_message_is_one_line_that_shows_the_value(tree: dict[str, Any]) -> None:
    found = problem(changed(tree, "training.warmup", -1))
    assert found.what == "input should be greater than or equal to 0, not -1"


def test_a_group_that_is_missing_is_not_answered_with_the_whole_tree(tree: dict[str, Any]) -> None:
    found = problem({key: value for key, value in tree.items() if key != "loss"})
    assert (found.where, len(str(found)) < 100) == ("loss", True)


def test_all_wrong_values_are_reported_at_once(tree: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        from_tree(changed(changed(tree, "seed", -1), "training.epochs", 0))
    assert {item.where for item in caught.value.problems} == {"seed", "training.epochs"}


def test_an_interpolation_that_leads_nowhere_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="nowhere"):
        checked(OmegaConf.create(changed(tree, "seed", "${nowhere}")))


@pytest.mark.parametrize(("said", "meant"), [(True, "on"), (False, "off"), ("refresh", "refresh")])
def test_the_cache_switch_survives_yaml(tree: dict[str, Any], said: Any, meant: str) -> None:
    assert from_tree(changed(tree, "cache", said)).cache == meant


def test_names_that_are_numbers_stay_names(say: Callable[..., Any]) -> None:
    sentence = say("dataset.classes=[0,1,2]", "dataset.roles.anchor=1", "base_model.revision=2024").sentence
    assert sentence.dataset.classes == ["0", "1", "2"]
    assert sentence.dataset.roles.anchor == "1"
    assert sentence.base_model.revision == "2024"


def test_one_file_needs_no_brackets(say: Callable[..., Any]) -> None:
    sentence = say("dataset=files", "dataset.train=a.csv", "dataset.roles.negatives=bad").sentence
    assert sentence.dataset.train == ["a.csv"]
    assert sentence.dataset.roles.negatives == ["bad"]


def test_a_sentence_cannot_be_changed(say: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        say().sentence.seed = 1


def test_own_files_with_wrong_names_are_refused(workplace: Path, say: Callable[..., Any]) -> None:
    folder = workplace / "conf" / "dataset"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("summary: mine\nsource: files\ntrian: pairs.csv\n", encoding="utf-8")
    with pytest.raises(Refused, match=r"did you mean dataset\.train\?"):
        say("dataset=mine")
