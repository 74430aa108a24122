"""What a sentence's `base_model` stands for, and what is refused before anything is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stbench.config.discovery import choices, load
from stbench.config.sentence import BaseModelChoice, BaseSuggestions, PromptsChoice, PromptTexts
from stbench.errors import Problem, Refused
from stbench.models.choose import base_of, named_base
from stbench.models.digest import weights_digest
from stbench.models.prompts import Prompts


def problem(choice: Callable[[], Any]) -> Problem:
    with pytest.raises(Refused) as caught:
        choice()
    (only,) = caught.value.problems
    assert only.mend
    return only


def of_run(run: str) -> Any:
    return base_of("from_run", BaseModelChoice(run=run))


@pytest.fixture
def runs(workplace: Path, encoder: Path) -> Path:
    import shutil

    experiments = workplace / "experiments"
    shutil.copytree(encoder, experiments / "minilm-files-1a2b3c4d" / "model")
    (experiments / "minilm-beir-5e6f7a8b").mkdir()
    return experiments


def test_the_model_of_another_run_is_found(runs: Path) -> None:
    base = of_run("minilm-files-1a2b3c4d")
    assert base.name == "minilm-files-1a2b3c4d"
    assert Path(base.location).resolve() == (runs / "minilm-files-1a2b3c4d" / "model").resolve()


@pytest.mark.parametrize("wrong", ["minilm-files-1a2b3c4e", "minilm-file"])
def test_a_run_that_is_misspelt_gets_the_closest_that_left_a_model(runs: Path, wrong: str) -> None:
    assert problem(lambda: of_run(wrong)).mend == "did you mean base_model.run=minilm-files-1a2b3c4d?"


def test_a_run_without_a_model_is_refused(runs: Path) -> None:
    found = problem(lambda: of_run("minilm-beir-5e6f7a8b"))
    assert found.what == "this run has left no model"
    assert "minilm-files-1a2b3c4d" in found.mend


def test_without_any_run_there_is_nothing_to_go_on_from(workplace: Path) -> None:
    assert problem(lambda: of_run("any")).what == "no run has left a model here"


def test_choices_that_need_a_second_option_are_no_names() -> None:
    for name in ("path", "from_run"):
        assert "choose one of" in problem(lambda name=name: named_base(name, "negatives.miner")).mend


def static(kind: Any, source: str, dims: int | None = None) -> Any:
    return base_of("made", BaseModelChoice(static=kind, source=source, dims=dims))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Packages that are there beside the real ones."""
    names = {"model2vec", "skeletoken"}
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: object() if name in names else real(name, *more)
    )
    return names


def test_more_dimensions_than_the_teacher_has_are_refused(encoder: Path, installed: set[str]) -> None:
    assert problem(lambda: static("distilled", str(encoder), 65)).mend == "base_model.dims=64"
    assert static("distilled", str(encoder), 64).dimensions == 64
    assert static("random", str(encoder), 65).dimensions == 65


def test_static_embeddings_are_not_distilled_again(installed: set[str]) -> None:
    assert problem(lambda: static("distilled", "wordllama")).mend == "base_model=wordllama"


def test_distillation_without_its_packages_is_refused(encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "skeletoken" else real(name, *more)
    )
    assert problem(lambda: static("distilled", str(encoder))).mend == "pip install 'stbench[distill]'"


def test_a_source_that_there_is_not_is_refused() -> None:
    assert problem(lambda: static("random", "minlm")).mend == "did you mean base_model.from=minilm?"


@pytest.mark.parametrize("name", sorted(choices()["base_model"]))
def test_every_base_model_file_names_one_place(name: str) -> None:
    choice = BaseModelChoice.model_validate(load("base_model", name))
    assert choice.summary
    places = [choice.hub or choice.package, choice.path, choice.run, choice.static]
    assert sum(place is not None for place in places) == 1
    assert choice.hub is None or choice.hub.count("/") == 1


def test_families_with_prompts_name_them() -> None:
    """What the group of prompts says of a family is what its base models suggest."""
    for family, names in {"e5": ("e5", "e5_small", "e5_multilingual"), "bge": ("bge", "bge_small")}.items():
        known = PromptsChoice.model_validate(load("prompts", family))
        for name in names:
            found = BaseModelChoice.model_validate(load("base_model", name)).suggests.prompts
            assert (found.query, found.document, found.text) == (known.query, known.document, known.text)


SUGGESTED = BaseSuggestions(prompts=PromptTexts(query="query: ", document="passage: ", text="query: "))


def test_the_prompts_of_a_family_count_where_the_folder_brings_none(
    tmp_path: Path, write_model: Callable[..., Path], encoder: Path
) -> None:
    plain = base_of("e5", BaseModelChoice(path=str(encoder), suggests=SUGGESTED))
    assert plain.family == Prompts("query: ", "passage: ", "query: ")
    assert weights_digest(plain) != weights_digest(base_of("e5", BaseModelChoice(path=str(encoder))))
    config = {"model_type": "bert", "hidden_size": 8}
    own = {"prompts": {"query": "ask: "}, "default_prompt_name": None}
    folder = write_model(tmp_path / "own", config, {"word.weight": (10, 8)}, config_sentence_transformers=own)
    assert base_of("e5", BaseModelChoice(path=str(folder), suggests=SUGGESTED)).family == Prompts()


def test_an_adapter_alone_is_refused_with_the_merged_model_beside_it(workplace: Path) -> None:
    adapter = workplace / "experiments" / "run" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "modules.json").write_text("[]", encoding="utf-8")
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}', encoding="utf-8")
    choice = BaseModelChoice(path="experiments/run/adapter")
    assert problem(lambda: base_of("path", choice)).mend.startswith("base_model=owner/base")
    (adapter.parent / "model").mkdir()
    (adapter.parent / "model" / "modules.json").write_text("[]", encoding="utf-8")
    assert problem(lambda: base_of("path", choice)).mend.startswith("base_model=experiments/run/model")
