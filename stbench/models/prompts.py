"""Prompts: what stands before a query or a document, in training, in every evaluation and in the saved model alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentence_transformers.base.model import BaseModel

DOCUMENT_NAMES = ("document", "passage", "corpus")
"""Names under which the library looks for the prompt of documents, in this order."""
LABELS = ("label", "labels", "score", "scores", "relevance", "margin", "embedding")


@dataclass(frozen=True)
class Prompts:
    """Prompts by what a text is; None: none was said."""

    query: str | None = None
    document: str | None = None
    text: str | None = None
    """Before texts that are compared with their like, and before the pairs of a cross-encoder."""
    include: bool = True
    """Whether the tokens of a prompt are pooled with those of its text."""

    def __bool__(self) -> bool:
        return bool(self.query or self.document or self.text)

    def over(self, other: Prompts) -> Prompts:
        """What is said here, else what `other` says."""
        query, document, text = (
            own if own is not None else its
            for own, its in ((self.query, other.query), (self.document, other.document), (self.text, other.text))
        )
        return Prompts(query, document, text, self.include)

    def identity(self) -> list[Any]:
        return list(astuple(self))


NO_PROMPTS = Prompts()


def from_config(config: Mapping[str, Any] | None) -> Prompts:
    """The prompts that a folder's config_sentence_transformers.json brings."""
    given = config or {}
    return _named(given.get("prompts") or {}, given.get("default_prompt_name"))


def of_model(model: BaseModel) -> Prompts:
    """The prompts that `model` encodes with."""
    return _named(model.prompts, model.default_prompt_name)


def _named(prompts: Mapping[str, str | None], default: str | None) -> Prompts:
    document = next((prompts[name] for name in DOCUMENT_NAMES if prompts.get(name)), None)
    return Prompts(prompts.get("query") or None, document, prompts.get(default or "") or None)


def put_on(model: BaseModel, said: Prompts) -> None:
    """Give `model` the prompts that were said; where nothing was, its own stay."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    document = said.document
    if document is None:
        # Beside an empty "document", which it adds itself, the library would overlook the "passage" of a folder.
        document = of_model(model).document
    else:
        for name in DOCUMENT_NAMES:
            model.prompts.pop(name, None)
    named = {"query": said.query, "document": document, "text": said.text}
    model.prompts.update({name: prompt for name, prompt in named.items() if prompt is not None})
    if said.text is not None:
        model.default_prompt_name = "text"
    for module in model:
        if isinstance(module, Pooling) and not said.include:
            module.include_prompt = False


@contextmanager
def prompted(model: Any, said: Prompts) -> Iterator[None]:
    """`model` with the prompts of one data set of a mixture."""
    before, default = dict(model.prompts), model.default_prompt_name
    try:
        put_on(model, said)
        yield
    finally:
        model.prompts.clear()
        model.prompts.update(before)
        model.default_prompt_name = default


def for_training(prompts: Prompts, columns: Iterable[str], alike: bool) -> str | dict[str, str] | None:
    """The library's training argument `prompts`: one for all texts, or one for each column.

    `alike`: whether all texts are encoded alike; the pairs of a cross-encoder are.
    """
    if alike:
        return prompts.text or None
    found = {name: prompts.query if name == "anchor" else prompts.document for name in columns if name not in LABELS}
    return {name: prompt for name, prompt in found.items() if prompt} or None
