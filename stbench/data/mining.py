"""Hard negatives and first-stage candidates, found by the similarity of a bi-encoder, kept in the cache by content."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from stbench.audit.positives import Alike
from stbench.cache import Store, key_of
from stbench.config.sentence import Shape
from stbench.data.convert import Row, table_of
from stbench.data.corpus import Corpus
from stbench.data.guarded import NEVER, GuardedMiner, GuardedRescorer
from stbench.data.positives import Positives
from stbench.data.rows import digest, each, values
from stbench.data.splits import content_hash
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset

    from stbench.models.miner import Miner, Rescorer

SIMILARITIES = 50_000_000
"""Similarities that are in memory at a time (0.2 GB)."""
TRIES = 200
"""Documents that are drawn to find a few that are admissible."""


@dataclass(frozen=True)
class MiningSettings:
    """How negatives are chosen from the ranks of the miner."""

    num: int
    range_min: int
    range_max: int
    sampling: Literal["top", "random"]
    relative_margin: float | None
    max_score: float | None
    seed: int
    absolute_margin: float | None = None
    min_score: float | None = None
    fill: Literal["random", "none"] = "random"
    """What a query with too few admissible negatives gets for the others: random documents, or it is left out."""
    max_seq_length: int | None = None
    """Tokens that miner and rescorer read; None: as many as they do by themselves."""
    near_positives: Literal["keep", "drop"] = "keep"
    """Negatives that are nearly a positive of their query."""


@dataclass(frozen=True)
class Pool:
    """Where negatives are looked for beside the documents of the pairs, and what cannot be one."""

    known: Positives = field(default_factory=Positives)
    corpus: Corpus | None = None

    @cached_property
    def digest(self) -> str:
        return key_of(self.known.digest, self.corpus.digest if self.corpus else None)


class Found(NamedTuple):
    """The admissible negatives of one pair, at most as many as were wanted."""

    negatives: Sequence[str]
    scores: Sequence[float]
    """The positive's first."""
    ranks: Sequence[int | None]
    """Of the negatives."""

    def without(self, barred: Callable[[str], bool]) -> Found:
        """The others, where some of the negatives are barred."""
        kept = [place for place, text in enumerate(self.negatives) if not barred(text)]
        if len(kept) == len(self.negatives):
            return self
        scores = [self.scores[0], *(self.scores[place + 1] for place in kept)]
        return Found([self.negatives[place] for place in kept], scores, [self.ranks[place] for place in kept])


@dataclass(frozen=True)
class Mined:
    """Every pair with its negatives, hardest first: anchor, positive, negatives, scores, ranks.

    `scores` are those of the positive and of the negatives that were found, `ranks` the places of these negatives among all
    documents that the miner compared; random documents that fill up have neither.
    """

    lists: Dataset
    target: Shape
    settings: MiningSettings

    @cached_property
    def rows(self) -> Dataset:
        """Rows of the target shape; pairs that lack what it needs are left out. Raises `Refused` when no row is left."""
        made = (row for pair in each(self.lists) for row in _SHAPED[self.target](pair, self.settings.num))
        rows = table_of(_each_once(made))
        if not len(rows):
            raise Refused(_none_found(len(self.lists), self.settings))
        return rows

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many queries have fewer negatives than were wanted, what became of them, and what would admit more."""
        number = {row["anchor"]: max(0, len(row["scores"]) - 1) for row in each(self.lists, "anchor", "scores")}
        kept = set(self.rows["anchor"][:])
        few = [query for query, found in number.items() if found < self.settings.num]
        said = f"of {len(number):,} queries have fewer than {self.settings.num} admissible negatives"
        fate = "random documents fill up" if self.settings.fill == "random" else "they keep what they have"
        more = f"more with {' or '.join(softer(self.settings))}"
        counts = {
            f"{said}: {fate}; {more}": sum(query in kept for query in few),
            f"{said}: they are left out; {more}": sum(query not in kept for query in few),
        }
        return {what: number for what, number in counts.items() if number}


def mine(
    pairs: Dataset,
    target: Shape,
    settings: MiningSettings,
    miner: Miner,
    store: Store,
    pool: Pool | None = None,
    rescorer: Rescorer | None = None,
) -> Mined:
    """Rows of shape `target` with negatives from the documents of `pairs` and of `pool`.

    The library's `mine_hard_negatives` does the choosing, by the scores of `rescorer` (0 to 1) where there is one.

    Raises `Refused` when no pair gets its negatives.
    """
    from datasets import Dataset

    models = [miner.digest, rescorer.digest if rescorer else None]
    texts = digest(pairs, "anchor", "positive")
    key = key_of("mined with ranks", asdict(settings), models, pool.digest if pool else None, texts)

    def build(folder: Path) -> None:
        known = pool or Pool(Positives(values(pairs, "anchor", "positive")))
        found = _found(pairs, settings, miner, known, rescorer)
        if not found:
            raise Refused(_none_found(len(pairs), settings))
        Dataset.from_list(_filled(pairs, found, settings, known)).to_parquet(str(folder / "mined.parquet"))

    lists = Dataset.from_parquet(str(store.product("mined", key, build) / "mined.parquet"))
    return Mined(lists, target, settings)


def softer(settings: MiningSettings) -> list[str]:
    """Overrides that admit more negatives."""
    offers = {
        f"negatives.num={settings.num // 2}": settings.num > 1,
        "negatives.range_min=0": settings.range_min > 0,
        "negatives.relative_margin=null": settings.relative_margin is not None,
        "negatives.absolute_margin=null": settings.absolute_margin is not None,
        "negatives.max_score=null": settings.max_score is not None,
        "negatives.min_score=null": settings.min_score is not None,
    }
    return [option for option, helps in offers.items() if helps] or ["more pairs"]


def _none_found(pairs: int, settings: MiningSettings) -> Problem:
    what = f"none of the {pairs:,} pairs has {settings.num} admissible negatives"
    return Problem(what, "negatives", ", or ".join(softer(settings)))


def candidates(
    queries: Sequence[str], documents: Sequence[str], depth: int, miner: Miner, store: Store
) -> list[list[int]]:
    """For each query the `depth` documents (their positions) that the miner finds most similar, best first."""
    import json

    distinct = list(dict.fromkeys(documents))
    depth = min(depth, len(distinct))
    key = key_of("candidates", depth, miner.digest, list(queries), distinct)

    def build(folder: Path) -> None:
        from sentence_transformers.util import semantic_search

        model = miner.load()
        settings: dict[str, Any] = {
            "batch_size": miner.batch_size, "convert_to_tensor": True, "normalize_embeddings": True, "show_progress_bar": False,
        }  # fmt: skip
        with miner.watch(model, len(queries) + len(distinct), "finding candidates"):
            asked = model.encode_query(list(queries), **settings)
            found = semantic_search(asked, model.encode_document(distinct, **settings), top_k=depth)
        ranks = [[int(hit["corpus_id"]) for hit in hits] for hits in found]
        (folder / "ranks.json").write_text(json.dumps(ranks), encoding="utf-8")

    ranks = json.loads((store.product("candidates", key, build) / "ranks.json").read_text(encoding="utf-8"))
    position = {text: index for index, text in reversed(list(enumerate(documents)))}
    return [[position[distinct[hit]] for hit in hits] for hits in ranks]


def _found(
    pairs: Dataset, settings: MiningSettings, miner: Miner, pool: Pool, rescorer: Rescorer | None
) -> dict[tuple[str, str], Found]:
    """What there is for each pair that has any admissible negatives."""
    from sentence_transformers.util import mine_hard_negatives

    from stbench.models.miner import reading

    corpus = pool.corpus.read() if pool.corpus else None
    documents = len({*pairs["positive"][:], *(corpus or ())})
    queries = len(set(pairs["anchor"][:]))
    model = miner.load()
    range_max = max(min(settings.range_max, documents), settings.range_min + settings.num)
    guarded = GuardedMiner(model, pool.known, depth=range_max)
    with ExitStack() as stack:
        stack.enter_context(reading(model, settings.max_seq_length))
        stack.enter_context(miner.watch(model, queries + documents, "mining"))
        stack.enter_context(_drawing(settings.seed))
        mined = mine_hard_negatives(
            pairs,
            guarded,
            anchor_column_name="anchor",
            positive_column_name="positive",
            corpus=corpus,
            cross_encoder=_rescorer(rescorer, guarded, pairs, queries, settings, stack),
            num_negatives=settings.num,
            range_min=settings.range_min,
            range_max=range_max,
            sampling_strategy=settings.sampling,
            relative_margin=settings.relative_margin,
            absolute_margin=settings.absolute_margin,
            max_score=settings.max_score,
            # Without any bound the library would not ask the rescorer.
            min_score=NEVER if rescorer and settings.min_score is None else settings.min_score,
            output_format="labeled-list",
            output_scores=True,
            batch_size=miner.batch_size,
            faiss_batch_size=max(1, SIMILARITIES // documents),
            verbose=False,
        )
    lists = values(mined, "anchor", "positive", "scores") if len(mined) else ()
    return {
        (anchor, positive): Found(negatives, scores, [guarded.rank(anchor, text) for text in negatives])
        for anchor, (positive, *negatives), scores in lists
    }


def _filled(pairs: Dataset, mined: Mapping[tuple[str, str], Found], settings: MiningSettings, pool: Pool) -> list[Row]:
    """Every pair with its negatives; random documents stand for those that are lacking."""
    documents = list(dict.fromkeys([*pairs["positive"][:], *(pool.corpus.read() if pool.corpus else ())]))
    nearly = _nearly_positive(pairs, mined) if settings.near_positives == "drop" else lambda *_: False
    rows: list[Row] = []
    for anchor, positive in dict.fromkeys(values(pairs, "anchor", "positive")):
        found = mined.get((anchor, positive), Found((), (), ())).without(partial(nearly, anchor))
        negatives = list(found.negatives)
        if settings.fill == "random" and len(negatives) < settings.num:
            hidden = {*pool.known.of(anchor), content_hash(positive), *map(content_hash, negatives)}
            # By the query: it gets the same documents with each of its positives.
            draw = random.Random(f"{settings.seed} {anchor}")
            more = _drawn(documents, settings.num - len(negatives), hidden, draw, partial(nearly, anchor))
            negatives = [*negatives, *more]
        kept = {"scores": list(found.scores), "ranks": list(found.ranks)}
        rows.append({"anchor": anchor, "positive": positive, "negatives": negatives, **kept})
    return rows


def _nearly_positive(pairs: Dataset, mined: Mapping[tuple[str, str], Found]) -> Callable[[str, str], bool]:
    """Whether a query has a positive that is nearly the text."""
    positives: dict[str, dict[str, str]] = {}
    for anchor, positive in values(pairs, "anchor", "positive"):
        positives.setdefault(anchor, {})[content_hash(positive)] = positive
    alike = Alike([*pairs["positive"][:], *(text for found in mined.values() for text in found.negatives)])
    return lambda query, text: alike.among(text, positives[query]) is not None


def _drawn(
    documents: Sequence[str], number: int, hidden: set[str], draw: random.Random, barred: Callable[[str], bool]
) -> list[str]:
    """`number` documents at random, none of them hidden, barred or twice; fewer where there are no more."""
    found: dict[str, str] = {}
    for place in draw.sample(range(len(documents)), min(len(documents), TRIES)):
        if len(found) == number:
            break
        key = content_hash(documents[place])
        if key not in hidden and not barred(documents[place]):
            found.setdefault(key, documents[place])
    return list(found.values())


def _rescorer(
    rescorer: Rescorer | None,
    guarded: GuardedMiner,
    pairs: Dataset,
    queries: int,
    settings: MiningSettings,
    stack: ExitStack,
) -> Any:
    """`rescorer` as the library sees it; it is watched until `stack` ends."""
    if rescorer is None:
        return None
    model = rescorer.load()
    from stbench.models.miner import reading

    stack.enter_context(reading(model, settings.max_seq_length))
    stack.enter_context(rescorer.watch(model, queries * settings.range_max, "rescoring"))
    return GuardedRescorer(model, guarded.hides, set(values(pairs, "anchor", "positive")))


@contextmanager
def _drawing(seed: int) -> Iterator[None]:
    """The library draws random negatives from Python's own generator."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def _triplets(pair: Row, num: int) -> Iterator[Row]:
    for text in pair["negatives"]:
        yield {"anchor": pair["anchor"], "positive": pair["positive"], "negative": text}


def _tuples(pair: Row, num: int) -> Iterator[Row]:
    """All rows have the same columns, so a pair with too few negatives makes none."""
    if len(pair["negatives"]) == num:
        numbered = {f"negative_{number}": text for number, text in enumerate(pair["negatives"], 1)}
        yield {"anchor": pair["anchor"], "positive": pair["positive"], **numbered}


def _labelled(pair: Row, num: int) -> Iterator[Row]:
    for text, label in [(pair["positive"], 1), *((text, 0) for text in pair["negatives"])]:
        yield {"anchor": pair["anchor"], "positive": text, "label": label}


def _ranked(pair: Row, num: int) -> Iterator[Row]:
    if pair["negatives"]:
        relevance = [1.0] + [0.0] * len(pair["negatives"])
        yield {"anchor": pair["anchor"], "documents": [pair["positive"], *pair["negatives"]], "relevance": relevance}


_SHAPED: dict[Shape, Callable[[Row, int], Iterator[Row]]] = {
    "triplet": _triplets,
    "n_tuple": _tuples,
    "labeled_pair": _labelled,
    "ranked_list": _ranked,
}


def _each_once(rows: Iterable[Row]) -> Iterator[Row]:
    """Negatives of a query with several positives come with each of them; labelled rows would say the same twice."""
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        content = tuple(tuple(value) if isinstance(value, list) else value for value in row.values())
        if content not in seen:
            seen.add(content)
            yield row
