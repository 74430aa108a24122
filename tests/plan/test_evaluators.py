"""Who judges: by model type and shape, by name, by metric, alone or beside others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from stbench.config.discovery import choices, load
from stbench.config.sentence import Shape
from stbench.data.roles import Mapped
from stbench.data.shapes import COLUMNS, CONVERSIONS
from stbench.errors import Problem, Refused
from stbench.plan.evaluators import choose_evaluator
from stbench.plan.plan import EvaluatorPlan, Plan

Planner = Callable[..., Plan]
TYPES = list(choices()["model"])
MADE = ("damaged_text", "twin_text", "tension_pair")
"""Shapes that only conversions make, and that no data set has."""
NLI = ("contradiction", "entailment", "neutral")


@pytest.fixture
def planned(say: Callable[..., Any], plan_of: Planner, encoder: Path, data: Mapping[str, Path]) -> Planner:
    """The plan of a sentence about the file of a shape, with a small encoder as its base."""

    def made(*words: str, shape: str = "pair") -> Plan:
        said = say("dataset=files", "dataset.train=said-below.csv", f"base_model={encoder}", *words)
        dataset = said.sentence.dataset.model_copy(update={"train": [str(data[shape])]})
        return plan_of(said=type(said)(said.sentence.model_copy(update={"dataset": dataset}), said.chosen))

    return made


def refusal(planned: Planner, *words: str, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        planned(*words, **more)
    assert all(problem.mend for problem in caught.value.problems)
    return caught.value


@pytest.fixture
def judged(say: Callable[..., Any]) -> Callable[..., tuple[EvaluatorPlan | None, Sequence[Problem]]]:
    """What is chosen for rows of a shape, whatever else the sentence says."""

    def chosen(type_: str, shape: Shape, *words: str, trained: Sequence[Any] = ()) -> Any:
        said = say(f"model={type_}", *words)
        rows = Mapped(shape, {}, frozenset(), classes=NLI if shape == "class_pair" else ())
        return choose_evaluator(said.sentence, {"train": rows}, said.chosen["evaluator"], trained)

    return chosen


@pytest.mark.parametrize("shape", [shape for shape in COLUMNS if shape not in MADE])
@pytest.mark.parametrize("type_", TYPES)
def test_auto_finds_an_evaluator_or_says_which_rows_have_one(
    type_: str, shape: Shape, judged: Callable[..., Any]
) -> None:
    found, problems = judged(type_, shape)
    table = load("evaluator", "auto")["choose"][type_]
    if found is not None:
        assert found.name in table[shape]
        assert found.cls == load("evaluator", found.name)["classes"][type_]
        return
    assert shape not in table
    (problem,) = problems
    assert all(known in table for known in problem.mend.partition("of shape ")[2].split(", "))
    alone = {
        "cross_encoder": {"text", "embedded_text"},
        "multi_vector_encoder": {"embedded_text", "scored_pair"},
    }
    assert shape in alone[type_]


def test_the_table_names_evaluators_that_read_the_shape(judged: Callable[..., Any]) -> None:
    for type_, table in load("evaluator", "auto")["choose"].items():
        for shape, names in table.items():
            for name in [names] if isinstance(names, str) else names[1:]:
                found, _ = judged(type_, shape, f"evaluator={name}")
                assert found is not None, (type_, shape, name)


@pytest.mark.parametrize("shape", [shape for shape in COLUMNS if shape not in MADE])
@pytest.mark.parametrize("type_", TYPES)
def test_every_evaluator_reads_a_shape_or_names_those_it_reads(
    type_: str, shape: Shape, judged: Callable[..., Any]
) -> None:
    for name in choices()["evaluator"]:
        if name in ("auto", "nano_beir"):
            continue
        found, problems = judged(type_, shape, f"evaluator={name}")
        assert (found is None) == bool(problems)
        for problem in problems:
            assert " or ".join(load("evaluator", name)["shapes"]) in problem.what
            assert not any(step.needs for steps in (found.steps.values() if found else ()) for step in steps)


def test_a_bare_text_is_judged_by_its_teacher(judged: Callable[..., Any]) -> None:
    found, _ = judged("sentence_transformer", "text", "teacher=bi_encoder", "teacher.model=minilm")
    assert (found.name, [step.name for step in found.steps["test"]]) == ("mse", ["embed"])
    assert found.asks_teacher


@pytest.mark.parametrize("type_", ["sentence_transformer", "sparse_encoder", "multi_vector_encoder"])
def test_a_bare_text_without_a_teacher_is_searched_by_its_damaged_copy(type_: str, judged: Callable[..., Any]) -> None:
    found, _ = judged(type_, "text")
    assert (found.name, [step.name for step in found.steps["test"]]) == ("retrieval", ["damage"])
    assert "words deleted" in found.says


def test_a_teacher_is_asked_only_to_be_compared_with(judged: Callable[..., Any]) -> None:
    words = ("teacher=cross_encoder", "teacher.model=minilm")
    found, _ = judged("multi_vector_encoder", "n_tuple", "evaluator=distillation", *words)
    assert [step.name for step in found.steps["test"]] == ["score"]
    assert judged("sentence_transformer", "pair", "evaluator=similarity", *words)[0] is None


def test_class_pairs_that_are_trained_as_triplets_are_judged_as_triplets(judged: Callable[..., Any]) -> None:
    infer = next(step for step in CONVERSIONS if step.name == "infer")
    found, _ = judged("sentence_transformer", "class_pair", trained=[infer])
    assert (found.name, [step.name for step in found.steps["test"]]) == ("retrieval", ["infer"])
    assert found.classes == NLI
    found, _ = judged("sentence_transformer", "class_pair")
    assert found.name == "label_accuracy"
    assert "the head of the loss is no part of the model" in found.says


def test_the_plan_says_how_labelled_texts_are_judged(planned: Planner) -> None:
    plan = planned("loss=BatchAllTripletLoss", shape="labeled_text")
    (why,) = [line.why for line in plan.decisions if line.what == "evaluator"]
    assert why.startswith("evaluator=retrieval, by model type and labeled_text rows: each text searches all others")


def test_a_first_stage_is_found_for_the_rows_that_are_judged(planned: Planner, data: Mapping[str, Path]) -> None:
    words = ("model=cross_encoder", "loss=listwise")
    assert planned(*words, shape="ranked_list").evaluator.retriever is None
    judged = planned(*words, f"dataset.test={data['pair']}", shape="ranked_list").evaluator
    assert (judged.first_stage, judged.retriever is not None) == (True, True)
    (also,) = planned("evaluator.also=reranking").evaluator.also
    assert also.retriever is not None


@pytest.mark.parametrize(
    ("name", "shape", "conversions"),
    [
        ("binary", "triplet", ["unfold:labeled_pair"]),
        ("binary", "ranked_list", ["unfold:labeled_pair"]),
        ("triplet", "n_tuple", ["first_negative:triplet"]),
        ("translation", "triplet", ["drop_negatives:pair"]),
        ("retrieval", "labeled_pair", []),
        ("retrieval", "margin_triplet", ["drop_scores:triplet"]),
        ("reranking", "labeled_pair", []),
    ],
)
def test_held_out_rows_are_brought_to_the_evaluator(
    name: str, shape: str, conversions: list[str], planned: Planner
) -> None:
    loss = "pointwise" if shape == "labeled_pair" else "contrastive"
    evaluator = planned(f"loss={loss}", f"evaluator={name}", shape=shape).evaluator
    found = {split: [f"{step.name}:{step.target}" for step in steps] for split, steps in evaluator.steps.items()}
    assert found == ({"test": conversions, "validation": conversions} if conversions else {})


def test_others_are_reported_on_the_test_split_and_read_its_rows_too(planned: Planner) -> None:
    words = ["evaluator=retrieval", "evaluator.also=[TripletEvaluator,binary,retrieval]", "evaluator.batch_size=3"]
    plan = planned(*words, shape="n_tuple")
    assert [(one.name, one.metric, one.batch_size) for one in plan.evaluator.also] == [
        ("triplet", "accuracy", 3), ("binary", "ap", 3),
    ]  # fmt: skip
    assert [list(one.steps) for one in plan.evaluator.also] == [["test"], ["test"]]
    assert plan.evaluator.name == "retrieval"
    shown = [(line.what, line.value) for line in plan.decisions]
    assert ("also reported", "TripletEvaluator: accuracy") in shown
    assert ("metric", "ndcg@10") in shown


def test_others_that_there_are_not_or_that_cannot_read_the_rows_are_refused_together(planned: Planner) -> None:
    found = refusal(planned, "evaluator.also=[tripelt,similarity,auto]").problems
    assert [problem.where for problem in found] == [
        "evaluator.also=tripelt", "evaluator.also=auto", "evaluator.also=similarity",
    ]  # fmt: skip
    assert found[0].mend == "did you mean evaluator.also=[triplet]?"
    assert "scored_pair rows, not sentence_transformer with pair rows" in found[2].what


def test_nothing_is_mined_for_an_evaluator(planned: Planner) -> None:
    (problem,) = refusal(planned, "evaluator=triplet").problems
    assert "triplet rows, not sentence_transformer with pair rows" in problem.what


@pytest.mark.parametrize(
    ("words", "metric", "statistic", "arguments"),
    [
        ([], "ndcg@10", "mean", {}),
        (["evaluator.metric=mrr@10"], "mrr@10", "mean", {}),
        (["evaluator.metric=recall@20"], "recall@20", "mean", {"precision_recall_at_k": [1, 3, 5, 10, 20]}),
        (["evaluator=reranking", "evaluator.metric=ndcg@3"], "ndcg@3", "mean", {"at_k": 3}),
        (["evaluator=binary", "evaluator.metric=f1"], "f1", "best_f1", {}),
    ],
)
def test_the_metric_that_decides_can_be_said(
    words: list[str], metric: str, statistic: str, arguments: dict[str, Any], planned: Planner
) -> None:
    plan = planned(*words, shape="triplet").evaluator
    assert (plan.metric, plan.statistic, dict(plan.arguments)) == (metric, statistic, arguments)


def test_a_metric_that_there_is_not_is_refused_with_the_closest(planned: Planner) -> None:
    (problem,) = refusal(planned, "evaluator.metric=ndgc@10").problems
    assert problem.mend == "did you mean evaluator.metric=ndcg@10?"
    (problem,) = refusal(planned, "evaluator.metric=ndcg@0").problems
    assert problem.mend == "did you mean evaluator.metric=ndcg@10?"


def test_embeddings_are_not_held_against_those_of_another_size(
    planned: Planner, data: Mapping[str, Path], write_model: Callable[..., Path], tmp_path: Path
) -> None:
    config = {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 32, "vocab_size": 1000,
              "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64}  # fmt: skip
    small = write_model(tmp_path / "small", config, {"embeddings.word_embeddings.weight": (1000, 32)})
    words = ("loss=distillation", "teacher=bi_encoder", f"teacher.model={small}")
    assert planned(*words, shape="text").evaluator.name == "retrieval"
    assert planned(*words, "base_model.projection=32", shape="text").evaluator.name == "mse"
    (problem,) = refusal(planned, *words, "evaluator=mse", shape="text").problems
    assert "32 dimensions, the model's 64" in problem.what
    (problem,) = refusal(planned, "loss=distillation", shape="embedded_text").problems
    assert "base_model.projection=8" in problem.mend
    assert planned("loss=distillation", "base_model.projection=8", shape="embedded_text").evaluator.name == "mse"
