"""Hard negatives and first-stage candidates, found by the similarity of a bi-encoder, kept in the cache by content."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from stbench.cache import Store, key_of
from stbench.config.sentence import Shape
from stbench.errors import Problem, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset
    from sentence_transformers import SentenceTransformer

    from stbench.models.miner import Miner

_FORMATS: dict[Shape, Literal["triplet", "n-tuple", "labeled-pair", "labeled-list"]] = {
    "triplet": "triplet",
    "n_tuple": "n-tuple",
    "labeled_pair": "labeled-pair",
    "ranked_list": "labeled-list",
}


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


@dataclass(frozen=True)
class Mined:
    """Training rows with hard negatives, and how many of the pairs got none."""

    rows: Dataset
    shortfall: int


def mine(pairs: Dataset, target: Shape, settings: MiningSettings, miner: Miner, store: Store) -> Mined:
    """Rows of shape `target` with negatives from the documents of `pairs`.

    The library's `mine_hard_negatives` does the choosing; pairs with fewer than `settings.num` admissible negatives are
    left out and counted.

    Raises `Refused` when no pair gets its negatives.
    """
    from datasets import Dataset

    texts = [[row["anchor"], row["positive"]] for row in pairs]
    key = key_of("mined", target, asdict(settings), miner.digest, texts)

    def build(folder: Path) -> None:
        mined = _mine(pairs, target, settings, miner)
        if not len(mined):
            raise Refused(_none_found(len(pairs), settings))
        mined.to_parquet(str(folder / "mined.parquet"))

    rows = Dataset.from_parquet(str(store.product("mined", key, build) / "mined.parquet"))
    return Mined(rows, len(set(pairs["anchor"])) - len(set(rows["anchor"])))


def _none_found(pairs: int, settings: MiningSettings) -> Problem:
    softer = {
        f"negatives.num={settings.num // 2}": settings.num > 1,
        "negatives.range_min=0": settings.range_min > 0,
        "negatives.relative_margin=null": settings.relative_margin is not None,
        "negatives.absolute_margin=null": settings.absolute_margin is not None,
        "negatives.max_score=null": settings.max_score is not None,
        "negatives.min_score=null": settings.min_score is not None,
    }
    offers = [option for option, helps in softer.items() if helps] or ["more pairs"]
    return Problem(
        f"none of the {pairs:,} pairs has {settings.num} admissible negatives", "negatives", ", or ".join(offers)
    )


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
        found = semantic_search(
            model.encode_query(
                list(queries), convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False
            ),
            model.encode_document(distinct, convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False),
            top_k=depth,
        )
        ranks = [[int(hit["corpus_id"]) for hit in hits] for hits in found]
        (folder / "ranks.json").write_text(json.dumps(ranks), encoding="utf-8")

    ranks = json.loads((store.product("candidates", key, build) / "ranks.json").read_text(encoding="utf-8"))
    position = {text: index for index, text in reversed(list(enumerate(documents)))}
    return [[position[distinct[hit]] for hit in hits] for hits in ranks]


class _Quiet:
    """A bi-encoder without bars of its own, which the library's mining always draws."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_query(self, texts: list[str], **settings: Any) -> Any:
        return self._model.encode_query(texts, **{**settings, "show_progress_bar": False})

    def encode_document(self, texts: list[str], **settings: Any) -> Any:
        return self._model.encode_document(texts, **{**settings, "show_progress_bar": False})


def _mine(pairs: Dataset, target: Shape, settings: MiningSettings, miner: Miner) -> Dataset:
    from sentence_transformers.util import mine_hard_negatives

    random.seed(settings.seed)
    mined = mine_hard_negatives(
        pairs,
        _Quiet(miner.load()),
        anchor_column_name="anchor",
        positive_column_name="positive",
        num_negatives=settings.num,
        range_min=settings.range_min,
        range_max=max(min(settings.range_max, len(pairs)), settings.range_min + settings.num),
        sampling_strategy=settings.sampling,
        relative_margin=settings.relative_margin,
        absolute_margin=settings.absolute_margin,
        max_score=settings.max_score,
        min_score=settings.min_score,
        output_format=_FORMATS[target],
        batch_size=256,
        verbose=False,
    )
    return _named(mined, target)


def _named(mined: Dataset, target: Shape) -> Dataset:
    """The library's column names turned into roles."""
    if target == "ranked_list":
        names = dict(zip(mined.column_names, ("anchor", "documents", "relevance"), strict=True))
    elif target == "labeled_pair":
        names = dict(zip(mined.column_names, ("anchor", "positive", "label"), strict=True))
    elif target == "n_tuple" and len(mined.column_names) == 3:
        names = {mined.column_names[2]: "negative_1"}
    else:
        names = {}
    return mined.rename_columns({old: new for old, new in names.items() if old != new})
