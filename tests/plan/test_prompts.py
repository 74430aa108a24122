"""Which prompts a sentence means: said before brought before suggested, and never silently unread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stbench.config.sentence import Sentence
from stbench.errors import Problem
from stbench.models.prompts import Prompts
from stbench.plan.prompts import explain_prompts, pooling_problems, prompt_problems, prompts_of

E5 = Prompts("query: ", "passage: ", "query: ")
SAVED = {"type": "sentence_transformer", "modules": ("Transformer", "Pooling")}


@pytest.fixture
def sentence(say: Callable[..., Any]) -> Callable[..., Sentence]:
    def said(*words: str) -> Sentence:
        found: Sentence = say("base_model=bert", *words).sentence
        return found

    return said


FAMILY = Prompts("family: ", "of: ")


@pytest.mark.parametrize(
    ("words", "family", "base", "found"),
    [
        ([], None, {}, Prompts()),
        (["prompts=e5"], None, {}, E5),
        (["prompts.query=query: "], None, {}, Prompts("query: ")),
        (["prompts=e5", "prompts.query=ask: "], None, {}, Prompts("ask: ", "passage: ", "query: ")),
        (["prompts.text=all: "], None, {}, Prompts("all: ", "all: ", "all: ")),
        ([], FAMILY, {}, Prompts("family: ", "of: ")),
        (["prompts.query=ask: "], FAMILY, {}, Prompts("ask: ", "of: ")),
        (["prompts.query="], FAMILY, {}, Prompts("", "of: ")),
        ([], FAMILY, {**SAVED, "prompts": Prompts("own: ")}, Prompts()),
        (["model=cross_encoder"], FAMILY, {}, Prompts()),
        (["model=cross_encoder", "prompts.text=all: "], FAMILY, {}, Prompts(text="all: ")),
        (["model=multi_vector_encoder"], FAMILY, {**SAVED, "prompts": Prompts("own: ")}, Prompts()),
        (["model=sparse_encoder"], FAMILY, {"type": "cross_encoder", "prompts": Prompts("own: ")}, Prompts("family: ", "of: ")),
    ],
)  # fmt: skip
def test_what_was_said_comes_before_what_the_base_brings_and_its_family_wants(
    words: list[str], family: Any, base: dict[str, Any], found: Prompts, sentence: Any, a_base: Any
) -> None:
    assert prompts_of(sentence(*words), a_base(**base, family=family or Prompts())) == found


def only(problems: Any) -> Problem:
    (problem,) = problems
    assert problem.mend
    return problem


@pytest.mark.parametrize("words", [["prompts.query=query: "], ["prompts.document=passage: "]])
def test_prompts_for_sides_are_refused_where_all_texts_are_alike(words: list[str], sentence: Any) -> None:
    problem = only(prompt_problems(sentence(*words), "none", "similarity"))
    assert problem.mend.startswith("prompts.text=")
    assert not list(prompt_problems(sentence(*words), "none", "retrieval"))
    assert not list(prompt_problems(sentence(problem.mend.split('"')[0] + "x"), "none", "similarity"))
    assert not list(prompt_problems(sentence("prompts=e5"), "e5", "similarity"))


def test_a_cross_encoder_has_one_prompt(sentence: Any) -> None:
    words = ["model=cross_encoder", "loss=listwise"]
    problem = only(prompt_problems(sentence(*words, "prompts=e5"), "e5", "reranking"))
    assert problem.mend == 'prompts=none prompts.text="query: "'
    only(prompt_problems(sentence(*words, "prompts.query=a: "), "none", "reranking"))
    assert not list(prompt_problems(sentence(*words, "prompts.text=a: "), "none", "reranking"))


@pytest.mark.parametrize(
    ("words", "base"),
    [
        (["prompts=e5"], {"architecture": "static"}),
        (["prompts=e5"], {"architecture": "decoder"}),
        (["prompts.text=a", "model=cross_encoder", "loss=listwise"], {}),
        (["prompts=e5", "model=multi_vector_encoder"], {}),
        ([], {}),
    ],
)
def test_nothing_is_left_out_of_no_pooling(words: list[str], base: dict[str, Any], sentence: Any, a_base: Any) -> None:
    only(pooling_problems(sentence("prompts.include=false", *words), a_base(**base)))
    assert not list(pooling_problems(sentence(*words), a_base(**base)))


def test_where_there_is_a_prompt_to_pool_it_may_be_left_out(sentence: Any, a_base: Any) -> None:
    assert not list(pooling_problems(sentence("prompts.include=false", "prompts=e5"), a_base()))
    own = a_base(**SAVED, prompts=Prompts("own: "))
    assert not list(pooling_problems(sentence("prompts.include=false"), own))


@pytest.mark.parametrize(
    ("words", "family", "base", "kind", "told"),
    [
        (["prompts=e5"], None, {}, "retrieval", "query: 'query: ', document: 'passage: ' | as said"),
        (["prompts=e5"], None, {}, "similarity", "text: 'query: ' | as said"),
        ([], FAMILY, {}, "retrieval", "query: 'family: ', document: 'of: ' | usual for this base model"),
        ([], FAMILY, {}, "similarity", "none: all texts are encoded alike | usual"),
        ([], None, {**SAVED, "prompts": Prompts("own: ")}, "retrieval", "query: 'own: ' | the base model's own"),
    ],
)
def test_the_plan_tells_the_prompts_that_are_read(
    words: list[str], family: Any, base: dict[str, Any], kind: str, told: str, sentence: Any, a_base: Any
) -> None:
    said, base = sentence(*words), a_base(**base, family=family or Prompts())
    (decision,) = explain_prompts(said, prompts_of(said, base), base, kind)
    assert f"{decision.value} | {decision.why}".startswith(told)


def test_without_prompts_there_is_no_line(sentence: Any, a_base: Any) -> None:
    assert not list(explain_prompts(sentence(), Prompts(), a_base(), "retrieval"))
