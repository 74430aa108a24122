"""Prompts on the model: what is put there, what stays, and that encoding, training and the saved model agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import Tiny

from stbench.models.base import locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import build, reload
from stbench.models.prompts import Prompts, for_training, from_config, of_model, prompted

BOTH = Prompts("red: ", "blue: ", "green: ")


def built(folder: Path, type_: Any = "sentence_transformer", **more: Any) -> Any:
    return build(Blueprint(type_, locate("tiny", None, str(folder), None, None), "cpu", **more), 1)


@pytest.mark.parametrize("kind", ["plain", "static", "decoder"])
def test_queries_and_documents_are_encoded_with_their_prompts_also_after_saving(
    tiny: Tiny, tmp_path: Path, kind: str
) -> None:
    model = built(getattr(tiny, kind), prompts=BOTH)
    plain = built(getattr(tiny, kind))
    model.save_pretrained(str(tmp_path / "model"))
    again = reload("sentence_transformer", tmp_path / "model", "cpu")
    for found in (model, again):
        for encode, text in (
            (found.encode_query, "red: box"),
            (found.encode_document, "blue: box"),
            (found.encode, "green: box"),
        ):
            assert np.abs(encode("box") - plain.encode(text)).max() < 1e-5
    assert of_model(again) == BOTH


def test_a_cross_encoder_puts_its_prompt_before_every_pair(tiny: Tiny, tmp_path: Path) -> None:
    model = built(tiny.plain, "cross_encoder", prompts=Prompts(text="green: "))
    plain = built(tiny.plain, "cross_encoder")
    expected = plain.predict([("green: box", "shelf")])
    assert np.abs(model.predict([("box", "shelf")]) - expected).max() < 1e-5
    model.save_pretrained(str(tmp_path / "model"))
    again = reload("cross_encoder", tmp_path / "model", "cpu")
    assert np.abs(again.predict([("box", "shelf")]) - expected).max() < 1e-5


def test_what_a_folder_brings_stays_unless_something_else_is_said(tiny: Tiny, tmp_path: Path) -> None:
    first = built(tiny.plain)
    first.prompts = {"query": "red: ", "passage": "blue: ", "other": "old: "}
    first.save_pretrained(str(tmp_path / "model"))
    base = locate("tiny", None, str(tmp_path / "model"), None, None)
    assert base.prompts == Prompts("red: ", "blue: ")
    kept = built(tmp_path / "model")
    assert kept.prompts["passage"] == "blue: "
    assert of_model(kept) == Prompts("red: ", "blue: ")
    assert np.abs(kept.encode_document("box") - built(tiny.plain).encode("blue: box")).max() < 1e-5
    said = built(tmp_path / "model", prompts=Prompts(document="", text="green: "))
    assert of_model(said) == Prompts("red: ", None, "green: ")
    assert said.prompts["other"] == "old: "
    assert np.abs(said.encode_document("box") - built(tiny.plain).encode("box")).max() < 1e-5


def test_the_tokens_of_a_prompt_can_be_left_out_of_the_pooling(tiny: Tiny, tmp_path: Path) -> None:
    left_out = built(tiny.plain, prompts=Prompts("red ", include=False))
    assert not left_out[1].include_prompt
    pooled = built(tiny.plain, prompts=Prompts("red "))
    assert np.abs(left_out.encode_query("box") - pooled.encode_query("box")).max() > 1e-3
    left_out.save_pretrained(str(tmp_path / "model"))
    again = reload("sentence_transformer", tmp_path / "model", "cpu")
    assert np.abs(again.encode_query("box") - left_out.encode_query("box")).max() < 1e-5


def test_a_part_of_a_mixture_has_its_prompts_for_a_while(tiny: Tiny) -> None:
    model = built(tiny.plain, prompts=BOTH)
    with prompted(model, Prompts("", "old: ", "")):
        assert of_model(model) == Prompts(None, "old: ", None)
    assert of_model(model) == BOTH


@pytest.mark.parametrize(
    ("prompts", "columns", "alike", "found"),
    [
        (BOTH, ["anchor", "positive", "negative_1"], False, {"anchor": "red: ", "positive": "blue: ", "negative_1": "blue: "}),
        (BOTH, ["anchor", "positive", "score"], True, "green: "),
        (BOTH, ["anchor", "documents", "labels"], False, {"anchor": "red: ", "documents": "blue: "}),
        (Prompts("red: "), ["anchor", "positive"], False, {"anchor": "red: "}),
        (Prompts("red: "), ["anchor", "positive"], True, None),
        (Prompts(), ["anchor", "positive"], False, None),
        (Prompts("", "", ""), ["anchor", "positive"], False, None),
    ],
)  # fmt: skip
def test_training_gets_one_prompt_or_one_for_each_column(
    prompts: Prompts, columns: list[str], alike: bool, found: Any
) -> None:
    assert for_training(prompts, columns, alike) == found


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (None, Prompts()),
        ({"prompts": {}}, Prompts()),
        ({"prompts": {"query": "q: ", "document": ""}}, Prompts("q: ")),
        ({"prompts": {"query": "q: ", "passage": "p: "}, "default_prompt_name": "query"}, Prompts("q: ", "p: ", "q: ")),
        ({"prompts": {"s2p_query": "i: "}, "default_prompt_name": None}, Prompts()),
    ],
)
def test_prompts_are_read_from_the_folder_without_loading_it(config: Any, found: Prompts) -> None:
    assert from_config(config) == found
