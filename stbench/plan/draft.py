"""What the rules are asked about, and what their offers are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from stbench.config.sentence import LossForType, Sentence, Shape
from stbench.data.shapes import MINER, Conversion, Means, path
from stbench.errors import Problem
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint
from stbench.plan.decide import sparse_architecture
from stbench.plan.ways import entries_for, entry_for, losses_for, means_of, must_ask, steps_to, targets_of


@dataclass(frozen=True)
class Draft:
    """What is known when the rules are asked: the sentence, the base model's files, the shape of the data."""

    sentence: Sentence
    chosen: dict[str, str]
    base: Base
    shape: Shape
    """Shape of the training rows as they come."""
    classes: int = 2
    """How many classes the labels have, where they have classes."""

    @property
    def architecture(self) -> str:
        return sparse_architecture(self.sentence.model, self.base)

    @property
    def steps(self) -> list[Conversion] | None:
        """Conversions from the data to the loss; None where there is no way."""
        return steps_to(self.sentence, self.loss, self.shape) if self.loss else None

    @property
    def targets(self) -> list[Shape]:
        """All shapes that the loss takes, whichever of its entries."""
        entries = entries_for(self.sentence.loss, self.sentence.model.type, self.architecture, self.base.architecture)
        return list(dict.fromkeys(shape for entry in entries for shape in targets_of(self.sentence, entry)))

    def with_teacher(self, kind: Means) -> Draft:
        """The same sentence with a teacher of that kind, and leave to mine for it."""
        teacher = self.sentence.teacher.model_copy(update={"kind": kind})
        return replace(self, sentence=self.sentence.model_copy(update={"teacher": teacher}))

    def reaches(self, means: Collection[Means]) -> bool:
        """Whether the data can be brought to the loss with these models at hand."""
        if self.loss is None:
            return False
        must = must_ask(self.sentence.loss, self.shape)
        return path(self.shape, targets_of(self.sentence, self.loss), means, must) is not None

    @property
    def sampler(self) -> str:
        return (self.loss.sampler if self.loss else None) or self.sentence.loss.sampler

    @property
    def dimensions(self) -> int:
        """Of the vectors."""
        base_model = self.sentence.base_model
        return base_model.projection or Blueprint(self.sentence.model.type, self.base, "cpu").width

    @property
    def means(self) -> frozenset[Means]:
        """Models at hand for conversions."""
        return means_of(self.sentence)

    @property
    def loss(self) -> LossForType | None:
        """The loss's entry for this model type, architecture and data."""
        return entry_for(self.sentence, self.architecture, self.base.architecture, self.shape)


Rule = Callable[[Draft], Iterator[Problem]]


def fitting(draft: Draft) -> list[str]:
    """Losses that could train this model on this data."""
    type_ = draft.sentence.model.type
    return losses_for(type_, draft.shape, draft.architecture, draft.base.architecture, draft.means | MINER)


def named(group: str, names: Iterable[str]) -> str:
    """Families before single losses, and not more than a reader can take in."""
    offers = [f"{group}={name}" for name in names]
    return ", ".join(offers[:OFFERED]) + (f" … ({len(offers)} in all)" if len(offers) > OFFERED else "")


OFFERED = 8
"""Names in one offer."""
