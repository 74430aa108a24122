"""The plan: everything that is decided before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from stbench.audit.cleaning import Cleaning
from stbench.config.sentence import Filled, ModelType, Sampler, Sampling, Shape
from stbench.data.corpus import Corpus
from stbench.data.mining import MiningSettings
from stbench.data.roles import Mapped
from stbench.data.searched import Searched
from stbench.data.shapes import Conversion
from stbench.data.sources import Head, Source
from stbench.data.splits import Sizes
from stbench.models.base import Base
from stbench.models.blueprint import Blueprint
from stbench.models.prompts import NO_PROMPTS, Prompts
from stbench.plan.hardware import Mode


@dataclass(frozen=True)
class Decision:
    """One line of the plan: what was decided, and from what."""

    what: str
    value: str
    why: str = ""


@dataclass(frozen=True)
class TeacherPlan:
    """The model whose scores or embeddings are learned."""

    kind: Literal["cross_encoder", "bi_encoder", "sparse_encoder"]
    base: Base
    batch_size: int
    dimensions: int | None = None
    """Of the student, where the teacher's embeddings are larger and are projected."""
    max_seq_length: int | None = None
    """Tokens that it reads; None: as many as it does by itself."""
    precision: Mode = "fp32"

    @property
    def size(self) -> int:
        """Dimensions of the teacher's own embeddings."""
        type_: ModelType = "sparse_encoder" if self.kind == "sparse_encoder" else "sentence_transformer"
        return Blueprint(type_, self.base, "cpu").dimensions


@dataclass(frozen=True)
class DataPlan:
    source: Source
    heads: Mapping[str, Head]
    mapped: Mapping[str, Mapped]
    sizes: Sizes
    steps: tuple[Conversion, ...]
    shape: Shape
    """Shape of the training rows after the conversions."""
    mining: MiningSettings | None
    miner: Base | None
    rescorer: Base | None = None
    """A cross-encoder that scores what the miner has found."""
    corpus: Corpus | None = None
    """Documents to mine from beside those of the training rows."""
    searched: Searched | None = None
    """The collection that held-out queries search."""
    seed: int = 0
    teacher: TeacherPlan | None = None
    cleaning: Cleaning = field(default_factory=Cleaning)
    """What becomes of faulty training rows."""


@dataclass(frozen=True)
class LossPlan:
    cls: str
    arguments: Mapping[str, Any]
    wrapper: str | None = None
    """Of a sparse encoder: SpladeLoss, CachedSpladeLoss or CSRLoss."""
    regularizers: tuple[float, float] | None = None
    """Weights of the SPLADE regularisers (query, document)."""
    fills: tuple[Filled, ...] = ()
    """Arguments that follow from model and data."""
    sampler: Sampler = "batch_sampler"
    guide: Base | None = None
    modifier: ModifierPlan | None = None
    option: str = field(default="loss", compare=False)
    """Where it is said: a part of a mixture may have one of its own."""

    @property
    def in_batch(self) -> bool:
        return self.sampler == "no_duplicates"


@dataclass(frozen=True)
class ModifierPlan:
    """What is wrapped around the loss, and the sizes at which the model is scored for it."""

    name: str
    cls: str
    arguments: Mapping[str, Any]
    beside: bool = False
    dims: tuple[int, ...] = ()
    """Dimensions, largest first; empty: only the full size."""
    layers: tuple[int, ...] = ()
    """Numbers of transformer layers, largest first; empty: only all of them."""


@dataclass(frozen=True)
class EvaluatorPlan:
    name: str
    kind: str
    cls: str
    metric: str
    statistic: str
    depth: int
    batch_size: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Of the library's class, beside the rows."""
    steps: Mapping[str, tuple[Conversion, ...]] = field(default_factory=dict)
    """What brings the rows of a split into a shape that it reads."""
    greater_is_better: bool = True
    first_stage: bool = False
    """Whether candidates have to be found, since the rows bring none along."""
    retriever: Base | None = None
    """The bi-encoder that finds them; None: BM25 does."""
    add_missed: bool = False
    """Whether relevant documents that it misses are added to the candidates; otherwise they count as missed."""
    bm25: bool = False
    """Whether BM25 is scored beside the model."""
    language: str = "en"
    """Of the texts, for BM25."""
    fusion: bool = False
    """Whether the model's ranking fused with BM25's is scored too."""
    also: tuple[EvaluatorPlan, ...] = ()
    """Reported beside it on the test split, and never deciding."""
    classes: tuple[str, ...] = ()
    """Names behind the class ids of the rows."""
    decides: bool = True
    """Whether it selects checkpoints and gives the verdict, so that both need samples of their own."""
    says: str = ""
    """How it judges rows that no evaluator of the library reads as they are."""
    cost: bool = True
    """Whether speed and size of the models are measured too."""

    @property
    def asks_teacher(self) -> bool:
        return any(step.asks_teacher for one in (self, *self.also) for steps in one.steps.values() for step in steps)

    @property
    def first_stage_name(self) -> str:
        return self.retriever.name if self.retriever else "BM25"


@dataclass(frozen=True)
class TrainingPlan:
    learning_rate: float
    batch_size: int
    epochs: float
    max_steps: int | None
    steps: int
    """Steps expected; the exact number follows once the rows are there."""
    eval_steps: float
    patience: int
    warmup: float
    scheduler: str
    weight_decay: float
    gradient_accumulation: int
    gradient_checkpointing: bool
    sampler: Sampler
    extra: Mapping[str, Any] = field(default_factory=dict)
    sampling: Sampling = "proportional"
    """How the batches of several data sets alternate."""
    by_length: bool = False
    """Whether rows of one length come together, where a loss allows it."""
    profile: bool = False
    """Whether a few steps are measured operator by operator."""
    usual_rate: float | None = None
    """The learning rate that base model, loss and model type suggest."""


@dataclass(frozen=True)
class PartPlan:
    """One data set of a mixture."""

    name: str
    data: DataPlan
    loss: LossPlan
    evaluator: EvaluatorPlan
    prompts: Prompts = NO_PROMPTS


class Shown(Protocol):
    """What is shown of any plan."""

    @property
    def run(self) -> str: ...
    @property
    def data(self) -> DataPlan: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def disk_bytes(self) -> int: ...
    @property
    def needs(self) -> str:
        """What memory and disk are for."""
        ...

    @property
    def decisions(self) -> tuple[Decision, ...]: ...


class Judging(Shown, Protocol):
    """What of a plan says how models are scored."""

    @property
    def blueprint(self) -> Blueprint: ...
    @property
    def evaluator(self) -> EvaluatorPlan: ...
    @property
    def precision(self) -> Mode: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Plan:
    run: str
    blueprint: Blueprint
    data: DataPlan
    loss: LossPlan
    evaluator: EvaluatorPlan
    training: TrainingPlan
    precision: Mode
    seed: int
    memory_bytes: int
    disk_bytes: int
    decisions: tuple[Decision, ...]
    part: str = ""
    """Name of the part of a mixture that decides; its data, loss and evaluator are those above."""
    parts: tuple[PartPlan, ...] = ()
    """All data sets of a mixture, in their order; empty for a single one."""
    threads: int | None = None
    """Of the processor; None: as many as there are."""

    @property
    def alone(self) -> tuple[Plan, ...]:
        """The plan as it would be for each part alone, the deciding one first; of a single data set the plan itself."""
        if not self.parts:
            return (self,)
        ordered = sorted(self.parts, key=lambda part: part.name != self.part)
        return tuple(
            replace(
                self, part=part.name, data=part.data, loss=part.loss, evaluator=part.evaluator, parts=(),
                blueprint=replace(self.blueprint, prompts=part.prompts),
            )
            for part in ordered
        )  # fmt: skip

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where the rows come from, all parts of a mixture."""
        return tuple(part.data.source for part in self.parts) or (self.data.source,)

    @property
    def modifier(self) -> ModifierPlan | None:
        return self.loss.modifier

    @property
    def device(self) -> str:
        return self.blueprint.device

    @property
    def needs(self) -> str:
        return "weights, optimiser, activations; checkpoints"
