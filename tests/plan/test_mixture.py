from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from stbench.config.check import from_tree
from stbench.config.preflight import option_names
from stbench.config.sentence import Dataset, Part
from stbench.errors import Problem, Refused
from stbench.plan.mixture import batches
from stbench.plan.plan import Plan

Mixing = Callable[..., Plan]


@pytest.fixture
def words_of(encoder: Path, data: Mapping[str, Path]) -> Callable[..., list[str]]:
    """A mixture of files, each named after the shape of its rows or with a name of its own."""

    def made(*words: str, **parts: str) -> list[str]:
        trained = [f"dataset.parts.{name}.train={data[shape]}" for name, shape in parts.items()]
        return ["dataset=mixture", f"base_model={encoder}", *trained, *words]

    return made


@pytest.fixture
def mixed(plan_of: Callable[..., Plan], words_of: Callable[..., list[str]]) -> Mixing:
    return lambda *words, **parts: plan_of(*words_of(*words, **(parts or {"pairs": "pair", "scores": "scored_pair"})))


SCORES = "dataset.parts.scores.loss=CoSENTLoss"


def refused(mixed: Mixing, *words: str, **parts: str) -> list[Problem]:
    with pytest.raises(Refused) as caught:
        mixed(*words, **parts)
    assert all(problem.mend for problem in caught.value.problems)
    return list(caught.value.problems)


def test_each_part_has_data_loss_and_evaluator_of_its_own(mixed: Mixing) -> None:
    plan = mixed(SCORES, "dataset.parts.pairs.limit=7")
    assert [(part.name, part.data.shape, part.loss.cls, part.evaluator.name) for part in plan.parts] == [
        ("pairs", "pair", "MultipleNegativesRankingLoss", "retrieval"),
        ("scores", "scored_pair", "CoSENTLoss", "similarity"),
    ]
    assert [part.data.sizes.limit for part in plan.parts] == [7, None]


def test_the_first_part_decides_unless_another_is_named(mixed: Mixing) -> None:
    plan, other = mixed(SCORES), mixed(SCORES, "dataset.decides=scores")
    assert (plan.part, plan.evaluator.name, plan.loss.cls) == ("pairs", "retrieval", "MultipleNegativesRankingLoss")
    assert (other.part, other.evaluator.name, other.loss.cls) == ("scores", "similarity", "CoSENTLoss")
    assert other.parts == plan.parts
    assert [one.part for one in other.alone] == ["scores", "pairs"]
    assert all(not one.parts for one in other.alone)


def test_a_single_data_set_has_no_parts(plan_of: Callable[..., Plan], encoder: Path, data: Mapping[str, Path]) -> None:
    plan = plan_of("dataset=files", f"dataset.train={data['pair']}", f"base_model={encoder}")
    assert (plan.part, plan.parts, plan.alone) == ("", (), (plan,))


def test_what_is_said_of_the_evaluator_is_about_the_part_that_decides(mixed: Mixing) -> None:
    plan = mixed(SCORES, "evaluator=reranking", "evaluator.metric=ndcg@5", "evaluator.batch_size=3")
    assert [(part.evaluator.name, part.evaluator.metric) for part in plan.parts] == [
        ("reranking", "ndcg@5"), ("similarity", "spearman"),
    ]  # fmt: skip
    assert [part.evaluator.batch_size for part in plan.parts] == [3, 3]


def test_a_part_may_name_its_evaluator(mixed: Mixing) -> None:
    plan = mixed("dataset.parts.b.evaluator=triplet", a="pair", b="triplet")
    assert [part.evaluator.name for part in plan.parts] == ["retrieval", "triplet"]
    plan = mixed("dataset.parts.b.evaluator=triplet", "dataset.decides=b", a="pair", b="triplet")
    assert plan.evaluator.name == "triplet"


def test_each_part_is_brought_to_its_loss(mixed: Mixing) -> None:
    plan = mixed("loss=triplet", "dataset.parts.nli.evaluator=triplet", docs="pair", nli="class_pair", more="triplet")
    assert [[step.name for step in part.data.steps] for part in plan.parts] == [["mine"], ["infer"], []]
    assert [part.data.miner is not None for part in plan.parts] == [True, False, False]


def test_a_teacher_is_asked_where_it_is_needed(mixed: Mixing, encoder: Path) -> None:
    teacher = ("teacher=bi_encoder", f"teacher.model={encoder}")
    plan = mixed("dataset.parts.taught.loss=MSELoss", *teacher, pairs="pair", taught="pair")
    assert [part.data.teacher is not None for part in plan.parts] == [False, True]
    problems = refused(mixed, *teacher, a="pair", b="pair")
    assert [problem.where for problem in problems] == ["teacher=bi_encoder"]


def test_mined_negatives_must_be_used_by_one_part_at_least(mixed: Mixing) -> None:
    assert mixed(SCORES, "negatives=mined")
    (first, *_) = refused(mixed, "negatives=mined", "loss=CoSENTLoss", a="scored_pair", b="scored_pair")
    assert first.where == "negatives=mined"


def test_steps_count_the_batches_of_all_parts(mixed: Mixing) -> None:
    words = (SCORES, "training.batch_size=8", "training.epochs=2", "dataset.parts.scores.limit=8")
    assert mixed(*words).training.steps == 2 * (4 + 1)
    assert mixed(*words, "dataset.sampling=round_robin").training.steps == 2 * (1 + 1)


@pytest.mark.parametrize(("sampling", "number"), [("proportional", 3 + 1 + 2), ("round_robin", 3)])
def test_batches_hold_rows_of_one_part(sampling: Any, number: int) -> None:
    assert batches([20, 1, 9], 8, sampling) == number
    assert batches([20], 8, sampling) == 3


def test_a_trial_takes_a_step_with_each_part(mixed: Mixing) -> None:
    training = mixed(SCORES, "training=smoke").training
    assert (training.max_steps, training.sampling) == (2, "round_robin")


def test_the_model_reads_as_much_as_the_longest_part_needs(
    plan_of: Callable[..., Plan], encoder: Path, data: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    from stbench.data import python_docs

    rows = [{"query": f"what {i}", "document": f"that {i}", "symbol": f"s{i}"} for i in range(400)]
    monkeypatch.setattr(python_docs, "extract", lambda: rows)
    monkeypatch.setenv("STBENCH_CACHE", str(tmp_path / "store"))
    words = ("model=cross_encoder", f"base_model={encoder}")
    assert plan_of(*words, "dataset=python_docs").blueprint.max_seq_length == 96
    two = ("dataset=mixture", "dataset.parts.docs=python_docs")
    assert plan_of(*words, *two, "dataset.parts.more=python_docs").blueprint.max_seq_length == 96
    assert plan_of(*words, *two, f"dataset.parts.own.train={data['pair']}").blueprint.max_seq_length == 128


def test_the_plan_names_each_part(mixed: Mixing) -> None:
    lines = {decision.what: decision for decision in mixed(SCORES, "dataset.parts.pairs.limit=7").decisions}
    assert lines["batches"].value == "proportional: about 1 of pairs, 1 of scores"
    assert {"mixture", "pairs: data", "scores: data", "scores: loss", "pairs: metric"} <= set(lines)
    assert "dataset.parts.pairs.limit" in lines["pairs: splits"].why
    assert lines["scores: metric"].why == "on the test split; never decides"


def test_rules_are_asked_of_each_part_by_name(mixed: Mixing) -> None:
    problems = refused(mixed, "evaluator.depth=3", pairs="pair", scores="scored_pair", dup="pair")
    assert [problem.where for problem in problems] == ["scores: loss=contrastive"]
    (problem,) = refused(mixed, "dataset.parts.scores.loss=triplet")
    assert problem.where == "dataset.parts.scores.loss=triplet"
    assert "dataset.parts.scores.loss=CoSENTLoss" in problem.mend


def test_the_mend_of_a_part_mends_it(mixed: Mixing) -> None:
    (problem,) = refused(mixed)
    offers = problem.mend.split(": ", 1)[1].split(", ")
    assert mixed(offers[0])


def test_options_of_the_own_loss_are_offered_with_its_name(mixed: Mixing, encoder: Path) -> None:
    own = "dataset.parts.b.loss"
    words = (f"{own}.use=GISTEmbedLoss", f"{own}.guide=null")
    (problem,) = refused(mixed, *words, a="pair", b="pair")
    assert (problem.where, problem.mend) == (f"{own}.guide", f"{own}.use=GISTEmbedLoss {own}.guide=minilm")
    assert mixed(f"{own}=GISTEmbedLoss", f"{own}.guide={encoder}", a="pair", b="pair").parts[1].loss.guide


def test_what_is_wrong_with_the_sentence_is_told_once(mixed: Mixing) -> None:
    (problem,) = refused(mixed, SCORES, "training.eval_steps=2.5")
    assert problem.where == "training.eval_steps=2.5"


def test_what_cannot_be_read_is_told_of_every_part(mixed: Mixing, data: Mapping[str, Path]) -> None:
    words = ("dataset.parts.pairs.roles.anchor=qestion", f"dataset.parts.scores.test={data['pair']}x")
    found = refused(mixed, *words)
    assert ["dataset.parts.pairs.roles.anchor" in problem.where for problem in found] == [True, False]
    assert found[0].mend == "did you mean dataset.parts.pairs.roles.anchor=question?"
    assert f"dataset.parts.scores.test={data['pair']}" in found[1].mend
    (problem,) = refused(mixed, "dataset.parts.more={}")
    assert problem.mend.startswith("dataset.parts.more.train=pairs.csv")


@pytest.mark.parametrize(
    ("words", "where", "mend"),
    [
        (["dataset.decides=scoers"], "dataset.decides=scoers", "did you mean dataset.decides=scores?"),
        (["dataset.limit=5"], "dataset.limit", "say it of a part: dataset.parts.pairs.limit=…"),
        (["dataset.test_size=5"], "dataset.test_size", "say it of a part: dataset.parts.pairs.test_size=…"),
        (["dataset.roles.anchor=x"], "dataset.roles", "say it of a part: dataset.parts.pairs.roles=…"),
    ],
)
def test_a_mixture_has_no_rows_of_its_own(words: list[str], where: str, mend: str, mixed: Mixing) -> None:
    (problem,) = refused(mixed, SCORES, *words)
    assert (problem.where, problem.mend) == (where, mend)


def test_a_mixture_has_two_parts_and_other_data_sets_none(mixed: Mixing, data: Mapping[str, Path]) -> None:
    (problem,) = refused(mixed, pairs="pair")
    assert problem.where == "dataset.parts"
    (problem,) = refused(mixed, "dataset=files", f"dataset.train={data['pair']}", a="pair", b="pair")
    assert problem.mend == "dataset=mixture"


def test_a_cross_encoder_has_one_head(mixed: Mixing) -> None:
    own = ("model=cross_encoder", "dataset.parts.nli.loss=classification")
    (problem,) = refused(mixed, *own, docs="pair", nli="class_pair")
    assert "docs needs 1 label with identity activation, nli 3 labels" in problem.what
    (problem,) = refused(mixed, "model=cross_encoder", "dataset.parts.b.loss=pointwise", a="pair", b="pair")
    assert "dataset.parts.b.loss=listwise" in problem.mend
    for offer in problem.mend.split(", ")[:3]:
        assert mixed("model=cross_encoder", offer, a="pair", b="pair").blueprint.activation == "identity"


def test_classes_of_one_head_mean_the_same_in_every_part(mixed: Mixing) -> None:
    words = ("model=cross_encoder", "loss=classification")
    turned = "dataset.parts.b.classes=[neutral,entailment,contradiction]"
    assert mixed(*words, a="class_pair", b="class_pair").blueprint.num_labels == 3
    (problem,) = refused(mixed, *words, turned, a="class_pair", b="class_pair")
    assert problem.mend == "dataset.parts.b.classes=[contradiction,entailment,neutral]"


@pytest.mark.parametrize("type_", ["sparse_encoder", "multi_vector_encoder"])
def test_other_model_types_mix_too(type_: str, mixed: Mixing) -> None:
    plan = mixed(f"model={type_}", "dataset.parts.b.loss=CachedMultipleNegativesRankingLoss", a="pair", b="triplet")
    wrappers = ["SpladeLoss", "CachedSpladeLoss"] if type_ == "sparse_encoder" else [None, None]
    assert [part.loss.wrapper for part in plan.parts] == wrappers


CHANGES: dict[str, Any] = {
    # option of a part: value
    "use": "other", "source": "python_docs", "train": ["{triplet}"], "validation": ["{pair}"], "test": ["{pair}"],
    "limit": 5, "validation_size": 3, "test_size": 3, "roles": {"anchor": "answer", "positive": "question"},
    "loss": {"use": "TripletLoss", "shapes": ["triplet"], "types": {"sentence_transformer": {"class": "TripletLoss"}}},
    "evaluator": "reranking", "prompts": {"query": "ask: "},
}  # fmt: skip


def test_every_option_of_a_part_is_one_of_a_data_set_or_known_here() -> None:
    assert set(Part.model_fields) - set(Dataset.model_fields) <= set(CHANGES)
    assert "dataset.parts" in set(option_names())


@pytest.mark.parametrize("option", [name for name in CHANGES if name != "use"])
def test_changing_an_option_of_a_part_changes_the_plan(
    option: str, words_of: Callable[..., list[str]], say: Callable[..., Any], plan_of: Callable[..., Plan],
    data: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    from stbench.data import python_docs

    monkeypatch.setattr(python_docs, "extract", lambda: [{"query": f"q{i}", "document": f"d{i}"} for i in range(99)])
    monkeypatch.setenv("STBENCH_CACHE", str(tmp_path / "store"))
    said = say(*words_of(a="pair", b="pair"))
    tree = OmegaConf.create(said.sentence.model_dump(by_alias=True))
    value = CHANGES[option]
    filled = [text.format(**data) for text in value] if isinstance(value, list) else value
    OmegaConf.update(tree, f"dataset.parts.b.{option}", filled, merge=option == "roles", force_add=True)
    plain: Any = OmegaConf.to_container(tree)
    changed = plan_of(said=type(said)(from_tree(plain), said.chosen)).parts
    assert changed[1] != plan_of(said=said).parts[1]
    assert changed[0] == plan_of(said=said).parts[0]
