"""From held-out rows to what an evaluator of the library is built from, one small function for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.data.collection import Collection
from stbench.data.convert import listed
from stbench.data.mining import candidates
from stbench.data.splits import content_hash
from stbench.evaluation.collection import collection_of
from stbench.evaluation.duplicates import BETWEEN
from stbench.evaluation.probe import labelled_texts
from stbench.evaluation.vectors import GivenTeacher
from stbench.models.miner import Miner
from stbench.plan.plan import EvaluatorPlan

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Means:
    """What inputs are made with, beside the rows."""

    plan: EvaluatorPlan
    type: ModelType
    miner: Miner | None
    store: Store
    collection: Collection | None = None
    """What the queries search, where it is more than the documents of the rows."""


@dataclass(frozen=True)
class Inputs:
    """What reaches the constructor of the library's evaluator, and the id of each sample it will judge."""

    arguments: Mapping[str, Any]
    ids: list[str]
    texts: int
    """Texts (or pairs) that one evaluation sends through the model."""
    collection: Collection | None = None
    """What retrieval searches."""


def retrieval(rows: Dataset, means: Means) -> Inputs:
    found = means.collection or collection_of(rows)
    arguments = {
        "queries": dict(found.queries), "corpus": dict(found.corpus), "relevant_docs": found.relevant,
        "corpus_chunk_size": chunk_size(means.type, len(found.queries)),
    }  # fmt: skip
    return Inputs(arguments, list(found.queries), len(found.corpus) + len(found.queries), found)


def chunk_size(type_: ModelType, queries: int) -> int:
    """Documents that are encoded and scored at a time, so that a large corpus needs no more memory than a small one.

    Token vectors of 1,000 documents take about 0.2 GB, an untrained SPLADE's 0.6 GB, the scores of a chunk at most 0.2 GB.
    """
    most = 10_000 if type_ == "sentence_transformer" else 1_000
    return max(1, min(most, 50_000_000 // max(1, queries)))


def reranking(rows: Dataset, means: Means) -> Inputs:
    lists = (
        _first_stage(collection_of(rows), means) if means.miner and _is_bare(rows.column_names) else _own_lists(rows)
    )
    samples = list(lists if means.type == "cross_encoder" else map(_as_negatives, lists))
    # A positive that the first stage missed is added, so this may count a few pairs too few.
    pairs = sum(len(sample.get("documents") or sample["positive"] + sample["negative"]) for sample in samples)
    return Inputs({"samples": samples}, [content_hash(sample["query"]) for sample in samples], pairs)


def _is_bare(columns: Iterable[str]) -> bool:
    """Whether rows of these columns bring no irrelevant documents along, so that a first stage must find some."""
    return not any(name in ("documents", "label") or name.startswith("negative") for name in columns)


def _own_lists(rows: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    for row in rows:
        documents, relevance = listed(row)
        positive = [text for text, value in zip(documents, relevance, strict=True) if value > 0]
        negative = [text for text, value in zip(documents, relevance, strict=True) if value <= 0]
        if positive and negative:
            yield {"query": row["anchor"], "positive": positive, "negative": negative}


def _first_stage(found: Collection, means: Means) -> Iterable[dict[str, Any]]:
    """Candidates are what the miner finds among all held-out documents; a positive it missed is ranked last."""
    assert means.miner is not None
    documents = list(found.corpus.values())
    ranks = candidates(list(found.queries.values()), documents, means.plan.depth, means.miner, means.store)
    for (key, query), hits in zip(found.queries.items(), ranks, strict=True):
        positive = [found.corpus[document] for document in found.grades[key] if document in found.relevant[key]]
        if positive:
            yield {"query": query, "positive": positive, "documents": [documents[hit] for hit in hits]}


def _as_negatives(sample: dict[str, Any]) -> dict[str, Any]:
    """Evaluators of embeddings know no first stage: its documents are negatives, unless they are positives."""
    if "documents" not in sample:
        return sample
    negative = [text for text in sample["documents"] if text not in sample["positive"]]
    return {"query": sample["query"], "positive": sample["positive"], "negative": negative}


def scored_pairs(rows: Dataset, means: Means) -> Inputs:
    return _pairs(rows, means, {"scores": list(rows["score"])})


def labelled_pairs(rows: Dataset, means: Means) -> Inputs:
    return _pairs(rows, means, {"labels": list(rows["label"])})


def _pairs(rows: Dataset, means: Means, targets: dict[str, Any]) -> Inputs:
    """Cross-encoders take pairs, the others two columns."""
    first, second = list(rows["anchor"]), list(rows["positive"])
    ids = _ids(first, second)
    if means.type == "cross_encoder":
        pairs = [list(pair) for pair in zip(first, second, strict=True)]
        return Inputs({"sentence_pairs": pairs, **targets}, ids, len(pairs))
    return Inputs({"sentences1": first, "sentences2": second, **targets}, ids, len(first) + len(second))


def triplets(rows: Dataset, means: Means) -> Inputs:
    columns = [list(rows[name]) for name in ("anchor", "positive", "negative")]
    arguments = dict(zip(("anchors", "positives", "negatives"), columns, strict=True))
    return Inputs(arguments, _ids(*columns), sum(map(len, columns)))


def translations(rows: Dataset, means: Means) -> Inputs:
    names = ("text", "translation") if "translation" in rows.column_names else ("anchor", "positive")
    source, target = (list(rows[name]) for name in names)
    arguments = {"source_sentences": source, "target_sentences": target}
    return Inputs(arguments, _ids(source, target), 2 * len(source))


def embedded_texts(rows: Dataset, means: Means) -> Inputs:
    """The student reads the translation, where there is one: its embedding should be that of the text."""
    texts = list(rows["translation"] if "translation" in rows.column_names else rows["text"])
    arguments = {"source_sentences": texts, "target_sentences": texts, "teacher_model": GivenTeacher(rows["embedding"])}
    return Inputs(arguments, _ids(texts), len(texts))


def duplicates(rows: Dataset, means: Means) -> Inputs:
    """Every pair is a duplicate, or every pair with label 1; all other pairs of the texts are taken for none."""
    texts: dict[str, str] = {}
    pairs: dict[str, tuple[str, str]] = {}
    for row in rows:
        first, second = content_hash(row["anchor"]), content_hash(row["positive"])
        texts.update({first: row["anchor"], second: row["positive"]})
        if first != second and row.get("label", 1):
            pairs[BETWEEN.join(sorted((first, second)))] = (first, second)
    arguments = {"sentences_map": texts, "duplicates_list": list(pairs.values())}
    return Inputs(arguments, list(pairs), len(texts))


def scored_lists(rows: Dataset, means: Means) -> Inputs:
    """Lists without any order of the teacher's say nothing about the student's."""
    kept = [row for row in rows if len(set(row["scores"])) > 1]
    documents = [listed({name: row[name] for name in row if name != "scores"})[0] for row in kept]
    queries = [row["anchor"] for row in kept]
    arguments = {"queries": queries, "documents": documents, "scores": [list(row["scores"]) for row in kept]}
    return Inputs(arguments, _ids(queries, map(str, documents)), len(queries) + sum(map(len, documents)))


def probed_rows(rows: Dataset, means: Means) -> Inputs:
    names = ["text"] if "text" in rows.column_names else ["anchor", "positive"]
    columns = [list(rows[name]) for name in names]
    loader = labelled_texts(columns, list(rows["label"]), means.plan.batch_size)
    return Inputs({"dataloader": loader}, _ids(*columns), sum(map(len, columns)))


def _ids(*columns: Iterable[str]) -> list[str]:
    return [content_hash("\n".join(texts)) for texts in zip(*columns, strict=True)]


INPUTS: dict[str, Callable[[Dataset, Means], Inputs]] = {
    "retrieval": retrieval,
    "reranking": reranking,
    "similarity": scored_pairs,
    "correlation": scored_pairs,
    "binary": labelled_pairs,
    "classes": labelled_pairs,
    "triplet": triplets,
    "translation": translations,
    "mse": embedded_texts,
    "paraphrase_mining": duplicates,
    "distillation": scored_lists,
    "label_accuracy": probed_rows,
}
