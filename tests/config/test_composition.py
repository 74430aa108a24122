from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore

from stbench.config.composition import PLUGINS, refusal
from stbench.config.discovery import choices, package_conf, parts_of
from stbench.errors import Problem


def problem(*words: str) -> Problem:
    """What is made of Hydra's own error about `words`."""
    with pytest.raises(Exception) as caught, initialize_config_dir(version_base="1.3", config_dir=str(package_conf())):  # noqa: PT011
        compose("config", list(words))
    refused = refusal(caught.value)
    assert refused is not None
    (only,) = refused.problems
    assert "\n" not in str(only.what)
    return only


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        (["model=cross_encoder", "model.embedding_dim=64"], "say model=multi_vector_encoder, or leave it out"),
        (["model=cross_encoder", "model.architecture=csr"], "say model=sparse_encoder, or leave it out"),
        (["dataset.train=a.csv"], "say dataset=disk or dataset=files or dataset=hub, or leave it out"),
        (["dataset.subset=pair"], "say dataset=hub, or leave it out"),
        (["tracker=none", "tracker.uri=x"], "say tracker=mlflow, or leave it out"),
        (["loss=listwise", "loss.nothing.of.this=x"], "leave it out"),
    ],
)
def test_an_option_of_another_choice_is_told_where_it_belongs(words: list[str], owner: str) -> None:
    found = problem(*words)
    assert (found.where, found.mend) == (words[-1].partition("=")[0], owner)


@pytest.mark.parametrize("said", [*PLUGINS, "hydra/launcher=ray_cluster"])
def test_a_launcher_whose_plugin_is_missing_tells_what_to_install(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = ConfigStore.instance().repo["hydra"]["launcher"]
    monkeypatch.setitem(ConfigStore.instance().repo["hydra"], "launcher", {"basic.yaml": known["basic.yaml"]})
    found = problem(said)
    assert (found.where, found.mend) == (said, PLUGINS.get(said, PLUGINS["hydra/launcher=ray"]))


def test_an_option_of_hydra_keeps_hydras_words() -> None:
    found = problem("hydra.nothing=1")
    assert "hydra.nothing" in found.what
    assert found.mend


def test_a_choice_that_there_is_not_gets_the_closest_name() -> None:
    found = problem("loss=contrastiv")
    assert (found.what, found.mend) == ("there is no loss called 'contrastiv'", "did you mean loss: contrastive?")


def test_a_file_that_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    from yaml import YAMLError, safe_load

    file = tmp_path / "broken.yaml"
    file.write_text("a: 1\nb: [1\n", encoding="utf-8")
    with pytest.raises(YAMLError) as caught, file.open(encoding="utf-8") as stream:
        safe_load(stream)
    refused = refusal(caught.value)
    assert refused is not None
    assert refused.problems[0].where.startswith(f"{file}, line ")


def test_what_is_no_matter_of_composition_is_not_refused() -> None:
    assert refusal(RuntimeError("a bug")) is None


NAMED = [name for name, choice in choices()["dataset"].items() if parts_of(choice.file)]


@pytest.mark.parametrize("name", NAMED)
def test_a_named_data_set_says_where_it_is_and_takes_the_options_of_its_kind(
    name: str, say: Callable[..., Any]
) -> None:
    dataset = say(f"dataset={name}", "dataset.streaming=true", "dataset.limit=100", "dataset.test=[]").sentence.dataset
    assert (dataset.source, dataset.streaming, dataset.test) == ("hub", True, [])
    assert len(NAMED) >= 14
    assert re.fullmatch(r"[\w-]+/[\w-]+", dataset.path)
    text = choices()["dataset"][name].file.read_text(encoding="utf-8")
    assert "Licence:" in text.split("\ndefaults")[0]
