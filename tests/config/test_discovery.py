from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stbench.config.discovery import choices, conf_folders, load, package_conf, user_conf

OWN = "# Mine.\ndefaults: [contrastive, _self_]\nsuggests: {learning_rate: 0.5}\n"


@pytest.fixture
def own_loss(workplace: Path) -> Path:
    file = workplace / "conf" / "loss" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(OWN, encoding="utf-8")
    return file


def test_every_group_and_every_choice_has_one_line_of_its_own() -> None:
    found = choices()
    assert {"model", "base_model", "dataset", "loss", "evaluator", "negatives", "training"} <= set(found)
    summaries = [choice.summary for group in found.values() for choice in group.values()]
    assert all(summaries)
    assert len(set(summaries)) == len(summaries)


def test_every_file_of_the_package_is_a_choice_or_a_part_of_one() -> None:
    files = {file for file in package_conf().rglob("*.yaml") if not file.name.startswith("_")}
    found = {choice.file for group in choices().values() for choice in group.values()}
    assert files - found == {package_conf() / "config.yaml"}


def test_a_file_in_the_working_directory_is_a_choice(own_loss: Path) -> None:
    choice = choices()["loss"]["mine"]
    assert (choice.file, choice.summary) == (own_loss, "Mine.")


def test_so_is_one_in_a_folder_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "other.yaml").write_text("summary: 'another'\n", encoding="utf-8")
    assert choices(tmp_path)["loss"]["other"].summary == "another"
    assert "other" not in choices()["loss"]


def test_choices_in_subfolders_are_named_by_their_path(workplace: Path) -> None:
    file = workplace / "conf" / "dataset" / "beir" / "scifact.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("summary: claims\n", encoding="utf-8")
    assert choices()["dataset"]["beir/scifact"].file == file


def test_parts_are_no_choices_but_choices_may_have_them(own_loss: Path) -> None:
    part = own_loss.rename(own_loss.with_name("_part.yaml"))
    part.with_name("whole.yaml").write_text("defaults: [_part, _self_]\nsummary: whole\n", encoding="utf-8")
    assert "whole" in choices()["loss"]
    assert "_part" not in choices()["loss"]
    assert load("loss", "whole")["suggests"] == {"learning_rate": 0.5}


def test_a_file_that_the_package_hides_is_remembered(own_loss: Path) -> None:
    hidden = own_loss.rename(own_loss.with_name("triplet.yaml"))
    assert choices()["loss"]["triplet"].hides == (hidden,)
    assert choices()["loss"]["triplet"].file.is_relative_to(package_conf())


def test_the_package_folder_is_not_taken_for_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(package_conf().parent)
    if (Path.cwd() / "conf").is_dir():
        assert user_conf() is None
        assert conf_folders() == [package_conf()]


def test_loading_a_choice_follows_its_defaults(own_loss: Path) -> None:
    own, inherited = load("loss", "mine"), load("loss", "contrastive")
    assert own["suggests"] == {"learning_rate": 0.5}
    assert own["types"] == inherited["types"]
    assert "defaults" not in own


def test_loading_notices_another_working_directory(own_loss: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load("loss", "mine")
    monkeypatch.chdir(own_loss.parent)
    with pytest.raises(KeyError):
        load("loss", "mine")


def test_own_choices_compose(own_loss: Path, say: Callable) -> None:  # type: ignore[type-arg]
    said = say("loss=mine")
    assert said.chosen["loss"] == "mine"
    assert said.sentence.loss.suggests.learning_rate == 0.5
    assert said.sentence.loss.sampler == "no_duplicates"
