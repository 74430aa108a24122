from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from stbench.cache import Store
from stbench.config.sentence import Shape
from stbench.data.convert import listed
from stbench.data.mining import MiningSettings, candidates, mine
from stbench.errors import Refused

KINDS = ("apple", "pear", "plum", "cherry")
SETTINGS = MiningSettings(
    num=2, range_min=0, range_max=20, sampling="top", relative_margin=None, max_score=None, seed=1
)


@dataclass
class Miner:
    """A static model over the words of the tests, and how often it was asked for."""

    model: Any
    digest: str = "these weights"
    loads: int = 0

    def load(self) -> Any:
        self.loads += 1
        return self.model


@pytest.fixture(scope="module")
def model() -> Any:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[UNK]", *KINDS, "tree", "fruit", "what", "is", "a", "number", *map(str, range(60))]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    torch.manual_seed(0)
    return SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=torch.randn(len(words), 32))], device="cpu"
    )


@pytest.fixture
def miner(model: Any) -> Miner:
    return Miner(model)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "on")


def pairs(number: int = 40, positives: int = 1) -> Dataset:
    return Dataset.from_list(
        [
            {
                "anchor": f"what is {KINDS[i % 4]} number {i} ?",
                "positive": f"{KINDS[i % 4]} {i} {'tree' if j else 'fruit'}",
            }
            for i in range(number)
            for j in range(positives)
        ]
    )


def relevant(rows: Dataset) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["anchor"], set()).add(row["positive"])
    return found


def negatives(rows: Dataset) -> list[tuple[str, str]]:
    """(query, negative) of all rows, whatever their shape."""
    if "label" in rows.column_names:
        return [(row["anchor"], row["positive"]) for row in rows if row["label"] == 0]
    return [(row["anchor"], text) for row in rows for text, value in zip(*listed(row), strict=True) if value == 0]


@pytest.mark.parametrize(
    ("shape", "columns", "rows"),
    [
        ("triplet", ["anchor", "positive", "negative"], 80),
        ("n_tuple", ["anchor", "positive", "negative_1", "negative_2"], 40),
        ("labeled_pair", ["anchor", "positive", "label"], 120),
        ("ranked_list", ["anchor", "documents", "relevance"], 40),
    ],
)
def test_each_pair_gets_its_negatives_in_the_shape_that_was_asked_for(
    shape: Shape, columns: list[str], rows: int, miner: Miner, store: Store
) -> None:
    found = mine(pairs(), shape, SETTINGS, miner, store)
    assert found.rows.column_names == columns
    assert len(found.rows) == rows
    assert found.shortfall == 0
    assert len(set(negatives(found.rows))) == 80


@pytest.mark.parametrize("shape", ["triplet", "n_tuple", "labeled_pair", "ranked_list"])
def test_no_positive_of_a_query_comes_back_as_its_negative(shape: Shape, miner: Miner, store: Store) -> None:
    source = pairs(positives=2)
    found = mine(source, shape, SETTINGS, miner, store)
    assert negatives(found.rows)
    positives = relevant(source)
    assert not [(query, text) for query, text in negatives(found.rows) if text in positives[query]]


def test_the_library_draws_no_bars(miner: Miner, store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    mine(pairs(), "triplet", SETTINGS, miner, store)
    assert "Batches" not in capfd.readouterr().err


def test_one_negative_in_a_tuple_is_called_as_the_others_are(miner: Miner, store: Store) -> None:
    found = mine(pairs(), "n_tuple", replace(SETTINGS, num=1), miner, store)
    assert found.rows.column_names == ["anchor", "positive", "negative_1"]


def test_top_negatives_are_the_most_similar_ones(miner: Miner, store: Store) -> None:
    found = mine(pairs(), "triplet", replace(SETTINGS, num=1), miner, store)
    same_kind = [row["negative"].split()[0] in row["anchor"] for row in found.rows]
    assert sum(same_kind) / len(same_kind) > 0.9


def test_the_window_of_ranks_is_kept(miner: Miner, store: Store) -> None:
    near = mine(pairs(), "triplet", replace(SETTINGS, range_max=2), miner, store)
    far = mine(pairs(), "triplet", replace(SETTINGS, range_min=2, range_max=4), miner, store)
    assert not set(negatives(near.rows)) & set(negatives(far.rows))


def test_queries_without_enough_negatives_are_left_out_and_counted(miner: Miner, store: Store) -> None:
    source = pairs()
    strict = mine(source, "triplet", replace(SETTINGS, num=3, range_max=8, relative_margin=0.3), miner, store)
    assert 0 < strict.shortfall < 40
    assert len(set(strict.rows["anchor"])) == 40 - strict.shortfall


@pytest.mark.parametrize("shape", ["triplet", "ranked_list"])
def test_nothing_at_all_is_refused_with_what_would_help(shape: Shape, miner: Miner, store: Store) -> None:
    with pytest.raises(Refused) as caught:
        mine(pairs(), shape, replace(SETTINGS, max_score=-1.0), miner, store)
    assert caught.value.problems[0].mend == "negatives.num=1, or negatives.max_score=null"
    assert not store.made


def test_more_negatives_than_documents_are_refused(miner: Miner, store: Store) -> None:
    with pytest.raises(Refused, match="admissible negatives"):
        mine(pairs(4), "n_tuple", replace(SETTINGS, num=7), miner, store)


def test_the_second_time_nothing_is_built(model: Any, tmp_path: Path) -> None:
    first, again = Miner(model), Miner(model)
    one = mine(pairs(), "triplet", SETTINGS, first, Store(tmp_path, "on"))
    store = Store(tmp_path, "on")
    two = mine(pairs(), "triplet", SETTINGS, again, store)
    assert (first.loads, again.loads) == (1, 0)
    assert (len(store.made), len(store.taken)) == (0, 1)
    assert list(one.rows) == list(two.rows)


@pytest.mark.parametrize(
    "change",
    [{"num": 1}, {"range_min": 1}, {"range_max": 9}, {"sampling": "random"}, {"relative_margin": 0.0}, {"seed": 2}],
)
def test_another_setting_builds_anew(change: dict[str, Any], miner: Miner, store: Store) -> None:
    mine(pairs(), "triplet", SETTINGS, miner, store)
    mine(pairs(), "triplet", replace(SETTINGS, **change), miner, store)
    assert miner.loads == 2


def test_another_model_shape_or_text_builds_anew(model: Any, miner: Miner, store: Store) -> None:
    other = Miner(model, digest="other weights")
    mine(pairs(), "triplet", SETTINGS, miner, store)
    mine(pairs(), "triplet", SETTINGS, other, store)
    mine(pairs(), "n_tuple", SETTINGS, miner, store)
    mine(pairs().map(lambda row: {"anchor": row["anchor"].upper()}), "triplet", SETTINGS, miner, store)
    assert (miner.loads, other.loads) == (3, 1)


def test_random_negatives_are_the_same_for_the_same_seed(model: Any, tmp_path: Path) -> None:
    drawn = replace(SETTINGS, sampling="random", num=1)

    def found(seed: int, name: str) -> Sequence[Any]:
        store = Store(tmp_path / name, "on")
        return list(mine(pairs(), "triplet", replace(drawn, seed=seed), Miner(model), store).rows)

    assert found(1, "a") == found(1, "b") != found(2, "c")


def test_candidates_are_the_most_similar_documents_best_first(miner: Miner, store: Store) -> None:
    rows = pairs()
    documents = [*rows["positive"], rows["positive"][0]]
    ranks = candidates(rows["anchor"], documents, 5, miner, store)
    assert {len(hits) for hits in ranks} == {5}
    assert all(len(set(hits)) == 5 for hits in ranks)
    assert sum(number in hits for number, hits in enumerate(ranks)) > 35
    assert max(max(hits) for hits in ranks) < 40


def test_candidates_are_kept_by_content(miner: Miner, store: Store) -> None:
    queries, documents = ["what is apple ?"], ["apple 1", "pear 2", "plum 3"]
    assert candidates(queries, documents, 2, miner, store) == candidates(queries, documents, 2, miner, store)
    assert miner.loads == 1
    candidates([text.upper() for text in queries], documents, 2, miner, store)
    candidates(queries, documents, 9, miner, store)
    assert miner.loads == 3
