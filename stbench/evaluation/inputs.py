"""From held-out rows to what an evaluator of the library is built from, one small function for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from stbench.cache import Store
from stbench.config.sentence import ModelType
from stbench.data.collection import Collection
from stbench.data.convert import listed
from stbench.data.rows import each
from stbench.data.splits import content_hash
from stbench.evaluation.collection import collection_of
from stbench.evaluation.duplicates import BETWEEN
from stbench.evaluation.first_stage import documents_of, rankings, references, samples
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
    retriever: Miner | None
    """The bi-encoder of the first stage; None: BM25."""
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
    references: Mapping[str, float] = field(default_factory=dict)
    """Scores of other systems on the same samples."""


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
    """Lists of candidates: those that the first stage finds, or the rows' own."""
    if means.plan.first_stage and (means.collection or _is_bare(rows.column_names)):
        return _two_stages(means.collection or collection_of(rows), means)
    lists = list(_own_lists(rows))
    return _lists(lists, [content_hash(sample["query"]) for sample in lists], means)


def _two_stages(found: Collection, means: Means) -> Inputs:
    lists = list(samples(found, rankings(found, means.plan, means.retriever, means.store)))
    inputs = _lists(lists, list(found.queries), means)
    return replace(inputs, references=references(lists, found, means.plan, means.retriever, means.store))


def _lists(lists: list[dict[str, Any]], ids: list[str], means: Means) -> Inputs:
    judged = [documents_of(sample, means.plan.add_missed) for sample in lists]
    if means.type == "cross_encoder":
        arguments = {"samples": lists, "always_rerank_positives": means.plan.add_missed}
        return Inputs(arguments, ids, sum(map(len, judged)))
    return Inputs({"samples": lists}, ids, len(lists) + len({text for texts in judged for text in texts}))


def _is_bare(columns: Iterable[str]) -> bool:
    """Whether rows of these columns bring no irrelevant documents along, so that a first stage must find some."""
    names = set(columns)
    if "text" in names:
        return True
    return not any(name in ("documents", "label") or name.startswith("negative") for name in names)


def _own_lists(rows: Dataset) -> Iterable[dict[str, Any]]:
    """Lists in which something is to be put in order."""
    for query, documents, relevance in _judged_lists(rows):
        positive = [text for text, value in zip(documents, relevance, strict=True) if value > 0]
        negative = [text for text, value in zip(documents, relevance, strict=True) if value <= 0]
        if positive and len(set(relevance)) > 1:
            gains = dict(zip(documents, relevance, strict=True))
            yield {"query": query, "positive": positive, "negative": negative, "gains": gains}


def _judged_lists(rows: Dataset) -> Iterable[tuple[str, list[str], list[float]]]:
    """Each row with its documents; labelled pairs of one anchor are one list."""
    if "label" not in rows.column_names:
        return ((row["anchor"], *listed(row)) for row in each(rows))
    lists: dict[str, tuple[list[str], list[float]]] = {}
    for row in each(rows):
        documents, relevance = lists.setdefault(row["anchor"], ([], []))
        documents.append(row["positive"])
        relevance.append(float(row["label"]))
    return ((query, *judged) for query, judged in lists.items())


def scored_pairs(rows: Dataset, means: Means) -> Inputs:
    return _pairs(rows, means, {"scores": rows["score"][:]})


def labelled_pairs(rows: Dataset, means: Means) -> Inputs:
    return _pairs(rows, means, {"labels": rows["label"][:]})


def _pairs(rows: Dataset, means: Means, targets: dict[str, Any]) -> Inputs:
    """Cross-encoders take pairs, the others two columns."""
    first, second = rows["anchor"][:], rows["positive"][:]
    ids = _ids(first, second)
    if means.type == "cross_encoder":
        pairs = [list(pair) for pair in zip(first, second, strict=True)]
        return Inputs({"sentence_pairs": pairs, **targets}, ids, len(pairs))
    return Inputs({"sentences1": first, "sentences2": second, **targets}, ids, len(first) + len(second))


def triplets(rows: Dataset, means: Means) -> Inputs:
    columns = [rows[name][:] for name in ("anchor", "positive", "negative")]
    arguments = dict(zip(("anchors", "positives", "negatives"), columns, strict=True))
    return Inputs(arguments, _ids(*columns), sum(map(len, columns)))


def translations(rows: Dataset, means: Means) -> Inputs:
    names = ("text", "translation") if "translation" in rows.column_names else ("anchor", "positive")
    source, target = (rows[name][:] for name in names)
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
    for row in each(rows):
        first, second = content_hash(row["anchor"]), content_hash(row["positive"])
        texts.update({first: row["anchor"], second: row["positive"]})
        if first != second and row.get("label", 1):
            pairs[BETWEEN.join(sorted((first, second)))] = (first, second)
    arguments = {"sentences_map": texts, "duplicates_list": list(pairs.values())}
    return Inputs(arguments, list(pairs), len(texts))


def scored_lists(rows: Dataset, means: Means) -> Inputs:
    """Lists without any order of the teacher's say nothing about the student's."""
    kept = [row for row in each(rows) if len(set(row["scores"])) > 1]
    documents = [listed({name: row[name] for name in row if name != "scores"})[0] for row in kept]
    queries = [row["anchor"] for row in kept]
    arguments = {"queries": queries, "documents": documents, "scores": [list(row["scores"]) for row in kept]}
    return Inputs(arguments, _ids(queries, map(str, documents)), len(queries) + sum(map(len, documents)))


def probed_rows(rows: Dataset, means: Means) -> Inputs:
    names = ["text"] if "text" in rows.column_names else ["anchor", "positive"]
    columns = [rows[name][:] for name in names]
    loader = labelled_texts(columns, rows["label"][:], means.plan.batch_size)
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
