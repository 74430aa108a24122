"""What was tokenised is remembered, and the model computes and saves what it would without that."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from tiny_models import Tiny

from stbench.cache import Store
from stbench.models.tokens import RememberingTokenizer, forget_tokens, learn_tokens, remember_tokens

TEXTS = ["what is a tool", "", "plant plant tool", "what is a tool"]


class Counting:
    """A tokenizer that counts the texts it is given."""

    def __init__(self, own: Any) -> None:
        self.own, self.texts = own, 0

    def to_str(self) -> str:
        return str(self.own.to_str())

    def encode_batch_fast(self, texts: Sequence[str], add_special_tokens: bool) -> list[Any]:
        self.texts += len(texts)
        return list(self.own.encode_batch_fast(texts, add_special_tokens=add_special_tokens))


@pytest.fixture
def model(tiny: Tiny) -> SentenceTransformer:
    return SentenceTransformer(str(tiny.static), device="cpu")


@pytest.fixture
def counting(model: SentenceTransformer) -> Counting:
    return Counting(model[0].tokenizer)


def test_each_text_is_tokenised_once(counting: Counting) -> None:
    remembering = RememberingTokenizer(counting)
    first = [one.ids for one in remembering.encode_batch(TEXTS)]
    assert counting.texts == 3
    assert [one.ids for one in remembering.encode_batch(TEXTS)] == first
    assert counting.texts == 3
    assert [list(ids) for ids in first] == [one.ids for one in counting.own.encode_batch(TEXTS)]


def test_special_tokens_make_another_text(counting: Counting) -> None:
    remembering = RememberingTokenizer(counting)
    remembering.encode_batch(["a tool"])
    remembering.encode_batch(["a tool"], add_special_tokens=False)
    assert counting.texts == 2


def test_what_finds_no_room_is_tokenised_again(counting: Counting) -> None:
    remembering = RememberingTokenizer(counting, most_tokens=3)
    for _ in range(2):
        encodings = remembering.encode_batch(["what is tool", "plant tool"], add_special_tokens=False)
        assert [len(one.ids) for one in encodings] == [3, 2]
    assert counting.texts == 3


def test_what_one_run_has_tokenised_another_reads(counting: Counting, tmp_path: Path) -> None:
    store, texts = Store(tmp_path, "on"), ["plant tool", "", "what is a tool", "plant tool"]
    first, second = RememberingTokenizer(counting), RememberingTokenizer(counting)
    first.learn(texts, store)
    assert counting.texts == 3
    second.learn(reversed(texts), store)
    found = second.encode_batch(texts, add_special_tokens=False)
    assert counting.texts == 3
    assert [list(one.ids) for one in found] == [
        one.ids for one in counting.own.encode_batch(texts, add_special_tokens=False)
    ]
    second.learn([*texts, "new"], store)
    assert counting.texts == 4


def test_more_than_there_is_room_for_is_not_read(counting: Counting, tmp_path: Path) -> None:
    remembering = RememberingTokenizer(counting, most_tokens=3)
    remembering.learn(["plant tool", "what is a tool"], Store(tmp_path, "on"))
    assert [len(one.ids) for one in remembering.encode_batch(["what is a tool"], add_special_tokens=False)] == [4]


def test_rows_of_any_shape_are_learnt(model: SentenceTransformer, tmp_path: Path) -> None:
    remember_tokens(model)
    rows = Dataset.from_dict({"query": ["what"], "documents": [["plant", "tool"]], "relevance": [[1, 0]]})
    learn_tokens(model, [rows], Store(tmp_path, "on"))
    assert {text for _, text in model[0].tokenizer._known} == {"what", "plant", "tool"}


def test_embeddings_stay_as_they_were(model: SentenceTransformer) -> None:
    before = model.encode(TEXTS)
    remember_tokens(model)
    assert (model.encode(TEXTS) == before).all()
    assert (deepcopy(model).encode(TEXTS) == before).all()


def test_a_remembering_model_is_saved_as_any_other(model: SentenceTransformer, tmp_path: Path) -> None:
    remember_tokens(model)
    remember_tokens(model)
    model.save_pretrained(str(tmp_path))
    assert (SentenceTransformer(str(tmp_path), device="cpu").encode(TEXTS) == model.encode(TEXTS)).all()


def test_forgetting_leaves_the_own_tokenizer(model: SentenceTransformer) -> None:
    own = model[0].tokenizer
    remember_tokens(model)
    assert model[0].tokenizer is not own
    forget_tokens(model)
    assert model[0].tokenizer is own
