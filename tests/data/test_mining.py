from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from stbench.cache import Store
from stbench.config.sentence import Shape
from stbench.data.convert import listed
from stbench.data.corpus import Corpus
from stbench.data.mining import MiningSettings, Pool, candidates, mine
from stbench.data.positives import Positives
from stbench.errors import Refused
from stbench.models.miner import unwatched

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
    watch: Any = unwatched
    batch_size: int = 16

    def load(self) -> Any:
        self.loads += 1
        return self.model


@dataclass
class Numbers:
    """A cross-encoder for which a document is the better the larger the number in it; raw scores, as rerankers give them."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    def predict(self, pairs: list[tuple[str, str]], activation_fn: Any, **_: Any) -> Any:
        import torch

        assert all(len(pair) == 2 for pair in pairs)
        self.asked += pairs
        return activation_fn(torch.tensor([int("".join(filter(str.isdigit, text))) / 10 - 3 for _, text in pairs]))


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
    assert not found.counts
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


STRICT = replace(SETTINGS, num=3, range_max=8, relative_margin=0.3)


@pytest.mark.parametrize("shape", ["triplet", "n_tuple", "labeled_pair", "ranked_list"])
def test_random_documents_fill_up_where_too_few_are_admissible(shape: Shape, miner: Miner, store: Store) -> None:
    source = pairs(positives=2)
    found = mine(source, shape, STRICT, miner, store)
    by_query: dict[str, set[str]] = {}
    for query, text in negatives(found.rows):
        by_query.setdefault(query, set()).add(text)
    assert {len(texts) for texts in by_query.values()} == {3}
    assert len(by_query) == 40
    assert not [query for query, texts in by_query.items() if texts & relevant(source)[query]]
    ((said, number),) = found.counts.items()
    assert 0 < number < 40
    assert said.startswith("of 40 queries have fewer than 3 admissible negatives: random documents fill up; more with")
    assert "negatives.relative_margin=null" in said


def test_without_filling_such_queries_are_left_out_and_counted(miner: Miner, store: Store) -> None:
    found = mine(pairs(), "n_tuple", replace(STRICT, fill="none"), miner, store)
    ((said, number),) = found.counts.items()
    assert "they are left out" in said
    assert 0 < number < 40
    assert len(found.rows) == 40 - number
    partial = mine(pairs(), "triplet", replace(STRICT, fill="none"), miner, store)
    assert any("they keep what they have" in said for said in partial.counts)
    assert sum(partial.counts.values()) == number


def test_the_scores_of_what_was_found_are_kept_hardest_first(miner: Miner, store: Store) -> None:
    for row in mine(pairs(), "n_tuple", STRICT, miner, store).lists:
        _positive, *others = row["scores"] or [None]
        assert others == sorted(others, reverse=True)
        assert len(others) <= len(row["negatives"]) == 3


@pytest.mark.parametrize("shape", ["triplet", "ranked_list"])
def test_nothing_at_all_is_refused_with_what_would_help(shape: Shape, miner: Miner, store: Store) -> None:
    with pytest.raises(Refused) as caught:
        mine(pairs(), shape, replace(SETTINGS, max_score=-1.0), miner, store)
    assert caught.value.problems[0].mend == "negatives.num=1, or negatives.max_score=null"
    assert not store.made


def test_more_negatives_than_documents_are_refused(miner: Miner, store: Store) -> None:
    with pytest.raises(Refused, match="admissible negatives"):
        _ = mine(pairs(4), "n_tuple", replace(SETTINGS, num=7), miner, store).rows


def mined(settings: MiningSettings, miner: Miner, store: Store, **more: Any) -> list[tuple[str, str]]:
    return negatives(mine(pairs(), "triplet", replace(settings, fill="none"), miner, store, **more).rows)


@pytest.mark.parametrize(
    "change",
    [
        {"range_min": 3}, {"range_max": 2, "range_min": 0}, {"sampling": "random"}, {"relative_margin": 0.4},
        {"absolute_margin": 0.4}, {"max_score": 0.4}, {"min_score": 0.3},
    ],
    ids=str,
)  # fmt: skip
def test_every_setting_changes_what_is_mined(change: dict[str, Any], miner: Miner, store: Store) -> None:
    settings = replace(SETTINGS, num=4)
    change = {**change, "num": 2} if "range_max" in change else change
    assert mined(replace(settings, **change), miner, store) != mined(settings, miner, store)


def similarities(found: Sequence[tuple[str, str]], model: Any) -> list[float]:
    return [float(model.similarity(*(model.encode([text]) for text in pair))) for pair in found]


def test_bounds_of_the_score_hold(model: Any, miner: Miner, store: Store) -> None:
    wide = replace(SETTINGS, num=2, range_max=40)
    assert max(similarities(mined(replace(wide, max_score=0.2), miner, store), model)) <= 0.2 + 1e-6
    assert min(similarities(mined(replace(wide, min_score=0.3), miner, store), model)) >= 0.3 - 1e-6


def test_margins_hold_below_the_positive(model: Any, miner: Miner, store: Store) -> None:
    positive = {row["anchor"]: row["positive"] for row in pairs()}
    for change, allowed in (
        ({"relative_margin": 0.2}, lambda p: 0.8 * p),
        ({"absolute_margin": 0.2}, lambda p: p - 0.2),
    ):
        found = mined(replace(SETTINGS, num=5, range_max=40, **change), miner, store)
        own = similarities([(query, positive[query]) for query, _ in found], model)
        for score, bound in zip(similarities(found, model), map(allowed, own), strict=True):
            assert score <= bound + 1e-5


KNOWN_ELSEWHERE = {
    "another positive of the query": ("what is apple number 0 ?", "apple 4 fruit"),
    "in other letters": ("What  is APPLE number 0 ?", "Apple 4   fruit"),
    "the other way round": ("apple 4 fruit", "what is apple number 0 ?"),
}


@pytest.mark.parametrize("pair", KNOWN_ELSEWHERE.values(), ids=list(KNOWN_ELSEWHERE))
@pytest.mark.parametrize("fill", ["random", "none"])
def test_what_other_rows_know_as_positive_is_no_negative(
    pair: tuple[str, str], fill: Any, miner: Miner, store: Store
) -> None:
    """The library knows only the rows that it mines from, letter by letter."""
    few = 0.3 if fill == "random" else None
    settings = replace(SETTINGS, num=39, range_max=40, fill=fill, max_score=few)
    first = "what is apple number 0 ?"
    free = mine(pairs(), "ranked_list", settings, miner, store).rows
    bound = mine(pairs(), "ranked_list", settings, miner, store, Pool(Positives([pair]))).rows
    assert (first, "apple 4 fruit") in negatives(free)
    assert (first, "apple 4 fruit") not in negatives(bound)


def test_texts_of_the_same_class_are_no_negatives(miner: Miner, store: Store) -> None:
    """Of labelled texts each pair holds one neighbour; all others of the class answer as well."""
    texts = [f"{kind} {i} fruit" for kind in KINDS for i in range(10)]
    rows = [{"anchor": text, "positive": texts[(i // 10) * 10 + (i + 1) % 10]} for i, text in enumerate(texts)]
    known = Positives(groups=[texts[start : start + 10] for start in range(0, 40, 10)])
    found = mine(Dataset.from_list(rows), "triplet", SETTINGS, miner, store, Pool(known)).rows
    assert len(found) == 80
    assert not [row for row in found if row["anchor"].split()[0] == row["negative"].split()[0]]


def test_neither_the_query_nor_its_positive_in_other_letters_is_a_negative(miner: Miner, store: Store) -> None:
    source = pairs()
    extra = [{"anchor": f"is {i} ?", "positive": row["positive"].upper()} for i, row in enumerate(source)]
    extra += [{"anchor": f"is it {i} ?", "positive": row["anchor"].title()} for i, row in enumerate(source)]
    both = Dataset.from_list([*source, *extra])
    known = Positives(zip(both["anchor"], both["positive"], strict=True))
    positives = relevant(source)
    for query, text in negatives(mine(both, "triplet", replace(SETTINGS, num=20), miner, store, Pool(known)).rows):
        assert text.lower() not in {query.lower(), *(other.lower() for other in positives.get(query, ()))}


@pytest.mark.parametrize("drop", ["keep", "drop"])
def test_documents_that_are_nearly_a_positive_are_no_negatives_where_that_is_said(
    drop: Any, miner: Miner, store: Store
) -> None:
    """Every answer stands twice, with one word more, as that of another query; random ones fill up."""
    known = [f"{KINDS[i % 4]} number {i} is a fruit of tree {i}" for i in range(30)]
    rows = [{"anchor": f"what is {KINDS[i % 4]} number {i} ?", "positive": text} for i, text in enumerate(known)]
    rows += [{"anchor": f"number {i} ?", "positive": f"a {text}"} for i, text in enumerate(known)]
    settings = replace(SETTINGS, near_positives=drop)
    found = mine(Dataset.from_list(rows), "n_tuple", settings, miner, store)
    twins = {f"a {text}": text for text in known} | {text: f"a {text}" for text in known}
    mistaken = [row for row in found.rows if twins[row["positive"]] in (row["negative_1"], row["negative_2"])]
    assert (len(mistaken) > 10) == (drop == "keep")
    assert drop == "keep" or not mistaken
    assert len(found.rows) == 60
    assert all(len(row["ranks"]) == len(row["scores"]) - 1 for row in found.lists)


def test_two_spellings_of_a_document_are_one_negative(miner: Miner, store: Store) -> None:
    twice = Dataset.from_list([*pairs(), *({"anchor": "is ?", "positive": row["positive"].upper()} for row in pairs())])
    known = Positives(zip(twice["anchor"], twice["positive"], strict=True))
    for row in mine(twice, "n_tuple", replace(SETTINGS, num=10), miner, store, Pool(known)).rows:
        texts = [text.lower() for name, text in row.items() if name.startswith("negative")]
        assert len(set(texts)) == len(texts)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    file = tmp_path / "more.jsonl"
    texts = [f"number {i} {kind} what is" for i in range(40) for kind in KINDS]
    file.write_text("".join(f'{{"text": "{text}"}}\n' for text in texts), encoding="utf-8")
    return Corpus((file,), len(texts), "text")


def test_a_larger_corpus_gives_harder_negatives(model: Any, miner: Miner, store: Store, corpus: Corpus) -> None:
    own, more = (mined(SETTINGS, miner, store, pool=pool) for pool in (None, Pool(corpus=corpus)))
    mean = [sum(similarities(found, model)) / len(found) for found in (own, more)]
    assert mean[1] > mean[0]
    assert {text for _, text in more} & set(corpus.read())


class Reranker:
    """What the miner is to a bi-encoder, with `Numbers` behind it."""

    def __init__(self, digest: str = "reranker") -> None:
        self.digest, self.model, self.watch, self.loads = digest, Numbers(), unwatched, 0

    def load(self) -> Any:
        self.loads += 1
        return self.model


@pytest.mark.parametrize("margin", [None, 0.05])
def test_a_cross_encoder_decides_among_what_the_miner_found(margin: float | None, miner: Miner, store: Store) -> None:
    """Without a bound on the scores the library would not ask it at all."""
    rescorer: Any = Reranker()
    settings = replace(SETTINGS, relative_margin=margin, num=1)
    found = mined(settings, miner, store, rescorer=rescorer)
    assert rescorer.loads == 1
    own = {row["anchor"]: row["positive"] for row in pairs()}
    for query, text in found:
        candidates = [other for asked, other in rescorer.model.asked if asked == query and other != own[query]]
        bound = (1 - margin) * probability(own[query]) if margin else 1.0
        admissible = [other for other in candidates if probability(other) <= bound]
        assert text == max(admissible, key=probability)


def probability(text: str) -> float:
    """What the library is told: the raw score through a sigmoid."""
    return 1 / (1 + math.exp(3 - int("".join(filter(str.isdigit, text))) / 10))


def test_a_cross_encoder_is_asked_for_each_pair_once_and_never_for_known_ones(miner: Miner, store: Store) -> None:
    rescorer: Any = Reranker()
    known = Positives([("what is apple number 0 ?", "apple 4 fruit")])
    settings = replace(SETTINGS, range_max=100)
    found = mined(settings, miner, store, rescorer=rescorer, pool=Pool(known))
    assert not {("what is apple number 0 ?", "apple 4 fruit")} & {*found, *rescorer.model.asked}
    per_query = [pair for pair in rescorer.model.asked if pair[1] != "apple 0 fruit"]
    assert len(rescorer.model.asked) <= 40 * 40 + 40
    assert per_query


def test_another_rescorer_corpus_or_known_pair_builds_anew(miner: Miner, store: Store, corpus: Corpus) -> None:
    for _ in range(2):
        mined(SETTINGS, miner, store)
        mined(SETTINGS, miner, store, pool=Pool(corpus=corpus))
        mined(SETTINGS, miner, store, pool=Pool(Positives([("a", "b")])))
        mined(SETTINGS, miner, store, rescorer=Reranker())
        mined(SETTINGS, miner, store, rescorer=Reranker("other weights"))
    assert miner.loads == 5


def test_a_miner_with_prompts_uses_them(model: Any, store: Store) -> None:
    read: list[str] = []

    class Prompted:
        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def encode_query(self, texts: list[str], **settings: Any) -> Any:
            read.append("query")
            return model.encode(texts, prompt="what", **_plain(settings))

        def encode_document(self, texts: list[str], **settings: Any) -> Any:
            read.append("document")
            return model.encode(texts, prompt="fruit", **_plain(settings))

    mined(SETTINGS, Miner(Prompted()), store)
    assert read == ["document", "query"]


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in ("prompt_name", "prompt", "pool")}


def test_python_draws_after_a_mining_as_it_would_have_before(miner: Miner, store: Store) -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    mined(replace(SETTINGS, sampling="random"), miner, store)
    assert random.random() == expected


def test_texts_are_counted_while_a_model_works(model: Any, store: Store) -> None:
    seen: list[tuple[int, str]] = []

    @contextmanager
    def watch(_model: Any, texts: int, what: str) -> Iterator[None]:
        seen.append((texts, what))
        yield

    mined(SETTINGS, Miner(model, watch=watch), store)
    candidates(["what is apple ?"], ["apple 1", "pear 2"], 2, Miner(model, watch=watch), store)
    assert seen == [(80, "mining"), (3, "finding candidates")]


def test_an_interrupted_mining_leaves_nothing_behind(model: Any, store: Store) -> None:
    class Stopped:
        def __getattr__(self, name: str) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine(pairs(), "triplet", SETTINGS, Miner(Stopped()), store)
    assert not store.made
    assert mined(SETTINGS, Miner(model), store)


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


def test_another_model_or_text_builds_anew(model: Any, miner: Miner, store: Store) -> None:
    other = Miner(model, digest="other weights")
    mine(pairs(), "triplet", SETTINGS, miner, store)
    mine(pairs(), "triplet", SETTINGS, other, store)
    mine(pairs(), "n_tuple", SETTINGS, miner, store)  # the same lists in another shape
    mine(pairs().map(lambda row: {"anchor": row["anchor"].upper()}), "triplet", SETTINGS, miner, store)
    assert (miner.loads, other.loads) == (2, 1)


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
