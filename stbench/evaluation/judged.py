"""What an evaluation judged, as one digest: runs with the same digest were asked the same of the same texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stbench.cache import key_of
from stbench.data.collection import Collection, texts_digest
from stbench.evaluation.first_stage import documents_of
from stbench.evaluation.inputs import Inputs


def judged_digest(inputs: Inputs, add_missed: bool) -> str:
    """Digest of texts, candidates and targets, whatever order they stand in and whatever type of model is asked."""
    if inputs.collection is not None:
        return _of_collection(inputs.collection)
    if "samples" in inputs.arguments:
        return key_of("lists", sorted(_of_list(sample, add_missed) for sample in inputs.arguments["samples"]))
    columns = [
        value for value in inputs.arguments.values() if isinstance(value, list) and len(value) == len(inputs.ids)
    ]
    rows = zip(inputs.ids, *columns, strict=True)
    texts = inputs.arguments.get("sentences_map", {})
    return key_of("rows", sorted(key_of(_flat(row)) for row in rows), texts)


def _of_collection(found: Collection) -> str:
    grades = {query: dict(judged) for query, judged in found.grades.items()}
    return key_of(
        "collection", texts_digest(sorted(found.corpus.items())), texts_digest(sorted(found.queries.items())), grades
    )


def _of_list(sample: Mapping[str, Any], add_missed: bool) -> str:
    relevant = {text: float(sample["gains"].get(text, 1.0)) for text in sample["positive"]}
    return key_of(sample["query"], sorted(documents_of(sample, add_missed)), relevant)


def _flat(values: Iterable[Any]) -> list[Any]:
    """A pair says the same as two columns do, 1 the same as 1.0."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, list | tuple):
            found += _flat(value)
        else:
            found.append(value if isinstance(value, str) else float(value))
    return found
