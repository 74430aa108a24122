from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stbench.config.discovery import choices
from stbench.config.sentence import Shape
from stbench.data.shapes import COLUMNS
from stbench.errors import Problem
from stbench.plan import data_rules, fault_rules, loss_rules, model_rules, training_rules
from stbench.plan.draft import Draft, Rule
from stbench.plan.rules import RULES, problems
from stbench.plan.ways import losses_for, targets_of

Drafts = Callable[..., Draft]
STATIC = {"architecture": "static", "positions": None, "max_tokens": None, "mlm_head": False}
DECODER = {"architecture": "decoder", "mlm_head": False}


@pytest.fixture
def draft(say: Callable[..., Any], a_base: Callable[..., Any]) -> Drafts:
    """What is known of a sentence before it is planned, with a tiny encoder as its base unless told otherwise."""

    def made(*words: str, shape: Shape = "pair", base: dict[str, Any] | None = None) -> Draft:
        said = say("base_model=bert", *words)
        return Draft(said.sentence, said.chosen, a_base(**(base or {})), shape)

    return made


def only(rule: Rule, draft: Draft) -> Problem:
    """The problem that `rule` finds, which is all there is to find."""
    (problem,) = rule(draft)
    assert problems(draft) == [problem]
    assert problem.mend
    return problem


def test_a_loss_is_refused_for_a_model_type_it_has_no_class_for(draft: Drafts) -> None:
    problem = only(loss_rules.loss_has_model_type, draft("loss=listwise"))
    assert "does not exist for sentence_transformer" in problem.what
    assert "loss=contrastive" in problem.mend
    assert not problems(draft("loss=contrastive"))


def test_static_embeddings_are_refused_for_models_that_read_tokens_in_context(draft: Drafts) -> None:
    for type_ in ("cross_encoder", "sparse_encoder", "multi_vector_encoder"):
        problem = only(model_rules.base_fits_model_type, draft(f"model={type_}", "loss=contrastive", base=STATIC))
        assert "base_model=minilm" in problem.mend
        assert "model=sentence_transformer" in problem.mend
        assert not problems(draft(f"model={type_}", "loss=contrastive"))
    assert not problems(draft("model=sentence_transformer", base=STATIC))


@pytest.mark.parametrize("words", [["model.architecture=csr"], []])
def test_a_loss_of_splade_alone_is_refused_for_an_auto_encoder(words: list[str], draft: Drafts) -> None:
    base, cached = {"mlm_head": False}, "loss=CachedMultipleNegativesRankingLoss"
    problem = only(loss_rules.sparse_architecture_agrees, draft("model=sparse_encoder", cached, *words, base=base))
    assert "belongs to the splade architecture, the model is csr" in problem.what
    assert ("no masked-LM head" in problem.what) == (not words)
    assert "model.architecture=splade" in problem.mend
    assert "loss=contrastive" in problem.mend
    assert not problems(draft("model=sparse_encoder", cached, "model.architecture=splade"))
    assert not problems(draft("model=sparse_encoder", "loss=triplet", *words, base=base))


def test_a_loss_that_needs_attention_masks_is_refused_for_static_embeddings(draft: Drafts) -> None:
    problem = only(loss_rules.loss_fits_base, draft("loss=DenoisingAutoEncoderLoss", shape="text", base=STATIC))
    assert "base_model=minilm" in problem.mend
    assert not problems(draft("loss=DenoisingAutoEncoderLoss", shape="text"))


def test_distillation_without_a_teacher_is_refused(draft: Drafts) -> None:
    problem = only(data_rules.data_reaches_loss, draft("loss=distillation"))
    assert "teacher=cross_encoder teacher.model=DIR_OR_ID" in problem.mend
    assert not problems(draft("loss=distillation", "teacher=cross_encoder"))
    assert not problems(draft("loss=distillation", shape="margin_triplet"))


def test_a_teacher_that_nobody_asks_is_refused(draft: Drafts) -> None:
    problem = only(data_rules.teacher_is_asked, draft("loss=contrastive", "teacher=cross_encoder"))
    assert problem.mend == "loss=distillation, or teacher=none"
    assert "teacher=cross_encoder" in only(data_rules.teacher_is_asked, draft("teacher.model=owner/name")).mend


def test_a_guide_is_refused_where_none_is_asked_and_asked_for_where_one_is(draft: Drafts) -> None:
    assert only(loss_rules.guide_is_used, draft("loss.guide=minilm")).mend == "loss=GISTEmbedLoss, or leave it out"
    assert only(loss_rules.guide_is_used, draft("loss=GISTEmbedLoss", "loss.guide=null")).mend == "loss.guide=minilm"
    assert (
        only(loss_rules.guide_is_used, draft("loss=GISTEmbedLoss", "loss.guide=wordllama")).mend == "loss.guide=minilm"
    )
    assert not problems(draft("loss=GISTEmbedLoss"))


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["modifier=matryoshka", "model=sparse_encoder"], "model=sentence_transformer"),
        (["modifier=matryoshka", "loss=simcse", "model=sparse_encoder"], "model=sentence_transformer"),
        (["modifier.dims=[8]"], "modifier=matryoshka"),
        (["modifier=adaptive_layer", "loss=CachedMultipleNegativesRankingLoss"], "modifier=matryoshka"),
    ],
)
def test_a_modifier_that_does_not_fit_is_refused(words: list[str], mend: str, draft: Drafts) -> None:
    assert mend in only(loss_rules.modifier_fits, draft(*words)).mend
    assert not problems(draft("modifier=matryoshka"))


def test_layers_of_static_embeddings_cannot_be_cut(draft: Drafts) -> None:
    assert "base_model=minilm" in only(loss_rules.modifier_fits, draft("modifier=adaptive_layer", base=STATIC)).mend


@pytest.mark.parametrize("dims", ["[4096,64]", "[0]", "[8,8]"])
def test_dimensions_beyond_those_of_the_model_are_refused(dims: str, draft: Drafts) -> None:
    problem = only(loss_rules.dims_within_model, draft("modifier=matryoshka", f"modifier.dims={dims}"))
    assert problem.mend.startswith("modifier.dims=[")
    assert not problems(draft("modifier=matryoshka", problem.mend))


def test_each_dimension_has_one_weight(draft: Drafts) -> None:
    problem = only(
        loss_rules.dims_within_model, draft("modifier=matryoshka", "modifier.dims=[8,4]", "modifier.weights=[1]")
    )
    assert problem.mend == "modifier.weights=[1,1]"


def test_splade_is_refused_for_a_decoder(draft: Drafts) -> None:
    words = ["model=sparse_encoder", "loss=contrastive"]
    problem = only(model_rules.splade_needs_its_head, draft(*words, "model.architecture=splade", base=DECODER))
    assert "base_model=bert" in problem.mend
    assert "model.architecture=csr" in problem.mend
    assert not problems(draft(*words, "model.architecture=splade"))
    assert not problems(draft(*words, "model.architecture=csr", base=DECODER))


def test_splade_is_refused_for_an_encoder_without_its_head(draft: Drafts) -> None:
    words = ["model=sparse_encoder", "loss=contrastive", "model.architecture=splade"]
    assert "no masked-LM head" in only(model_rules.splade_needs_its_head, draft(*words, base={"mlm_head": False})).what


def test_one_class_is_refused_where_classes_are_told_apart(draft: Drafts) -> None:
    one = {"classes": 1}
    found = replace(draft("model=cross_encoder", "loss=classification", shape="class_pair"), **one)
    assert "dataset.roles.label" in only(loss_rules.several_classes, found).mend
    found = replace(draft("loss=BatchHardTripletLoss", shape="labeled_text"), **one)
    assert "1 class" in only(loss_rules.several_classes, found).what
    assert not problems(draft("loss=BatchHardTripletLoss", shape="labeled_text"))


def test_a_batch_of_one_is_refused_for_in_batch_negatives(draft: Drafts) -> None:
    problem = only(training_rules.in_batch_needs_a_batch, draft("training.batch_size=1"))
    assert problem.mend == "training.batch_size=32"
    assert not problems(draft("training.batch_size=2"))
    assert not problems(draft("loss=triplet", "training.batch_size=1", shape="triplet"))


@pytest.mark.parametrize(
    ("extra", "mend"),
    [
        ("learning_rate=1", "training.learning_rate=1"),
        ("warmup_ratio=0.1", "training.warmup=0.1"),
        ("bf16=true", "precision=bf16"),
        ("load_best_model_at_end=false", "leave it out"),
        ("eval_strategy=no", "training.eval_steps=…"),
        ("batch_sampler=no_duplicates", "loss=…"),
    ],
)
def test_an_argument_with_an_option_of_its_own_is_refused(extra: str, mend: str, draft: Drafts) -> None:
    problem = only(training_rules.extra_has_no_option_of_its_own, draft(f"training.extra.{extra}"))
    assert problem.mend.startswith(mend)
    assert not problems(draft("training.extra.max_grad_norm=2.0"))


def test_data_that_no_conversion_brings_to_the_loss_is_refused_with_losses_that_it_feeds(draft: Drafts) -> None:
    problem = only(data_rules.data_reaches_loss, draft("model=cross_encoder", "loss=listwise", shape="scored_pair"))
    assert "needs rows of shape ranked_list, the data is scored_pair" in problem.what
    assert problem.mend.endswith(": loss=distillation, loss=regression, loss=MSELoss")
    assert not problems(draft("model=cross_encoder", "loss=regression", shape="scored_pair"))


def test_a_loss_without_its_negatives_is_refused_where_mining_is_off(draft: Drafts) -> None:
    problem = only(data_rules.data_reaches_loss, draft("loss=triplet", "negatives=none"))
    assert problem.mend == "negatives=auto mines them"
    assert not problems(draft("loss=triplet", "negatives=auto"))
    assert not problems(draft("loss=triplet", "negatives=none", shape="triplet"))


def test_in_batch_negatives_are_refused_for_a_loss_that_has_none(draft: Drafts) -> None:
    words = ["loss=pointwise", "negatives=in_batch"]
    problem = only(loss_rules.in_batch_needs_such_a_loss, draft(*words, shape="labeled_pair"))
    assert problem.mend == "loss=contrastive, or negatives=auto"
    assert not problems(draft("loss=contrastive", "negatives=in_batch", shape="labeled_pair"))
    assert not problems(draft("loss=pointwise", "negatives=auto", shape="labeled_pair"))


def test_mining_that_cannot_happen_is_refused(draft: Drafts) -> None:
    problem = only(data_rules.mined_where_said, draft("loss=regression", "negatives=mined", shape="scored_pair"))
    assert problem.mend.startswith("negatives=auto")
    assert not problems(draft("loss=regression", "negatives=auto", shape="scored_pair"))
    for loss, shape in (("triplet", "triplet"), ("contrastive", "n_tuple"), ("pointwise", "labeled_pair")):
        found = draft(f"loss={loss}", "negatives=mined", shape=shape)
        assert not problems(found)
        assert any(step.mines for step in found.steps or ())


@pytest.mark.parametrize("words", [[], ["negatives=none"], ["negatives=in_batch"]])
def test_a_number_of_negatives_that_nobody_mines_is_refused(words: list[str], draft: Drafts) -> None:
    problem = only(data_rules.mined_where_said, draft("negatives.num=5", *words))
    assert problem.mend.startswith("negatives=mined")
    assert not problems(draft("negatives.num=5", "negatives=mined"))


def test_regularisers_are_refused_for_a_loss_without_them(draft: Drafts) -> None:
    problem = only(loss_rules.regularizers_have_a_loss, draft("loss.regularizers.query=0.1"))
    assert "model=sparse_encoder" in problem.mend
    assert not problems(draft("loss.regularizers.query=0.1", "model=sparse_encoder"))


def test_a_revision_is_refused_for_weights_on_disk(draft: Drafts) -> None:
    problem = only(model_rules.revision_is_of_the_hub, draft("base_model.revision=main"))
    assert problem.mend.startswith("leave it out")
    assert not problems(draft("base_model.revision=main", base={"local": False}))


def test_a_cached_loss_is_refused_with_gradient_checkpointing(draft: Drafts) -> None:
    cached, words = "loss=CachedMultipleNegativesRankingLoss", "training.gradient_checkpointing="
    problem = only(training_rules.cached_loss_without_checkpointing, draft(cached, words + "true"))
    assert problem.mend == "training.gradient_checkpointing=false"
    assert not problems(draft(cached, words + "false"))
    assert not problems(draft("loss=contrastive", words + "true"))


@pytest.mark.parametrize("option", ["training.max_seq_length", "base_model.max_seq_length"])
def test_texts_longer_than_the_base_reads_are_refused(option: str, draft: Drafts) -> None:
    problem = only(training_rules.length_within_base, draft(f"{option}=513"))
    assert problem.mend == f"{option}=512"
    assert not problems(draft(problem.mend))
    assert not problems(draft(f"{option}=99999", base={"positions": None}))


def test_a_length_is_refused_for_static_embeddings(draft: Drafts) -> None:
    problem = only(training_rules.length_within_base, draft("training.max_seq_length=64", base=STATIC))
    assert problem.mend == "leave it out"
    assert not problems(draft(base=STATIC))


def test_rows_of_one_length_are_refused_where_they_harm_or_help_nothing(draft: Drafts) -> None:
    asked = "training.by_length=true"
    negatives = only(training_rules.by_length_where_it_helps, draft(asked))
    assert "loss=contrastive compares the rows of a batch" in negatives.what
    static = only(training_rules.by_length_where_it_helps, draft(asked, "loss=triplet", shape="triplet", base=STATIC))
    assert static.mend == negatives.mend == "training.by_length=null"
    for right in (negatives.mend, "training.by_length=false"):
        assert not problems(draft(right))
    assert not problems(draft(asked, "loss=triplet", shape="triplet"))


@pytest.mark.parametrize(
    "words",
    [
        ["loss=triplet", "negatives.num=3", "negatives.range_max=2"],
        ["loss=triplet", "negatives.range_min=100"],
        ["model=cross_encoder", "loss=listwise", "negatives.range_max=4"],
    ],
)
def test_a_window_with_too_few_ranks_is_refused(words: list[str], draft: Drafts) -> None:
    problem = only(data_rules.mining_window_holds_enough, draft(*words))
    assert problem.mend.startswith("negatives.range_max=")
    assert not problems(draft(*words, problem.mend))


def test_two_and_a_half_steps_are_refused(draft: Drafts) -> None:
    problem = only(training_rules.eval_steps_are_whole, draft("training.eval_steps=2.5"))
    assert problem.mend == "training.eval_steps=2"
    for right in (problem.mend, "training.eval_steps=0.5", "training.eval_steps=1"):
        assert not problems(draft(right))


@pytest.mark.parametrize(
    ("shape", "loss"), [("pair", "contrastive"), ("triplet", "contrastive"), ("text", "unsupervised")]
)
def test_rows_that_can_contradict_nothing_are_told(shape: Shape, loss: str, draft: Drafts) -> None:
    words = [f"loss={loss}", "dataset.contradictions=drop"]
    problem = only(fault_rules.contradictions_can_be, draft(*words, shape=shape))
    assert problem.mend == "dataset.contradictions=keep"
    assert not problems(draft("loss=regression", words[1], shape="scored_pair"))


@pytest.mark.parametrize(("shape", "words"), [("pair", ["loss=contrastive"]), ("scored_pair", ["loss=regression"])])
def test_rows_without_negatives_have_none_like_positives(shape: Shape, words: list[str], draft: Drafts) -> None:
    drop = "negatives.near_positives=drop"
    problem = only(fault_rules.near_positives_can_be, draft(*words, drop, shape=shape))
    assert "negatives=mined" in problem.mend
    assert not problems(draft("loss=contrastive", drop, "negatives=mined"))
    assert not problems(draft("loss=contrastive", drop, shape="triplet"))


def test_every_rule_has_its_test() -> None:
    source = "".join(
        Path(__file__).with_name(name).read_text("utf-8") for name in ("test_rules.py", "test_model_rules.py")
    )
    assert not [rule.__name__ for rule in RULES if f"rules.{rule.__name__}" not in source]


def test_all_problems_are_found_at_once(draft: Drafts) -> None:
    found = problems(draft("loss=listwise", "training.eval_steps=2.5", "training.max_seq_length=9999"))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("negatives", "targets"),
    [("auto", ["pair", "triplet", "n_tuple"]), ("mined", ["triplet", "n_tuple"]), ("in_batch", ["pair"])],
)
def test_the_choice_of_negatives_narrows_what_a_loss_takes(negatives: str, targets: list[str], draft: Drafts) -> None:
    sentence = draft(f"negatives={negatives}")
    assert sentence.loss is not None
    assert targets_of(sentence.sentence, sentence.loss) == targets


@pytest.mark.parametrize("shape", COLUMNS)
@pytest.mark.parametrize("type_", choices()["model"])
def test_losses_that_are_offered_work(type_: str, shape: Shape, draft: Drafts) -> None:
    for name in losses_for(type_, shape):
        assert not problems(draft(f"model={type_}", f"loss={name}", shape=shape))


def test_a_broken_file_of_ones_own_is_no_offer(workplace: Path) -> None:
    folder = workplace / "conf" / "loss"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("summary: not yet finished\n", encoding="utf-8")
    (folder / "other.yaml").write_text("defaults: [contrastive, _self_]\nsummary: finished\n", encoding="utf-8")
    found = losses_for("sentence_transformer", "pair")
    assert "mine" not in found
    assert "other" in found


@pytest.mark.parametrize(
    ("type_", "teachers"), [("sentence_transformer", ["bi_encoder"]), ("sparse_encoder", ["sparse_encoder"])]
)
def test_teachers_of_another_kind_are_not_offered(type_: str, teachers: list[str], draft: Drafts) -> None:
    mend = only(data_rules.data_reaches_loss, draft(f"model={type_}", "loss=MSELoss", shape="text")).mend
    assert re.findall(r"teacher=(\w+)", mend) == teachers


def test_labels_are_not_taken_for_what_a_teacher_said(draft: Drafts) -> None:
    words = ("model=cross_encoder", "loss=distillation")
    for shape in ("pair", "labeled_pair"):
        problem = only(data_rules.data_reaches_loss, draft(*words, shape=shape))
        assert "teacher=cross_encoder" in problem.mend
        assert not problems(draft(*words, "teacher=cross_encoder", shape=shape))
        assert "distillation" not in losses_for("cross_encoder", shape)
    assert not problems(draft(*words, shape="scored_pair"))


@pytest.mark.parametrize(("shape", "teachers"), [("text", ["bi_encoder"]), ("pair", ["cross_encoder", "bi_encoder"])])
def test_each_entry_of_a_family_is_asked_for_its_teacher(shape: Shape, teachers: list[str], draft: Drafts) -> None:
    mend = only(data_rules.data_reaches_loss, draft("loss=distillation", shape=shape)).mend
    assert re.findall(r"teacher=(\w+)", mend) == teachers
