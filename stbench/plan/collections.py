"""What a retrieval collection decides in the plan: which judgements count, and how many documents are searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stbench.cache import Store
from stbench.config.sentence import Sentence
from stbench.data.collection_pairs import relevant_pairs
from stbench.data.searched import JUDGED, Searched
from stbench.data.sources import Source
from stbench.plan.plan import Decision

_SHOWN = {"train": "training", "validation": "selection", "test": "test"}


def searched(sentence: Sentence, source: Source, store: Store) -> Searched | None:
    """How the collection of `source` judges; None where its rows come from none.

    The checkpoint is chosen on a part of the documents: each evaluation while training would encode all of them.
    """
    if source.collection is None:
        return None
    at_most = sentence.training.evaluation_documents
    selection = sentence.evaluator.selection_documents
    both = [number for number in (at_most, selection) if number is not None]
    documents = {"validation": min(both, default=None), "test": at_most}
    return Searched(source.collection, documents, relevant_pairs(source.collection, store))


def explain_collection(searched: Searched, judged: Sequence[str] = JUDGED) -> Iterator[Decision]:
    """Lines of the plan; `judged` are the splits that are."""
    pairs, files = searched.pairs, searched.files
    read = f"{pairs.documents:,} documents of {files.corpus.name}"
    yield Decision("collection", read, "; ".join(_searching(searched, judged)))
    yield Decision(
        "judgements", "; ".join(_judgements(searched)), _held_out(searched) if "validation" in judged else ""
    )
    if pairs.graded:
        yield Decision(
            "grades", "nDCG weighs them", "as trec_eval does; for the other metrics all above 0 are relevant"
        )


def _searching(searched: Searched, judged: Sequence[str]) -> Iterator[str]:
    for split in reversed(judged):
        if searched.judgements_of(split) is None:
            yield f"{_SHOWN[split]} queries search the data's own held-out documents"
            continue
        most = searched.documents.get(split)
        if most is None or most >= searched.pairs.documents:
            yield f"{_SHOWN[split]} queries search all of them"
        else:
            option = "evaluator.selection_documents" if split == "validation" else "training.evaluation_documents"
            yield f"{_SHOWN[split]} queries {most:,} of them, the relevant ones and a sample ({option})"


def _judgements(searched: Searched) -> Iterator[str]:
    pairs = searched.pairs
    for split, file in searched.files.qrels.items():
        left_out = ", ".join(f"{number:,} {what}" for what, number in pairs.left_out.get(split, {}).items())
        yield f"{file.name}: {pairs.queries[split]:,} queries" + (f" ({left_out})" if left_out else "")


def _held_out(searched: Searched) -> str:
    (first, file), *others = searched.files.qrels.items()
    lacking = [split for split in JUDGED if searched.judgements_of(split) == first and split != first]
    if not lacking:
        return "training queries that are also held out are left out"
    into = [_SHOWN[split] for split in (first, *lacking)]
    only = "all there is" if not others else f"no {' and no '.join(_SHOWN[split] for split in lacking)} judgements"
    return f"{only}: queries of {file.name} are split by content hash into {', '.join(into[:-1])} and {into[-1]}"
