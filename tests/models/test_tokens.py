"""What was tokenised is remembered, and the model computes and saves what it would without that."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from tiny_models import Tiny

from stbench.models.tokens import RememberingTokenizer, forget_tokens, remember_tokens

TEXTS = ["what is a tool", "", "plant plant tool", "what is a tool"]


class Counting:
    """A tokenizer that counts the texts it is given."""

    def __init__(self, own: Any) -> None:
        self.own, self.texts = own, 0

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
