"""What an evaluation decides and refuses before any weight is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stbench.cache import Store
from stbench.errors import Problem, Refused
from stbench.jobs.evaluation_plan import EvaluationPlan, plan_evaluation

Planner = Callable[..., EvaluationPlan]


@pytest.fixture
def planned(say: Callable[..., Any], data: Mapping[str, Path], encoder: Path, workplace: Path) -> Planner:
    def made(*words: str, shape: str = "pair", base: Path = encoder) -> EvaluationPlan:
        own = ["dataset=files", f"dataset.test={data[shape]}"]
        said = say("job=evaluate", f"base_model={base}", *own, *words)
        return plan_evaluation(said.sentence, said.chosen, "run", Store(workplace / "store", "on"))

    return made


def refused(planned: Planner, *words: str, **more: Any) -> list[Problem]:
    with pytest.raises(Refused) as caught:
        planned(*words, **more)
    assert all(problem.mend for problem in caught.value.problems)
    return list(caught.value.problems)


def classifier(write_model: Callable[..., Path], folder: Path, labels: int, **more: Any) -> Path:
    config = {
        "model_type": "bert", "architectures": ["BertForSequenceClassification"], "hidden_size": 64, "vocab_size": 1000,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128, **more,
    }  # fmt: skip
    tensors = {"bert.embeddings.word_embeddings.weight": (1000, 64), "classifier.weight": (labels, 64)}
    return write_model(folder, config, tensors)


@pytest.mark.parametrize(
    "words",
    [
        ["loss=listwise"],
        ["loss=classification"],
        ["loss=GISTEmbedLoss"],
        ["negatives=mined", "loss=ContrastiveLoss"],
        ["teacher=cross_encoder", "loss=contrastive"],
        ["modifier=matryoshka", "modifier.dims=[9999]"],
        ["training.eval_steps=2.5"],
    ],
)
def test_what_only_training_reads_is_not_asked(words: list[str], planned: Planner) -> None:
    plan = planned(*words)
    assert plan.evaluator.name == "retrieval"
    assert not {"loss", "learning rate", "steps", "sampler"} & {line.what for line in plan.decisions}


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["base_model.pooling=max", "model=cross_encoder"], "leave it out"),
        (["training.max_seq_length=999"], "training.max_seq_length=128"),
        (["base_model.revision=main"], "leave it out"),
        (["base_model.layers=[7]"], "leave it out"),
        (["precision=fp16", "hardware=cpu"], "precision=auto"),
        (["evaluator=similarity"], "evaluator=auto"),
        (["evaluator.metric=ndgc@10"], "evaluator.metric=ndcg@10"),
        (["verdict.fail_on=regression"], "job.against"),
    ],
)
def test_what_concerns_the_model_and_its_judge_is(words: list[str], mend: str, planned: Planner) -> None:
    (problem,) = refused(planned, *words)
    assert mend in problem.mend


@pytest.mark.parametrize("saved", ["CrossEncoder", "SparseEncoder", "MultiVectorEncoder"])
def test_a_model_is_judged_as_what_it_was_saved_as(
    saved: str, planned: Planner, encoder: Path, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    config = json.loads((encoder / "config.json").read_text())
    files = {
        "modules": [{"type": "sentence_transformers.models.Transformer", "path": ""}],
        "config_sentence_transformers": {"model_type": saved},
    }
    folder = write_model(tmp_path / "saved", config, {"embeddings.word_embeddings.weight": (1000, 64)}, **files)
    (problem,) = refused(planned, base=folder)
    assert "was saved as a" in problem.what
    assert planned(problem.mend, base=folder).blueprint.type == problem.mend.removeprefix("model=")


def test_a_head_with_names_tells_the_order_of_the_classes(
    planned: Planner, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    names = {"0": "ENTAILMENT", "1": "neutral", "2": "contradiction"}
    folder = classifier(write_model, tmp_path / "nli", 3, id2label=names)
    plan = planned("model=cross_encoder", shape="class_pair", base=folder)
    assert plan.data.mapped["test"].classes == ("entailment", "neutral", "contradiction")
    assert plan.blueprint.num_labels == 3
    said = planned(
        "model=cross_encoder", "dataset.classes=[neutral,entailment,contradiction]", shape="class_pair", base=folder
    )
    assert said.data.mapped["test"].classes == ("neutral", "entailment", "contradiction")


def test_a_head_of_another_size_is_refused(planned: Planner, tmp_path: Path, write_model: Callable[..., Path]) -> None:
    folder = classifier(write_model, tmp_path / "five", 5)
    (problem,) = refused(planned, "model=cross_encoder", shape="class_pair", base=folder)
    assert "tells 5 classes apart, the rows have 3" in problem.what


def test_the_activation_is_that_of_the_saved_model(
    planned: Planner, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    plain = classifier(write_model, tmp_path / "plain", 1)
    words = ["model=cross_encoder"]
    assert planned(*words, shape="ranked_list", base=plain).blueprint.activation == "identity"
    (plain / "config_sentence_transformers.json").write_text('{"activation_fn": "torch.nn.modules.activation.Sigmoid"}')
    assert planned(*words, shape="ranked_list", base=plain).blueprint.activation == "sigmoid"


def test_a_reranker_gets_its_candidates_from_a_first_stage(planned: Planner) -> None:
    plan = planned("model=cross_encoder", "evaluator.first_stage=wordllama", "evaluator.depth=7")
    assert plan.evaluator.retriever is not None
    assert plan.evaluator.depth == 7


@pytest.mark.parametrize(
    ("words", "shape", "mend"),
    [
        (["job.against=minlm"], "pair", "did you mean job.against=minilm?"),
        (["job.against=path"], "pair", "did you mean"),
        (["job.against={reranker}"], "pair", "name a sentence_transformer"),
        (["job.against={reranker}", "evaluator=reranking"], "ranked_list", ""),
    ],
)
def test_the_other_model_must_be_one_that_can_be_compared(
    words: list[str], shape: str, mend: str, planned: Planner, tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    reranker = classifier(write_model, tmp_path / "reranker", 1)
    (reranker / "modules.json").write_text('[{"type": "sentence_transformers.models.Transformer", "path": ""}]')
    (reranker / "config_sentence_transformers.json").write_text('{"model_type": "CrossEncoder"}')
    words = [word.format(reranker=reranker) for word in words]
    if mend:
        assert mend in refused(planned, *words, shape=shape)[0].mend
    else:
        plan = planned(*words, shape=shape)
        assert plan.against is not None
        assert plan.against.blueprint.type == "cross_encoder"


def test_what_was_said_of_one_architecture_is_not_said_of_the_other(planned: Planner, encoder: Path) -> None:
    plan = planned("base_model.projection=16", "base_model.normalize=true", f"job.against={encoder}")
    assert plan.against is not None
    assert (plan.blueprint.projection, plan.against.blueprint.projection) == (16, None)
    assert (plan.blueprint.normalize, plan.against.blueprint.normalize) == (True, None)
