"""Which prompts a model gets: those that were said, else the base model's own, else those of its family."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.config.sentence import ModelType, PromptTexts, Sentence
from stbench.errors import Problem
from stbench.models.base import Base
from stbench.models.prompts import Prompts
from stbench.plan.decide import sparse_architecture
from stbench.plan.plan import Decision

ALIKE = ("similarity", "binary", "correlation", "classes", "translation", "mse", "paraphrase_mining", "label_accuracy")
"""Kinds of evaluators that encode all texts alike, where the others tell queries from documents."""


def compares_alike(type_: ModelType, kind: str) -> bool:
    """Whether all texts get one prompt: a cross-encoder reads pairs, and some evaluators have neither query nor document."""
    return type_ == "cross_encoder" or kind in ALIKE


def brought(type_: ModelType, base: Base) -> Prompts:
    """The prompts that the library takes over from the base model's own folder."""
    same = base.type == type_ or (base.type == "sentence_transformer" and type_ != "cross_encoder")
    return base.prompts if same else Prompts()


def prompts_of(sentence: Sentence, base: Base) -> Prompts:
    """What is put on the model: what was said, and what the family of the base model wants where its folder brings nothing."""
    said, type_ = sentence.prompts, sentence.model.type
    asked = _texts(said, said.include)
    if said.text is not None:
        asked = asked.over(Prompts(said.text, said.text))
    if type_ == "cross_encoder":
        return Prompts(text=said.text)
    return asked if brought(type_, base) else asked.over(base.family)


def _texts(texts: PromptTexts, include: bool = True) -> Prompts:
    return Prompts(texts.query, texts.document, texts.text, include)


def prompt_problems(sentence: Sentence, chosen: str, kind: str) -> Iterator[Problem]:
    """Prompts that nothing would read, so that the model would be trained and judged without them.

    `kind` is that of the evaluator, `chosen` the choice of the group.
    """
    texts, type_ = sentence.prompts, sentence.model.type
    sided = [name for name in ("query", "document") if getattr(texts, name)]
    if not sided or (texts.text is not None and type_ != "cross_encoder") or not compares_alike(type_, kind):
        return
    where = f"prompts={chosen}" if chosen != "none" else f"prompts.{sided[0]}"
    value = getattr(texts, sided[0])
    if type_ == "cross_encoder":
        what = "a cross-encoder reads pairs, which have one prompt"
    else:
        what = f"here all texts are encoded alike ({kind}), without telling queries from documents"
    mend = f'prompts.text="{value}" alone' if chosen == "none" else f'prompts=none prompts.text="{value}"'
    yield Problem(what, where, mend)


def pooling_problems(sentence: Sentence, base: Base) -> Iterator[Problem]:
    """Only where tokens are pooled can those of the prompt be left out."""
    if sentence.prompts.include:
        return
    type_, where, prompts = sentence.model.type, "prompts.include=false", prompts_of(sentence, base)
    csr = type_ == "sparse_encoder" and sparse_architecture(sentence.model, base) == "csr"
    if not (type_ == "sentence_transformer" or csr) or base.architecture == "static":
        yield Problem("nothing is pooled here that prompts could be left out of", where, "leave it out")
    elif base.architecture == "decoder":
        yield Problem("the last token stands behind the prompt anyway", where, "leave it out")
    elif not prompts.over(brought(type_, base)):
        yield Problem("there is no prompt", where, 'prompts=e5, or prompts.query="query: "')


def explain_prompts(sentence: Sentence, prompts: Prompts, base: Base, kind: str) -> Iterator[Decision]:
    """The plan's line about prompts; none where there are none."""
    type_ = sentence.model.type
    own, asked = brought(type_, base), bool(_texts(sentence.prompts))
    whole = prompts.over(own)
    alike = compares_alike(type_, kind)
    names = ("text",) if alike else ("query", "document")
    shown = {name: getattr(whole, name) for name in names if getattr(whole, name)}
    if not shown and not whole:
        return
    what = ", ".join(f"{name}: {prompt!r}" for name, prompt in shown.items()) or "none: all texts are encoded alike"
    source = "as said" if asked else "the base model's own" if own and not prompts else "usual for this base model"
    pooled = "" if prompts.include else "; left out of the pooling"
    yield Decision("prompts", what, f"{source}; in training, evaluation and the saved model{pooled}")
