from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from small_collection import write_collection
from small_database import write_database

from stbench.config.check import from_tree
from stbench.config.discovery import choices, load
from stbench.config.preflight import option_names
from stbench.config.sentence import Loss
from stbench.data import python_docs
from stbench.data.shapes import COLUMNS
from stbench.errors import Problem, Refused
from stbench.models.choose import named_base
from stbench.plan.hardware import processor
from stbench.plan.plan import Plan

Planner = Callable[..., Plan]
TYPES = list(choices()["model"])
ELSEWHERE = {
    "job.kind", "job.against", "job.shape", "job.output", "job.hub", "job.private", "job.steps", "seeds", "plan", "force", "cache", "runs", "tracker.kind", "tracker.uri", "tracker.experiment", "verdict.min_effect",
    "verdict.resamples", "verdict.max_leak", "verdict.fail_on", "training.trial",
}  # fmt: skip
"""Options that are read beside the plan."""


@pytest.fixture(autouse=True)
def _python_docs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows instead of the whole standard library, which takes seconds to read."""
    rows = [{"query": f"what {i}", "document": f"that {i}", "symbol": f"s{i}"} for i in range(1000)]
    monkeypatch.setattr(python_docs, "extract", lambda: rows)
    monkeypatch.setenv("STBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "few_python_docs"))


@pytest.fixture
def planned(say: Callable[..., Any], plan_of: Planner, encoder: Path, data: Mapping[str, Path]) -> Planner:
    """The plan of a sentence about the file of a shape, with a small encoder as its base."""

    def made(*words: str, shape: str = "pair", base: bool = True) -> Plan:
        own = [f"base_model={encoder}"] if base else []
        said = say("dataset=files", "dataset.train=said-below.csv", *own, *words)
        dataset = said.sentence.dataset.model_copy(update={"train": [str(data[shape])]})
        return plan_of(said=type(said)(said.sentence.model_copy(update={"dataset": dataset}), said.chosen))

    return made


def refusal(planned: Planner, *words: str, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        planned(*words, **more)
    assert all(problem.mend for problem in caught.value.problems)
    return caught.value


def steps(plan: Plan) -> list[str]:
    return [f"{step.name}:{step.target}" for step in plan.data.steps]


MADE = ("damaged_text", "twin_text", "tension_pair")
"""Shapes that no file has: they are made for one loss."""


@pytest.mark.parametrize("shape", [shape for shape in COLUMNS if shape not in MADE])
@pytest.mark.parametrize("type_", TYPES)
def test_every_loss_plans_or_is_refused_with_losses_that_fit(type_: str, shape: str, planned: Planner) -> None:
    found = {
        loss: outcome(lambda loss=loss: planned(f"model={type_}", f"loss={loss}", shape=shape))
        for loss in one_of_each_kind()
    }
    for loss, (plan, problems) in found.items():
        assert plan is None or plan.data.shape in shapes_of(loss, type_)
        for problem in problems:
            assert problem.mend
            for offer in re.findall(r"loss=(\w+)", problem.mend):
                assert not said_of_loss(found[offer][1] if offer in found else ())


def one_of_each_kind() -> list[str]:
    """Losses that differ in more than the class that they name."""
    kinds: dict[str, str] = {}
    for name in choices()["loss"]:
        loss = Loss.model_validate(load("loss", name))
        types = {
            type_: [entry.model_dump(exclude={"cls", "arguments"}) for entry in some]
            for type_, some in loss.types.items()
        }
        kinds.setdefault(repr((loss.shapes, loss.sampler, types)), name)
    return list(kinds.values())


def said_of_loss(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.where.startswith("loss=")]


def outcome(planning: Callable[[], Plan]) -> tuple[Plan | None, Sequence[Problem]]:
    try:
        return planning(), ()
    except Refused as error:
        return None, error.problems


def shapes_of(loss: str, type_: str) -> list[str]:
    found = Loss.model_validate(load("loss", loss))
    entries = found.types[type_]  # type: ignore[index]
    return [shape for entry in entries for shape in entry.shapes or found.shapes]


@pytest.mark.parametrize("type_", TYPES)
def test_the_default_sentence_of_every_model_type_plans(type_: str, plan_of: Planner, encoder: Path) -> None:
    own = [] if type_ == "sentence_transformer" else [f"base_model={encoder}"]
    plan = plan_of(f"model={type_}", *own)
    assert plan.blueprint.type == type_
    assert plan.data.mapped["train"].columns == {"anchor": "query", "positive": "document"}
    assert plan.data.mapped["train"].ignored == ("symbol",)
    assert plan.training.steps > 1


@pytest.mark.parametrize(
    ("words", "shape", "conversions"),
    [
        (["loss=contrastive"], "pair", []),
        (["loss=contrastive", "negatives=mined"], "pair", ["mine:n_tuple"]),
        (["loss=contrastive", "negatives=mined"], "labeled_pair", ["keep_positives:pair", "mine:n_tuple"]),
        (["loss=contrastive", "negatives=in_batch"], "triplet", ["drop_negatives:pair"]),
        (["loss=contrastive"], "n_tuple", []),
        (["loss=triplet"], "pair", ["mine:triplet"]),
        (["loss=pointwise"], "ranked_list", ["unfold:labeled_pair"]),
        (["loss=regression"], "scored_pair", []),
    ],
)
def test_data_is_brought_to_the_loss(words: list[str], shape: str, conversions: list[str], planned: Planner) -> None:
    plan = planned(*words, shape=shape)
    assert steps(plan) == conversions
    mines = any(name.startswith("mine") for name in conversions)
    assert (plan.data.mining is not None, plan.data.miner is not None) == (mines, mines)


@pytest.mark.parametrize(
    ("type_", "shape", "evaluator"),
    [
        ("sentence_transformer", "pair", "InformationRetrievalEvaluator"),
        ("sentence_transformer", "scored_n_tuple", "InformationRetrievalEvaluator"),
        ("cross_encoder", "scored_n_tuple", "CrossEncoderRerankingEvaluator"),
        ("sentence_transformer", "scored_pair", "EmbeddingSimilarityEvaluator"),
        ("sentence_transformer", "labeled_pair", "BinaryClassificationEvaluator"),
        ("cross_encoder", "pair", "CrossEncoderRerankingEvaluator"),
        ("cross_encoder", "class_pair", "CrossEncoderClassificationEvaluator"),
        ("cross_encoder", "scored_pair", "CrossEncoderCorrelationEvaluator"),
        ("sparse_encoder", "triplet", "SparseInformationRetrievalEvaluator"),
        ("multi_vector_encoder", "ranked_list", "MultiVectorInformationRetrievalEvaluator"),
    ],
)
def test_the_evaluator_follows_model_type_and_held_out_rows(
    type_: str, shape: str, evaluator: str, planned: Planner
) -> None:
    loss = {"scored_pair": "regression", "class_pair": "classification", "labeled_pair": "pointwise"}.get(
        shape, "contrastive"
    )
    assert planned(f"model={type_}", f"loss={loss}", shape=shape).evaluator.cls == evaluator


def test_rerankers_take_their_candidates_from_the_miner(planned: Planner) -> None:
    plan = planned("model=cross_encoder", "loss=contrastive", "evaluator.depth=7")
    assert plan.evaluator.retriever is not None
    assert (plan.data.mining, plan.data.miner, plan.evaluator.depth) == (None, None, 7)
    assert planned("model=cross_encoder", "loss=listwise", shape="ranked_list").evaluator.retriever is None


def test_an_evaluator_that_cannot_judge_the_data_is_refused(planned: Planner) -> None:
    (problem,) = refusal(planned, "evaluator=similarity").problems
    assert "scored_pair rows, not sentence_transformer with pair rows" in problem.what
    assert planned("evaluator=auto").evaluator.name == "retrieval"


def test_classes_give_a_cross_encoder_its_labels(planned: Planner) -> None:
    plan = planned("model=cross_encoder", "loss=classification", shape="class_pair")
    assert (plan.blueprint.num_labels, plan.blueprint.activation) == (3, "identity")
    assert plan.data.mapped["train"].classes == ("contradiction", "entailment", "neutral")


def test_only_binary_cross_entropy_gets_a_sigmoid(planned: Planner) -> None:
    activations = {
        loss: planned("model=cross_encoder", f"loss={loss}").blueprint.activation
        for loss in ("pointwise", "listwise", "pairwise", "contrastive")
    }
    assert activations == {
        "pointwise": "sigmoid",
        "listwise": "identity",
        "pairwise": "identity",
        "contrastive": "identity",
    }


def test_splade_gets_its_regularisers_and_an_auto_encoder_none(planned: Planner) -> None:
    splade = planned("model=sparse_encoder", "loss.regularizers.query=0.1")
    assert (splade.loss.wrapper, splade.loss.regularizers) == ("SpladeLoss", (0.1, 3e-5))
    csr = planned("model=sparse_encoder", "model.architecture=csr")
    assert (csr.loss.wrapper, csr.loss.regularizers) == ("CSRLoss", None)
    assert csr.loss.cls == splade.loss.cls == "SparseMultipleNegativesRankingLoss"
    cached = planned("model=sparse_encoder", "loss=CachedMultipleNegativesRankingLoss")
    assert (cached.loss.wrapper, cached.loss.regularizers) == ("CachedSpladeLoss", (5e-5, 3e-5))


def test_in_batch_negatives_want_no_duplicates(planned: Planner) -> None:
    assert planned().training.sampler == "no_duplicates"
    assert planned("loss=triplet", shape="triplet").training.sampler == "batch_sampler"


def test_arguments_of_the_loss_come_over_those_of_its_file(planned: Planner) -> None:
    words = ["model=multi_vector_encoder", "loss.arguments.other=2"]
    assert dict(planned(*words).loss.arguments) == {"scale": 1.0, "other": 2}
    assert dict(planned(*words, "loss.arguments.scale=5").loss.arguments) == {"scale": 5, "other": 2}


def test_finished_folders_pool_as_they_say_and_plain_ones_by_architecture(
    planned: Planner, encoder: Path, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    assert planned().blueprint.pooling == "mean"
    assert planned("base_model.pooling=cls").blueprint.pooling == "cls"
    decoder = write_model(
        tmp_path / "decoder", {"model_type": "llama", "hidden_size": 8}, {"model.embed.weight": (10, 8)}
    )
    assert planned(f"base_model={decoder}", base=False).blueprint.pooling == "lasttoken"


@pytest.mark.parametrize(
    ("words", "shape", "number"),
    [
        (["training.batch_size=8", "training.epochs=2"], "pair", 8),
        (["training.batch_size=8", "training.epochs=2", "training.gradient_accumulation=2"], "pair", 4),
        (["training.batch_size=8", "training.epochs=2", "training.max_steps=3"], "pair", 3),
        (["training.batch_size=8", "training.epochs=2", "training.max_steps=30"], "pair", 8),
        (["training.batch_size=8", "training.epochs=1", "dataset.limit=16"], "pair", 2),
        (["training.batch_size=8", "training.epochs=1", "training.rows=8"], "pair", 1),
        (
            ["training.batch_size=8", "training.epochs=1", "dataset.validation_size=16", "dataset.test_size=16"],
            "pair",
            1,
        ),
        (["training.batch_size=8", "training.epochs=1", "loss=triplet"], "pair", 4),
        (["training.batch_size=8", "training.epochs=1", "loss=triplet", "negatives.num=2"], "pair", 8),
        (["training.batch_size=8", "training.epochs=1", "loss=pointwise"], "pair", 16),
    ],
)
def test_steps_are_foretold_from_the_rows(words: list[str], shape: str, number: int, planned: Planner) -> None:
    assert planned(*words, shape=shape).training.steps == number


def test_held_out_files_are_mapped_as_the_training_file(
    planned: Planner, data: Mapping[str, Path], tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    small = write_csv(tmp_path / "small.csv", ["answer", "score", "question"], [["a", "0.5", "q"], ["b", "0.75", "r"]])
    plan = planned("loss=regression", f"dataset.test={small}", shape="scored_pair")
    assert plan.data.mapped["test"].columns == {"anchor": "question", "positive": "answer", "score": "score"}
    assert plan.data.mapped["test"].score_range == plan.data.mapped["train"].score_range == (0, 39 / 8)


def test_classes_of_the_training_file_hold_for_the_others(
    planned: Planner, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    some = write_csv(tmp_path / "some.csv", ["question", "answer", "label"], [["q", "a", "neutral"]])
    words = ["model=cross_encoder", "loss=classification", f"dataset.test={some}"]
    assert len(planned(*words, shape="class_pair").data.mapped["test"].classes) == 3


def test_held_out_rows_may_have_another_shape_that_is_judged_in_the_same_way(
    planned: Planner, data: Mapping[str, Path]
) -> None:
    plan = planned("loss=triplet", f"dataset.test={data['pair']}", shape="triplet")
    assert plan.evaluator.name == "retrieval"


def test_selection_and_test_rows_of_two_kinds_are_refused(planned: Planner, data: Mapping[str, Path]) -> None:
    words = [f"dataset.test={data['pair']}", f"dataset.validation={data['scored_pair']}"]
    (problem,) = refusal(planned, *words).problems
    assert problem.mend == "validation and test rows of one shape"
    assert planned(*words[:1])


def test_a_validation_file_alone_is_what_both_are_judged_by(planned: Planner, data: Mapping[str, Path]) -> None:
    plan = planned("loss=contrastive", f"dataset.validation={data['scored_pair']}")
    assert plan.evaluator.name == "similarity"


def test_everything_that_is_wrong_is_said_at_once(planned: Planner) -> None:
    found = refusal(
        planned, "loss=listwise", "precision=fp16", "hardware=cpu", "evaluator=classes", "training.eval_steps=2.5"
    )
    assert len(found.problems) == 4


@pytest.mark.parametrize("miner", ["wordlama", "minlm"])
def test_a_miner_that_there_is_not_is_refused(miner: str, planned: Planner) -> None:
    (problem,) = refusal(planned, "loss=triplet", f"negatives.miner={miner}").problems
    assert problem.mend.startswith("did you mean negatives.miner=")


def test_a_miner_may_be_a_folder(encoder: Path, planned: Planner) -> None:
    plan = planned("loss=triplet", f"negatives.miner={encoder}")
    assert plan.data.miner is not None
    assert plan.data.miner.location == str(encoder)
    assert named_base("wordllama", "negatives.miner").wordllama


def test_an_evaluator_of_ones_own_is_found(workplace: Path, planned: Planner) -> None:
    folder = workplace / "conf" / "evaluator"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("defaults: [retrieval, _self_]\nsummary: mine\nbatch_size: 3\n", encoding="utf-8")
    plan = planned("evaluator=mine")
    assert (plan.evaluator.name, plan.evaluator.batch_size) == ("mine", 3)
    assert planned("evaluator=auto", "evaluator.batch_size=5").evaluator.batch_size == 5


SQL = ("dataset=sql", "dataset.connection=sqlite:///{few}", "dataset.query=SELECT question, answer FROM pairs")
OWN = [
    f"evaluator.{part}={{smaller}}/{name}"
    for part, name in (("corpus", "corpus.jsonl"), ("queries", "queries.jsonl"), ("qrels", "qrels/test.tsv"))
]
"""A collection of the user's own."""
MIXTURE = ("dataset=mixture", "dataset.parts.a.train={pair}", "dataset.parts.b.train={n_tuple}")
CHANGES: dict[str, tuple[Any, ...]] = {
    # option: (value, what else has to be said for it to count …)
    "model.type": ("cross_encoder",),
    "model.architecture": ("csr", "model=sparse_encoder"),
    "model.embedding_dim": (64, "model=multi_vector_encoder"),
    "base_model.package": ("wordllama", "base_model=minilm"),
    "base_model.hub": ("owner/other", "base_model=bert"),
    "base_model.path": ("{encoder}", "base_model=path", "base_model.path={other}"),
    "base_model.revision": ("main",),
    "base_model.run": ("of_before", "base_model=path", "base_model.path={other}"),
    "base_model.static": ("random", "base_model=static_distilled", "base_model.from={encoder}"),
    "base_model.from": ("{other}", "base_model=static_random", "base_model.from={encoder}"),
    "base_model.dims": (16, "base_model=static_random", "base_model.from={encoder}"),
    "base_model.max_seq_length": (32,),
    "base_model.pooling": ("cls",),
    "base_model.normalize": (True,),
    "base_model.projection": (16,),
    "base_model.layers": ([1],),
    "prompts.query": ("query: ",),
    "prompts.document": ("passage: ",),
    "prompts.text": ("text: ",),
    "prompts.include": (False, "prompts=e5"),
    "adapter.kind": ("lora",),
    "adapter.rank": (2, "adapter=lora"),
    "adapter.alpha": (2, "adapter=lora"),
    "adapter.dropout": (0.5, "adapter=lora"),
    "adapter.targets": (["dense"], "adapter=lora"),
    "adapter.dora": (True, "adapter=lora"),
    "adapter.rslora": (True, "adapter=lora"),
    "adapter.bits": (None, "adapter=qlora"),
    "dataset.source": ("python_docs",),
    "dataset.train": (["{triplet}"],),
    "dataset.validation": (["{pair}"],),
    "dataset.test": (["{pair}"],),
    "dataset.path": ("{bigger}", "dataset=beir", "dataset.path={smaller}"),
    "dataset.num_negatives": (1, "dataset=files", "dataset.train={lists}"),
    "dataset.connection": ("sqlite:///{more}", *SQL),
    "dataset.query": ("SELECT question, answer FROM pairs LIMIT 9", *SQL),
    "dataset.validation_query": ("SELECT question, answer FROM pairs LIMIT 9", *SQL),
    "dataset.test_query": ("SELECT question, answer FROM pairs LIMIT 9", *SQL),
    "dataset.parts": ({"a": {"train": ["{triplet}"]}, "b": {"train": ["{pair}"]}}, *MIXTURE),
    "dataset.sampling": ("round_robin", *MIXTURE),
    "dataset.decides": ("b", *MIXTURE),
    "dataset.titles": (False, "dataset=beir", "dataset.path={smaller}"),
    "dataset.classes": (
        ["neutral", "entailment", "contradiction"],
        "model=cross_encoder",
        "loss=classification",
        "class_pair",
    ),
    "dataset.limit": (10,),
    "dataset.leaks": ("drop",),
    "dataset.duplicates": ("drop",),
    "dataset.contradictions": ("drop", "loss=regression", "scored_pair"),
    "dataset.validation_size": (3,),
    "dataset.test_size": (3,),
    "loss.shapes": (["triplet"],),
    "loss.sampler": ("batch_sampler",),
    "loss.taught": (True, "model=cross_encoder", "loss=MSELoss"),
    "loss.guide": ("{other}", "loss=GISTEmbedLoss", "loss.guide={encoder}"),
    "modifier.class": ("MatryoshkaLoss",),
    "modifier.dims": ([8], "modifier=matryoshka"),
    "modifier.weights": ([1, 2, 3, 4], "modifier=matryoshka"),
    "modifier.arguments": ({"n_dims_per_step": 2}, "modifier=matryoshka"),
    "modifier.beside": (True, "modifier=adaptive_layer"),
    "modifier.layers": (False, "modifier=adaptive_layer"),
    "teacher.kind": ("cross_encoder", "loss=distillation", "teacher=bi_encoder", "teacher.model={encoder}"),
    "teacher.model": ("{other}", "loss=distillation", "teacher=bi_encoder", "teacher.model={encoder}"),
    "teacher.batch_size": (3, "loss=distillation", "teacher=bi_encoder", "teacher.model={encoder}"),
    "teacher.max_seq_length": (32, "loss=distillation", "teacher=bi_encoder", "teacher.model={encoder}"),
    "teacher.projection": ("none", "loss=distillation", "teacher=bi_encoder", "teacher.model={wide}"),
    "loss.types": ({"sentence_transformer": {"class": "TripletLoss"}},),
    "loss.arguments": ({"scale": 30},),
    "loss.regularizers.query": (0.5, "model=sparse_encoder"),
    "loss.regularizers.document": (0.5, "model=sparse_encoder"),
    "evaluator.kind": ("reranking", "evaluator=retrieval"),
    "evaluator.choose": ({"sentence_transformer": {"pair": "similarity"}},),
    "evaluator.shapes": (["triplet"], "evaluator=retrieval"),
    "evaluator.metric": ("mrr@10",),
    "evaluator.lower_is_better": (["ndcg@10"], "evaluator=retrieval"),
    "evaluator.metrics": ({"ndcg@k": "accuracy"}, "evaluator=retrieval"),
    "evaluator.classes": ({"sentence_transformer": "Other"}, "evaluator=retrieval"),
    "evaluator.also": (["triplet"], "triplet"),
    "evaluator.lacks": ({"sentence_transformer": ["ndcg@k"]}, "evaluator=retrieval"),
    "evaluator.hub": ("owner/other", "evaluator=nano_beir"),
    "evaluator.datasets": (["nq"], "evaluator=nano_beir"),
    "evaluator.depth": (5,),
    "evaluator.batch_size": (5,),
    "evaluator.corpus": ("{bigger}/corpus.jsonl", *OWN),
    "evaluator.queries": ("{bigger}/queries.jsonl", *OWN),
    "evaluator.qrels": ("{bigger}/qrels/test.tsv", *OWN),
    "evaluator.selection_qrels": ("{bigger}/qrels/test.tsv", *OWN),
    "evaluator.titles": (False, *OWN),
    "evaluator.first_stage": ("bm25", "model=cross_encoder", "loss=contrastive"),
    "evaluator.add_missed": (True, "model=cross_encoder", "loss=contrastive"),
    "evaluator.bm25": (False,),
    "evaluator.language": ("de",),
    "evaluator.fusion": ("off",),
    "evaluator.cost": (False,),
    "evaluator.selection_documents": (4, "dataset=beir", "dataset.path={smaller}"),
    "training.evaluation_documents": (4, "dataset=beir", "dataset.path={smaller}"),
    "negatives.when": ("always",),
    "negatives.num": (2, "loss=triplet"),
    "negatives.miner": ("{encoder}", "loss=triplet"),
    "negatives.rescore": ("{reranker}", "loss=triplet"),
    "negatives.corpus": (["{text}"], "loss=triplet"),
    "negatives.fill": ("none", "loss=triplet"),
    "negatives.near_positives": ("drop", "loss=triplet"),
    "negatives.max_seq_length": (32, "loss=triplet"),
    "negatives.range_min": (1, "loss=triplet"),
    "negatives.range_max": (20, "loss=triplet"),
    "negatives.sampling": ("random", "loss=triplet"),
    "negatives.relative_margin": (0.2, "loss=triplet"),
    "negatives.absolute_margin": (0.2, "loss=triplet"),
    "negatives.max_score": (0.5, "loss=triplet"),
    "negatives.min_score": (0.1, "loss=triplet"),
    "precision.mode": ("fp32" if processor().bf16 else "bf16",),
    "hardware.device": ("mps",),
    "hardware.threads": ("3",),
    "training.scheduler": ("cosine",),
    "training.gradient_checkpointing": (True,),
    "training.max_seq_length": (32,),
    "training.profile": (True,),
    "training.by_length": (False, "loss=triplet", "negatives=mined"),
    "training.eval_steps": (0.5,),
    "training.extra": ({"adam_beta2": 0.9},),
    "training.rows": (5,),
    "seed": (7,),
}
COLLECTIONS = {"smaller": 8, "bigger": 10}
"""Judged queries of two collections."""
DATABASES = {"few": 20, "more": 30}
"""Rows of two databases."""
NUMBERS = {
    "training.learning_rate", "training.batch_size", "training.epochs", "training.epochs_factor", "training.max_steps",
    "training.warmup", "training.weight_decay", "training.gradient_accumulation", "training.patience",
    "training.evaluation_rows",
}  # fmt: skip
"""Options for which any other number counts."""
FILES = {"dataset.roles", "dataset.subset", "dataset.revision", "dataset.streaming", "model.demo"}
"""Parts that have tests of their own: tests/data, and the default sentence of every model type."""


def test_every_option_is_known_to_this_file() -> None:
    named = {name for name in option_names() if not name.startswith(tuple(FILES))}
    assert named == set(CHANGES) | NUMBERS | ELSEWHERE


@pytest.mark.parametrize("option", [*CHANGES, *sorted(NUMBERS)])
def test_changing_an_option_changes_the_plan_or_is_refused(
    option: str, say: Callable[..., Any], plan_of: Planner, encoder: Path, data: Mapping[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    write_model: Callable[..., Path],
) -> None:  # fmt: skip
    if option in ("evaluator.hub", "evaluator.datasets"):
        monkeypatch.setattr("stbench.hub.reachable", lambda: True)
    places = {"encoder": str(encoder), **{shape: str(file) for shape, file in data.items()}}
    places["other"] = str(_copy(encoder, tmp_path / "other"))
    places |= {name: str(write_collection(tmp_path / name, test=range(rows))) for name, rows in COLLECTIONS.items()}
    wide = {"model_type": "bert", "hidden_size": 9999, "architectures": ["BertModel"]}
    places["wide"] = str(write_model(tmp_path / "wide", wide, {"embeddings.word_embeddings.weight": (9, 9999)}))
    places |= {name: str(write_database(tmp_path / f"{name}.db", rows)) for name, rows in DATABASES.items()}
    places["lists"] = str(_write_lists(tmp_path / "lists.jsonl"))
    scoring = {"embeddings.word_embeddings.weight": (9, 8), "classifier.weight": (1, 8)}
    places["reranker"] = str(write_model(tmp_path / "reranker", {**wide, "hidden_size": 8}, scoring))
    value, *words = CHANGES.get(option, (3,))
    shape = words.pop() if words and words[-1] in COLUMNS else "pair"
    base = [] if any(word.startswith("base_model=") for word in words) else [f"base_model={encoder}"]
    rows = (
        [] if any(word.startswith("dataset=") for word in words) else ["dataset=files", f"dataset.train={data[shape]}"]
    )
    said = say(*rows, *base, *(word.format(**places) for word in words))
    new = from_tree(_with(said.sentence.model_dump(by_alias=True), option, _filled(value, places)))
    other = type(said)(new, said.chosen)
    assert _numbers(plan_of, other) != _numbers(plan_of, said)


def _numbers(plan_of: Planner, said: Any) -> object:
    """The plan without its words, or the problems."""
    plan, problems = outcome(lambda: plan_of(said=said))
    return plan and replace(plan, decisions=()), problems


def _with(tree: dict[str, Any], option: str, value: Any) -> dict[str, Any]:
    group, _, name = option.rpartition(".")
    new = OmegaConf.create(tree)
    parent = OmegaConf.select(new, group) if group else new
    parent[name] = value
    plain = OmegaConf.to_container(new)
    assert isinstance(plain, dict)
    return {str(key): item for key, item in plain.items()}


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_filled(item, places) for item in value]
    if isinstance(value, dict) and "a" in value:
        return {name: {"source": "files", "train": _filled(part["train"], places)} for name, part in value.items()}
    return value.format(**places) if isinstance(value, str) else value


def _write_lists(file: Path) -> Path:
    rows = [{"query": f"q{i}", "pos": [f"p{i}"], "neg": [f"n{i}", f"m{i}"]} for i in range(9)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def _copy(folder: Path, target: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, target))
