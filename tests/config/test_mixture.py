from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stbench.config.fingerprint import run_name
from stbench.config.mixture import told, with_part, without_part
from stbench.errors import Problem, Refused

TWO = ("dataset=mixture", "dataset.parts.docs=python_docs", "dataset.parts.sts.train=sts.csv")


def parts(say: Callable[..., Any], *words: str) -> Any:
    return say(*TWO, *words).sentence.dataset.parts


def refused(say: Callable[..., Any], *words: str) -> list[Problem]:
    with pytest.raises(Refused) as caught:
        say(*TWO, *words)
    return list(caught.value.problems)


def test_a_part_is_what_its_data_set_says_and_what_is_said_here(say: Callable[..., Any]) -> None:
    found = parts(say, "dataset.parts.docs.limit=7")
    assert {name: part.source for name, part in found.items()} == {"docs": "python_docs", "sts": "files"}
    assert (found["docs"].limit, found["docs"].test_size, found["sts"].train) == (7, 600, ["sts.csv"])
    assert found["docs"].loss is None


def test_references_in_the_file_of_a_part_are_those_of_the_sentence(say: Callable[..., Any]) -> None:
    assert parts(say, "model=cross_encoder")["docs"].limit == say("model=cross_encoder").sentence.dataset.limit == 550


def test_the_whole_can_be_said_in_one_word(say: Callable[..., Any]) -> None:
    whole = "dataset.parts={docs: python_docs, sts: {train: sts.csv, loss: {use: CoSENTLoss, arguments: {scale: 3}}}}"
    found = say("dataset=mixture", whole).sentence.dataset.parts
    assert found == parts(say, "dataset.parts.sts.loss=CoSENTLoss", "dataset.parts.sts.loss.arguments.scale=3")
    assert (found["sts"].loss.use, found["sts"].loss.shapes, found["sts"].loss.arguments) == (
        "CoSENTLoss", ["scored_pair"], {"scale": 3},
    )  # fmt: skip


def test_regularisers_of_the_sentence_hold_for_every_loss(say: Callable[..., Any]) -> None:
    found = parts(say, "dataset.parts.sts.loss=CoSENTLoss", "loss.regularizers.query=0.5")
    assert found["sts"].loss.regularizers.query == 0.5


def test_losses_and_evaluators_answer_to_the_names_of_their_classes(say: Callable[..., Any]) -> None:
    words = ("dataset.parts.sts.loss=SparseCoSENTLoss", "dataset.parts.sts.evaluator=EmbeddingSimilarityEvaluator")
    found = parts(say, *words)["sts"]
    assert (found.loss.use, found.evaluator) == ("CoSENTLoss", "similarity")


def test_a_mixture_of_ones_own_is_changed_from_the_command_line(workplace: Path, say: Callable[..., Any]) -> None:
    folder = workplace / "conf" / "dataset"
    folder.mkdir(parents=True)
    text = (
        "defaults: [mixture, _self_]\nparts: {docs: {use: python_docs, limit: 9}, sts: {train: a.csv}}\ndecides: sts\n"
    )
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    found = say("dataset=mine", "dataset.parts.docs.limit=5", "dataset.parts.more.train=b.csv").sentence.dataset
    assert {name: (part.limit, part.train) for name, part in found.parts.items()} == {
        "docs": (5, None), "sts": (None, ["a.csv"]), "more": (None, ["b.csv"]),
    }  # fmt: skip
    (problem,) = refused(say, "dataset.parts.inner=mine")
    assert problem.what == "a mixture cannot be part of another"


@pytest.mark.parametrize(
    ("word", "mend"),
    [
        ("dataset.parts.docs.use=python_dcs", "did you mean dataset.parts.docs.use=python_docs?"),
        ("dataset.parts.sts.trian=x.csv", "did you mean dataset.parts.sts.train=…?"),
        ("dataset.parts.sts.roles.anchr=x", "did you mean dataset.parts.sts.roles.anchor?"),
        ("dataset.parts.sts.limit=0", "dataset.parts.sts.limit=1"),
        ("dataset.parts.sts.loss=CoSNTLoss", "did you mean dataset.parts.sts.loss=CoSENTLoss?"),
        ("dataset.parts.sts.loss.arguments.scale=3", "dataset.parts.sts.loss.use=contrastive"),
        ("dataset.parts.sts.loss={use: CoSENTLoss, argments: {}}", "did you mean dataset.parts.sts.loss.arguments=…?"),
        ("dataset.parts.sts.evaluator=similarty", "did you mean dataset.parts.sts.evaluator=similarity?"),
        ("dataset.parts.more=sql", "dataset.parts.more.connection=sqlite:///pairs.db"),
        ("dataset.parts.more=7", "dataset.parts.more.use=NAME, or dataset.parts.more.train=FILE"),
        ("dataset.parts={a-b: {train: x.csv}}", "call it a_b"),
        ("dataset.parts.more=mixture", "name its parts here, or one of: "),
        ("dataset.parts.more.source=mixture", "name its parts here, or one of: "),
        ("dataset.sampling=robin", "did you mean dataset.sampling=round_robin?"),
    ],
)
def test_what_there_is_not_is_refused_with_the_closest(word: str, mend: str, say: Callable[..., Any]) -> None:
    assert refused(say, word)[0].mend.startswith(mend)


def test_everything_that_is_wrong_with_the_parts_is_said_at_once(say: Callable[..., Any]) -> None:
    wrong = ("dataset.parts.docs.use=python_dcs", "dataset.parts.sts.loss=CoSNTLoss", "dataset.parts.more.lim=1")
    assert len(refused(say, *wrong)) == 3


def test_sql_of_a_part_is_taken_as_it_stands(say: Callable[..., Any]) -> None:
    words = ("dataset.parts.db.use=sql", "dataset.parts.db.connection=sqlite:///x.db")
    assert parts(say, *words, "dataset.parts.db.query=SELECT a, b FROM c")["db"].query == "SELECT a, b FROM c"


def test_what_is_said_of_a_part_changes_the_name_of_the_run(say: Callable[..., Any]) -> None:
    names = {run_name(said.sentence, said.chosen) for said in (say(*TWO), say(*TWO, "dataset.parts.sts.limit=5"))}
    assert len(names) == 2
    assert all(name.startswith("sentence_transformer-wordllama-mixture-contrastive-") for name in names)


@pytest.mark.parametrize("option", ["dataset.limit", "dataset.roles.anchor", "loss.arguments"])
def test_options_of_a_part_are_named_after_those_of_a_data_set(option: str) -> None:
    there = with_part("dataset.parts.sts.", option)
    assert there == f"dataset.parts.sts.{option.removeprefix('dataset.')}"
    assert without_part(there) == ("dataset.parts.sts.", option)
    assert without_part(option) == ("", option)


def test_a_problem_is_told_with_the_options_of_the_part() -> None:
    found = told(Problem("gone", "pairs.csv, dataset.roles.anchor", "dataset=disk dataset.path=DIR"), "sts")
    assert found.where == "pairs.csv, dataset.parts.sts.roles.anchor"
    assert found.mend == "dataset.parts.sts.use=disk dataset.parts.sts.path=DIR"
    assert told(Problem("none left", "dataset"), "sts").where == "dataset.parts.sts"
    assert told(Problem("none", "pairs.csv, row 3"), "sts").where == "sts: pairs.csv, row 3"
