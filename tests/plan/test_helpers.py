"""Miner, rescorer and teacher are what they are taken for, or the plan says what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stbench.errors import Problem
from stbench.plan.draft import Draft
from stbench.plan.helpers import helpers_fit

Write = Callable[..., Path]
SMALL = {"model_type": "bert", "hidden_size": 8, "vocab_size": 1000}
WORDS = {"embeddings.word_embeddings.weight": (1000, 8)}
MODULES = [{"type": "sentence_transformers.models.Transformer", "path": ""}]


@pytest.fixture
def models(tmp_path: Path, write_model: Write) -> Mapping[str, Path]:
    """A folder of each kind of model, by its name."""

    def made(name: str, head: Mapping[str, Any], saved_as: str | None = None, **config: Any) -> Path:
        files = {"modules": MODULES, "config_sentence_transformers": {"model_type": saved_as}} if saved_as else {}
        return write_model(tmp_path / name, {**SMALL, **config}, {**WORDS, **head}, **files)

    head = {"classifier.weight": (1, 8)}
    masked = {"cls.predictions.transform.dense.weight": (8, 8)}
    return {
        "reranker": made("reranker", head),
        "saved_reranker": made("saved_reranker", head, "CrossEncoder"),
        "classes": made("classes", {"classifier.weight": (3, 8)}),
        "roberta": made("roberta", {"classifier.dense.weight": (8, 8), "classifier.out_proj.weight": (2, 8)}),
        "plain": made("plain", {}),
        "bi_encoder": made("bi_encoder", {}, "SentenceTransformer"),
        "colbert": made("colbert", {}, "MultiVectorEncoder"),
        "splade": made("splade", masked, "SparseEncoder"),
        "masked": made("masked", masked),
        "few_words": made("few_words", masked, vocab_size=500),
    }


@pytest.fixture
def problems(say: Callable[..., Any], a_base: Callable[..., Any], models: Mapping[str, Path]) -> Callable[..., Any]:
    """What is wrong with the other models of a sentence."""

    def found(*words: str, base: Mapping[str, Any] | None = None) -> list[Problem]:
        said = say("base_model=bert", *(word.format(**models) for word in words))
        vocabulary = {"vocabulary": 1000, **(base or {})}
        return list(helpers_fit(Draft(said.sentence, said.chosen, a_base(**vocabulary), "pair")))

    return found


DISTIL = "loss=distillation"


@pytest.mark.parametrize("name", ["reranker", "saved_reranker"])
def test_a_reranker_teaches_and_rescores(name: str, problems: Callable[..., Any]) -> None:
    assert not problems(DISTIL, "teacher=cross_encoder", f"teacher.model={{{name}}}")
    assert not problems("negatives=mined", f"negatives.rescore={{{name}}}")


@pytest.mark.parametrize(
    ("name", "what", "mend"),
    [
        ("classes", "gives 3 classes, not one score", "one label"),
        ("roberta", "gives 2 classes, not one score", "one label"),
        ("plain", "has no trained head", "one label"),
        ("masked", "has no trained head", "one label"),
        ("bi_encoder", "is a bi-encoder, which scores no pairs", "teacher=bi_encoder"),
        ("splade", "is a sparse encoder, which scores no pairs", "teacher=sparse_encoder"),
        ("colbert", "is a multi-vector encoder, which scores no pairs", "one label"),
    ],
)
def test_what_scores_no_pairs_is_refused_for_it(name: str, what: str, mend: str, problems: Callable[..., Any]) -> None:
    (teacher,) = problems(DISTIL, "teacher=cross_encoder", f"teacher.model={{{name}}}")
    (rescorer,) = problems("negatives=mined", f"negatives.rescore={{{name}}}")
    assert what in teacher.what == rescorer.what
    assert mend in teacher.mend
    assert teacher.where.startswith("teacher.model=")
    assert rescorer.where.startswith("negatives.rescore=")
    assert "teacher" not in rescorer.mend


def test_a_bi_encoder_teaches_its_embeddings(problems: Callable[..., Any]) -> None:
    for name in ("bi_encoder", "plain"):
        assert not problems(DISTIL, "teacher=bi_encoder", f"teacher.model={{{name}}}")


@pytest.mark.parametrize(
    ("name", "what", "mend"),
    [
        ("reranker", "is a cross-encoder", "teacher=cross_encoder"),
        ("saved_reranker", "is a cross-encoder", "teacher=cross_encoder"),
        ("splade", "is a sparse encoder", "teacher=sparse_encoder"),
        ("colbert", "is a multi-vector encoder", "name a bi-encoder"),
    ],
)
def test_what_embeds_no_texts_is_refused_for_it(name: str, what: str, mend: str, problems: Callable[..., Any]) -> None:
    (problem,) = problems(DISTIL, "teacher=bi_encoder", f"teacher.model={{{name}}}")
    assert what in problem.what
    assert mend in problem.mend


def test_a_sparse_teacher_weighs_the_words_of_its_student(problems: Callable[..., Any]) -> None:
    sparse = (DISTIL, "model=sparse_encoder", "teacher=sparse_encoder")
    for name in ("splade", "masked"):
        assert not problems(*sparse, f"teacher.model={{{name}}}")
    (problem,) = problems(*sparse, "teacher.model={few_words}")
    assert problem.what == "few_words weighs 500 words, the student 1,000"
    (problem,) = problems(*sparse, "teacher.model={plain}")
    assert "no masked-LM head" in problem.what
    (problem,) = problems(*sparse, "teacher.model={bi_encoder}")
    assert "teacher=bi_encoder" in problem.mend


def test_a_student_learns_embeddings_of_its_own_kind(problems: Callable[..., Any]) -> None:
    (problem,) = problems(DISTIL, "teacher=sparse_encoder", "teacher.model={splade}")
    assert problem.mend == "teacher=bi_encoder, or model=sparse_encoder"
    (problem,) = problems(DISTIL, "model=sparse_encoder", "teacher=bi_encoder", "teacher.model={bi_encoder}")
    assert problem.mend == "teacher=sparse_encoder, or model=sentence_transformer"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ([DISTIL, "teacher=cross_encoder", "teacher.model=owner/name"], "teacher.model=owner/name"),
        (["negatives=mined", "negatives.rescore=owner/name"], "negatives.rescore=owner/name"),
        (["negatives=mined", "negatives.rescore={reranker}x"], "negatives.rescore="),
    ],
)
def test_a_model_that_there_is_not_is_refused_by_the_option_that_names_it(
    words: list[str], option: str, problems: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (problem,) = problems(*words)
    assert problem.where.startswith(option)
    assert "base_model" not in problem.mend


def test_models_that_are_not_asked_are_not_looked_at(problems: Callable[..., Any]) -> None:
    assert not problems("loss=contrastive", "teacher=cross_encoder", "teacher.model={classes}")


def test_what_mines_embeds_texts(problems: Callable[..., Any]) -> None:
    for name in ("bi_encoder", "plain"):
        assert not problems("negatives=mined", f"negatives.miner={{{name}}}")
    for name in ("reranker", "splade", "colbert"):
        (problem,) = problems("negatives=mined", f"negatives.miner={{{name}}}")
        assert problem.where.startswith("negatives.miner=")
        assert problem.mend.startswith("name a bi-encoder")
        assert "teacher" not in problem.mend
