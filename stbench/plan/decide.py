"""Values that the sentence left open, each with the reason it has."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from stbench.config.sentence import LossForType, Model, ModelType, Sentence, Shape, Suggestions
from stbench.errors import Problem, Refused
from stbench.models.base import Base
from stbench.models.parts import default_pooling

_BY_ARCHITECTURE: dict[str, dict[str, Any]] = {
    "static": {"learning_rate": 3e-2, "batch_size": 256, "epochs": 3.0},
    "decoder": {"learning_rate": 1e-4},
}
"""What static embeddings and decoders want, where their file suggests nothing."""


def sparse_architecture(model: Model, base: Base) -> Literal["splade", "csr"]:
    """The architecture of a sparse encoder: as asked, else by whether the base has a masked-LM head."""
    if model.architecture in ("splade", "csr"):
        return model.architecture
    return "splade" if base.mlm_head or base.is_sparse("splade") else "csr"


def head_is_trained(type_: ModelType, architecture: str | None, base: Base) -> bool:
    """Whether what this model type puts on top of the encoder comes with the base model's weights."""
    if type_ == "cross_encoder":
        return base.trained_head
    if type_ == "sparse_encoder":
        return base.is_sparse(architecture or "splade") or (architecture == "splade" and base.mlm_head)
    return type_ != "multi_vector_encoder" or base.projects_tokens


USUAL_TOKENS = 512
"""Bases that read thousands of tokens fill the memory with padding that few texts need, unless more is asked for."""


class Defaults:
    """Reads an option from the command line, else from what loss, base model, architecture and model type suggest."""

    def __init__(self, sentence: Sentence, base: Base, loss: LossForType | None = None) -> None:
        self._sentence = sentence
        self.base = base
        self._loss = loss.suggests if loss else Suggestions()

    def resolved(self, option: str) -> tuple[Any, str]:
        """(value, where it comes from).

        Raises `Refused` when it was not asked for and nothing suggests it, as with a model file of one's own.
        """
        asked = getattr(self._sentence.training, option, None)
        found = (asked, "asked for") if asked is not None else self.suggested(option)
        if found is None:
            place = f"training.{option}"
            raise Refused(Problem("neither base model, loss nor model type suggests a value", place, f"{place}=…"))
        return found

    def suggested(self, option: str) -> tuple[Any, str] | None:
        """(value, what suggests it), whatever was asked for; None where nothing does."""
        sentence = self._sentence
        architecture = _BY_ARCHITECTURE.get(self.base.architecture, {})
        for found, why in (
            (getattr(sentence.adapter.suggests, option), "suggested by the adapter"),
            (getattr(sentence.base_model.suggests, option), "suggested by the base model"),
            (self._for_new_head(option), "suggested by the model type: its head starts untrained"),
            (architecture.get(option), f"usual for a {self.base.architecture} model"),
            (getattr(self._loss, option), "suggested by the loss for this model type and data"),
            (getattr(sentence.loss.suggests, option), "suggested by the loss"),
            (getattr(sentence.model.suggests, option), "suggested by the model type"),
        ):
            if found is not None:
                return found, why
        return None

    def _for_new_head(self, option: str) -> Any:
        model = self._sentence.model
        trained = head_is_trained(model.type, sparse_architecture(model, self.base), self.base)
        return None if trained else getattr(model.new_head, option)

    @cached_property
    def learning_rate(self) -> float:
        return float(self.resolved("learning_rate")[0])

    @cached_property
    def usual_rate(self) -> float | None:
        """The learning rate that would be taken if none was asked for."""
        found = self.suggested("learning_rate")
        return float(found[0]) if found else None

    @cached_property
    def batch_size(self) -> int:
        return int(self.resolved("batch_size")[0])

    @cached_property
    def epochs(self) -> float:
        return float(self.resolved("epochs")[0]) * self._sentence.training.epochs_factor

    @cached_property
    def patience(self) -> int:
        return int(self.resolved("patience")[0])

    @cached_property
    def eval_steps(self) -> float:
        return float(self.resolved("eval_steps")[0])

    @cached_property
    def pooling(self) -> str | None:
        """As asked, else by architecture; None where nothing is pooled, or the base model's own modules do it."""
        type_ = self._sentence.model.type
        csr = type_ == "sparse_encoder" and sparse_architecture(self._sentence.model, self.base) == "csr"
        pools = (type_ == "sentence_transformer" or csr) and self.base.type not in ("sentence_transformer", type_)
        return (self._sentence.base_model.pooling or default_pooling(self.base)) if pools else None

    @cached_property
    def max_seq_length(self) -> int | None:
        """Tokens: as asked, else what the data set suggests, within what the base model reads; None for static ones."""
        if self.base.architecture == "static":
            return None
        asked = self._sentence.training.max_seq_length or self._sentence.base_model.max_seq_length
        most = min(self.base.max_tokens, USUAL_TOKENS) if self.base.max_tokens else None
        suggested = self._sentence.dataset.suggests.max_seq_length
        return asked or (min(suggested, most or suggested) if suggested else most)

    def num_negatives(self, target: Shape) -> int:
        """Negatives a query: as asked, else what the loss suggests; a triplet has one."""
        asked = self._sentence.negatives.num or self._sentence.loss.suggests.num_negatives or 3
        return asked if self._sentence.negatives.num or target != "triplet" else 1
