"""The sentence: every option of a run, typed, with its range.

The YAML files under `conf` compose into a plain tree; `Sentence` is that tree once it has been checked.
Unknown keys are errors everywhere except in `loss.arguments` and `training.extra`, which reach the library as they are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from stbench.config.secrets import Address

ModelType = Literal["sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder"]
Shape = Literal[
    "text", "labeled_text", "parallel_text", "pair", "triplet", "n_tuple", "labeled_pair", "scored_pair", "class_pair",
    "ranked_list", "margin_triplet", "scored_n_tuple", "embedded_text", "damaged_text", "twin_text",
    "tension_pair",
]  # fmt: skip
Statistic = Literal[
    "mean", "mean_of_groups", "spearman", "pearson", "average_precision", "best_f1", "best_accuracy", "accuracy",
    "macro_f1", "weighted_f1",
]  # fmt: skip
Fraction = Annotated[float, Field(ge=0)]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_switch(value: object) -> object:
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


Files = Annotated[list[str], BeforeValidator(_as_list)]


class Group(BaseModel):
    """A part of the sentence; immutable, and strict about names."""

    # A column, class or revision whose name is a number reaches us as a number.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, coerce_numbers_to_str=True)


class Suggestions(Group):
    """Values for options of `training` that were left open."""

    learning_rate: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, ge=0)
    eval_steps: float | None = Field(default=None, gt=0)


class PromptTexts(Group):
    """What stands before texts; null: nothing is said."""

    query: str | None = None
    document: str | None = None
    text: str | None = None
    """Before texts that are compared with their like, and before the pairs of a cross-encoder."""


class PromptsChoice(PromptTexts):
    summary: str = ""
    include: bool = True
    """Whether the tokens of a prompt are pooled with those of its text."""


class BaseSuggestions(Suggestions):
    """A base model also knows with which prompts it was trained."""

    prompts: PromptTexts = PromptTexts()


class LossSuggestions(Suggestions):
    """A loss also knows how many negatives it wants where they are mined."""

    num_negatives: int | None = Field(default=None, ge=1)


class DatasetSuggestions(Group):
    """What the texts of a data set need of the model."""

    max_seq_length: int | None = Field(default=None, ge=2)


class Demo(Group):
    """How much of python_docs a few minutes on two cores can use; null: all of it, or the base model's own length."""

    rows: int | None = Field(default=None, ge=1)
    validation: int = Field(default=300, ge=1)
    test: int = Field(default=600, ge=1)
    max_seq_length: int | None = Field(default=None, ge=2)


class Model(Group):
    summary: str = ""
    type: ModelType
    architecture: Literal["auto", "splade", "csr"] | None = None
    """Of a sparse encoder; auto: splade where the base has a masked-LM head, else csr."""
    embedding_dim: int | None = Field(default=None, ge=1)
    suggests: Suggestions = Suggestions()
    new_head: Suggestions = Suggestions()
    """Suggestions that come first where the model's head starts untrained."""
    demo: Demo = Demo()


class BaseModelChoice(Group):
    """Where the weights come from: a package on the index, a folder, or the Hub; the first that is there."""

    summary: str = ""
    package: str | None = None
    hub: str | None = None
    path: str | None = None
    run: str | None = None
    """Another run in `experiments`, whose model is trained further."""
    static: Literal["random", "distilled"] | None = None
    """Static embeddings: random ones over the tokenizer of another model, or distilled from it."""
    source: str | None = Field(default=None, alias="from")
    """That other model: a name, a folder or a Hub id."""
    dims: int | None = Field(default=None, ge=1)
    """Size of static embeddings that are made; null: that of the other model."""
    revision: str | None = None
    max_seq_length: int | None = Field(default=None, ge=1)
    pooling: Literal["mean", "cls", "max", "lasttoken", "weightedmean"] | None = None
    normalize: bool | None = None
    """Vectors of length 1; null: as the base model does."""
    projection: int | None = Field(default=None, ge=1)
    """Size to which a new dense layer brings the vectors."""
    layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = None
    """Transformer layers that are kept, counted from 0; null: all."""
    suggests: BaseSuggestions = BaseSuggestions()


class Adapter(Group):
    """What is trained beside frozen weights; options of LoRA where there is an adapter."""

    summary: str = ""
    kind: Literal["none", "lora"]
    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: Literal["auto"] | Annotated[list[str], Field(min_length=1)] = "auto"
    """Names of the linear modules that get an adapter; auto: all inside the layers."""
    dora: bool = False
    rslora: bool = False
    bits: Literal[4] | None = None
    """Bits of the frozen weights; null: 32."""
    suggests: Suggestions = Suggestions()


class Roles(Group):
    """Which column plays which role; null: recognised by its name."""

    text: str | None = None
    translation: str | None = None
    anchor: str | None = None
    positive: str | None = None
    negatives: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    documents: str | None = None
    relevance: str | None = None
    label: str | None = None
    score: str | None = None
    margin: str | None = None
    scores: str | None = None
    embedding: str | None = None


class Dataset(Group):
    summary: str = ""
    source: Literal["python_docs", "files", "beir", "disk", "sql", "hub", "mixture"]
    path: str | None = None
    """A folder, or the name of a data set on the Hub."""
    subset: str | None = None
    revision: str | None = None
    streaming: bool = False
    """Takes the first rows that are needed and downloads no more."""
    titles: bool = True
    """Whether the text of a document of a collection begins with its title, as BEIR has it."""
    train: Files | None = None
    """Files; of other sources the names of their splits."""
    validation: Files | None = None
    test: Files | None = None
    num_negatives: int | None = Field(default=None, ge=1)
    """Of rows with lists of negatives: as many of each list, from its start."""
    connection: Address | None = Field(default=None, repr=False)
    """Of a database, as SQLAlchemy writes it."""
    query: str | None = None
    validation_query: str | None = None
    test_query: str | None = None
    roles: Roles = Roles()
    classes: list[str] | None = None
    """Names of the classes in the order of their ids; null: in alphabetical order."""
    limit: int | None = Field(default=None, ge=1)
    """Training rows, chosen by content hash."""
    leaks: Literal["report", "drop"] = "report"
    """Training rows with held-out texts, word for word or nearly so."""
    duplicates: Literal["keep", "drop"] = "keep"
    """Training rows with the anchor, text or labelled pair of another; one of them always stays."""
    contradictions: Literal["keep", "drop"] = "keep"
    """Training rows that say different things of the same texts."""
    validation_size: float = Field(default=0.1, gt=0)
    test_size: float = Field(default=0.1, gt=0)
    suggests: DatasetSuggestions = DatasetSuggestions()


Sampler = Literal["no_duplicates", "group_by_label", "batch_sampler"]
Filled = Literal["pos_weight", "num_labels", "embedding_dimension", "projection_dim", "guide"]
"""Arguments of losses that follow from model and data."""


class LossForType(Group):
    """The loss for one model type: the class of the library, and what it asks of model and data."""

    cls: str = Field(alias="class")
    shapes: list[Shape] | None = None
    arguments: dict[str, Any] = {}
    sampler: Sampler | None = None
    """Where it is not that of the loss."""
    activation: Literal["identity", "sigmoid"] | None = None
    """Of a cross-encoder's score outside training."""
    num_labels: Literal["classes"] | int | None = None
    similarity: Literal["cosine", "dot"] | None = None
    """That the model has with this loss, where it is not its own: scored by it before training too."""
    fills: list[Filled] = []
    """Arguments that are filled in: weights of the classes, sizes of the model, the guide."""
    architecture: Literal["any", "splade", "csr"] = "any"
    """Of a sparse encoder."""
    wrapped: bool = True
    """Sparse: inside the SPLADE loss with its regularisers, or the auto-encoder's loss with its reconstruction."""
    cached: bool = False
    """Gradients in mini-batches: large batches in little memory. Sparse: inside the cached SPLADE loss."""
    base: list[Literal["static", "encoder", "decoder"]] = ["static", "encoder", "decoder"]
    """Architectures of base models that it can train."""
    suggests: Suggestions = Suggestions()
    """Where the entry wants other values than the loss as a whole."""


def _as_entries(value: object) -> object:
    return value if isinstance(value, list) else [value]


ByArchitecture = Annotated[list[LossForType], BeforeValidator(_as_entries)]
"""One entry, or several: the first that fits the architecture and is cheapest to feed with the data."""


class Regularizers(Group):
    """Weights of the SPLADE regularisers; the query's is the larger one."""

    query: float = Field(default=5e-5, ge=0)
    document: float = Field(default=3e-5, ge=0)


class Loss(Group):
    summary: str = ""
    shapes: list[Shape]
    sampler: Sampler = "batch_sampler"
    """How rows become batches: in-batch negatives must not repeat, batch triplets need several rows of a label."""
    taught: bool = False
    """What it learns is what a teacher said: the data brings it along, or a teacher is asked."""
    types: dict[ModelType, ByArchitecture]
    arguments: dict[str, Any] = {}
    guide: str | None = None
    """The base model (a name, a folder or a Hub id) that tells false in-batch negatives apart."""
    regularizers: Regularizers = Regularizers()
    suggests: LossSuggestions = LossSuggestions()


class PartLoss(Loss):
    """The loss of one part of a mixture."""

    use: str
    """A choice of the group loss."""


class Part(Dataset):
    """One data set of a mixture."""

    use: str = "files"
    """A choice of the group dataset, whose options those said here change."""
    loss: PartLoss | None = None
    """null: that of the sentence."""
    prompts: PromptTexts | None = None
    """null: those of the sentence."""
    evaluator: str | None = None
    """A choice of the group evaluator; null: that of the sentence for the part that decides, for others by the shape of their rows."""


Sampling = Literal["proportional", "round_robin"]


class Mixture(Dataset):
    """A data set, or several: then each part has its own rows, and the options of rows are those of the parts."""

    parts: dict[str, Part] = {}
    sampling: Sampling = "proportional"
    """How many batches each part gives."""
    decides: str | None = None
    """The part whose rows choose the checkpoint and give the verdict; null: the first."""


class Modifier(Group):
    """What is wrapped around the loss."""

    summary: str = ""
    cls: str | None = Field(default=None, alias="class")
    dims: list[int] | None = None
    """Sizes to train and to report, largest first; null: the full size halved down to an eighth."""
    weights: list[float] | None = None
    arguments: dict[str, Any] = {}
    beside: bool = False
    """Added to the loss instead of wrapped around it."""
    layers: bool = False
    """Also reported with fewer transformer layers."""


class Teacher(Group):
    """The model that scores or embeds what the student is to learn."""

    summary: str = ""
    kind: Literal["none", "cross_encoder", "bi_encoder", "sparse_encoder"]
    model: str | None = None
    """A choice of base_model, a folder or a Hub id."""
    batch_size: int = Field(default=64, ge=1)
    max_seq_length: int | None = Field(default=None, ge=2)
    """Tokens that it reads; null: as many as it does by itself."""
    projection: Literal["auto", "none"] = "auto"
    """PCA of the teacher's embeddings where they are larger than the student's."""


class Evaluator(Group):
    summary: str = ""
    kind: Literal[
        "auto", "retrieval", "reranking", "similarity", "correlation", "binary", "classes", "triplet", "translation",
        "mse", "paraphrase_mining", "distillation", "label_accuracy", "nano_beir",
    ]  # fmt: skip
    choose: dict[ModelType, dict[Shape, Files]] = {}
    """Of auto: names by the shape of the held-out rows; the first that these can be brought to."""
    shapes: list[Shape] = []
    metric: str | None = None
    """What decides; null: the one that the evaluator's file names."""
    metrics: dict[str, Statistic] = {}
    """Metrics that can decide, and how each follows from the outcomes of single samples; k stands for any number."""
    lacks: dict[ModelType, list[str]] = {}
    """Metrics that the class of a model type does not report."""
    hub: str | None = None
    """NanoBEIR: the data set of the Hub."""
    datasets: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    """NanoBEIR: its parts; null: all that fit the model type."""
    lower_is_better: list[str] = []
    """Metrics that count downwards."""
    classes: dict[ModelType, str] = {}
    depth: int | None = Field(default=None, ge=2)
    """Candidates a query, where the data has none of its own; null: 100 out of a collection, else 10."""
    batch_size: int | None = Field(default=None, ge=1)
    """Texts at a time; null: 64."""
    corpus: str | None = None
    """A file of documents that the test queries search, whatever was trained on; with queries and qrels."""
    queries: str | None = None
    qrels: str | None = None
    selection_qrels: str | None = None
    """Judgements of the queries that choose the checkpoint; null: the data's own selection rows."""
    titles: bool = True
    """Whether the text of one of its documents begins with its title."""
    first_stage: str | None = None
    """What finds the candidates of a reranker: bm25, or a base model; null: bm25 in a collection, else negatives.miner."""
    add_missed: bool = False
    """Whether relevant documents that the first stage misses are added to the candidates, instead of counting as missed."""
    bm25: bool = True
    """Whether BM25 is scored beside every retrieval."""
    language: str = "en"
    """Of the texts, for BM25: its stemmer and stop words."""
    fusion: Annotated[Literal["auto", "on", "off"], BeforeValidator(_as_switch)] = "auto"
    """Whether the model's ranking is scored fused with BM25's too; auto: wherever BM25 is."""
    also: Annotated[list[str], BeforeValidator(_as_list)] = []
    """Evaluators that are reported beside it, and never decide."""
    selection_documents: int | None = Field(default=2000, ge=1)
    """Documents of a collection that the selection queries search, the relevant ones among them; null: all."""
    cost: bool = True
    """Whether speed and size are measured beside the score."""


class Negatives(Group):
    summary: str = ""
    when: Literal["needed", "always", "never", "in_batch"]
    num: int | None = Field(default=None, ge=1)
    miner: str = "wordllama"
    rescore: str | None = None
    """A cross-encoder (a folder or a Hub id) whose scores decide among what the miner has found."""
    corpus: Files | None = None
    """Files with a column of texts to mine from; null: the collection's documents, where the data comes from one."""
    range_min: int = Field(default=0, ge=0)
    range_max: int = Field(default=100, ge=1)
    sampling: Literal["top", "random"] = "top"
    relative_margin: float | None = Field(default=0.05, ge=0, lt=1)
    absolute_margin: float | None = Field(default=None, ge=0)
    max_score: float | None = None
    min_score: float | None = None
    max_seq_length: int | None = Field(default=None, ge=2)
    """Tokens that miner and cross-encoder read; null: as many as they do by themselves."""
    near_positives: Literal["keep", "drop"] = "keep"
    """Negatives that are, or nearly are, a positive of their query."""
    fill: Literal["random", "none"] = "random"
    """For queries with too few admissible negatives: random documents for the others, or none and they are left out."""


class Precision(Group):
    summary: str = ""
    mode: Literal["auto", "fp32", "bf16", "fp16"]


class Hardware(Group):
    summary: str = ""
    device: Literal["auto", "cpu", "cuda", "mps"]
    threads: int | None = Field(default=None, ge=1)
    """Of the processor; null: one a core, in a sweep one a core of the job's share."""


class Training(Group):
    summary: str = ""
    learning_rate: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    epochs_factor: float = Field(default=1, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    warmup: Fraction = 0.1
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"] = "linear"
    weight_decay: float = Field(default=0.0, ge=0)
    gradient_accumulation: int = Field(default=1, ge=1)
    gradient_checkpointing: bool = False
    by_length: bool | None = None
    profile: bool = False
    max_seq_length: int | None = Field(default=None, ge=2)
    eval_steps: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, ge=0)
    trial: bool = False
    rows: int | None = Field(default=None, ge=1)
    evaluation_rows: int | None = Field(default=None, ge=1)
    evaluation_documents: int | None = Field(default=None, ge=1)
    extra: dict[str, Any] = {}


class Tracker(Group):
    summary: str = ""
    kind: Literal["mlflow", "none"]
    uri: Address = Field(default="", repr=False)
    experiment: str = ""


class Verdict(Group):
    min_effect: float = Field(default=0.005, ge=0)
    max_leak: float = Field(default=0.01, ge=0, le=1)
    """Share of the test samples that may stand in the training data; with more of them there is no WIN."""
    resamples: int = Field(default=10_000, ge=100)
    fail_on: Literal["never", "regression", "not_win"] = "never"


class Job(Group):
    """What is done with the sentence."""

    summary: str = ""
    kind: Literal["train", "evaluate", "mine", "estimate", "compare", "leaderboard"]
    against: str | None = None
    """Evaluate: the model that the verdict compares with: a run, a choice of base_model, a folder or a Hub id."""
    shape: Literal["triplet", "n_tuple", "labeled_pair", "ranked_list"] = "n_tuple"
    """Mine: of the rows that are written."""
    output: str | None = None
    """Mine: a Parquet file, or a folder for it, beside the one in the run's own folder."""
    hub: str | None = None
    """Mine: the data set of the Hub that the rows are pushed to."""
    private: bool = True
    """Mine: whether only its owner can see that data set."""
    steps: int = Field(default=5, ge=1)
    """Estimate: training steps that are timed."""


class Sentence(Group):
    """All choices of one run."""

    job: Job
    model: Model
    base_model: BaseModelChoice
    adapter: Adapter
    prompts: PromptsChoice
    dataset: Mixture
    loss: Loss
    modifier: Modifier
    evaluator: Evaluator
    negatives: Negatives
    teacher: Teacher
    precision: Precision
    hardware: Hardware
    training: Training
    tracker: Tracker
    verdict: Verdict
    runs: Files = []
    """Runs to compare: folders in `experiments` by name, its beginning or its end, by pattern or path; or all."""
    seed: int = Field(default=12, ge=0)
    seeds: Annotated[int, Field(ge=1, le=100)] | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2)] = 1
    plan: Literal["show", "only"] = "show"
    force: bool = False
    cache: Annotated[Literal["on", "off", "refresh"], BeforeValidator(_as_switch)] = "on"
