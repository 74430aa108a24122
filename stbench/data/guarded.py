"""The models of a mining as the library sees them: without bars of their own, and blind to pairs that are no negatives.

The library leaves out only texts that are, letter by letter, positives of the same query in the rows that it mines from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from stbench.data.positives import Positives
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from torch import Tensor

NEVER = float("-inf")
"""A score by which the library leaves a document out."""


class GuardedMiner:
    """A bi-encoder whose similarity hides known positives, the query itself, and all but one spelling of a document.

    The library embeds the documents, then the queries, and asks for the similarity of the queries in their order.
    """

    def __init__(self, model: Any, known: Positives, depth: int = 0) -> None:
        """`depth`: so many documents of each query are remembered with their ranks."""
        self._model = model
        self._known = known
        self._depth = depth
        self._ranks: dict[str, dict[str, int]] = {}
        self._texts: Sequence[str] = ()
        self._queries: Sequence[str] = ()
        self._places: dict[str, list[int]] = {}
        self._repeated: dict[str, int] = {}
        self._asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_query(self, texts: list[str], **settings: Any) -> Any:
        self._queries, self._asked = texts, 0
        return self._model.encode_query(texts, **{**settings, "show_progress_bar": False})

    def encode_document(self, texts: list[str], **settings: Any) -> Any:
        self._places.clear()
        self._texts = texts
        for place, text in enumerate(texts):
            self._places.setdefault(content_hash(text), []).append(place)
        self._repeated = {texts[place]: place for places in self._places.values() for place in places[1:]}
        return self._model.encode_document(texts, **{**settings, "show_progress_bar": False})

    def similarity(self, queries: Any, documents: Any) -> Tensor:
        """Shape (queries, documents)."""
        scores: Tensor = self._model.similarity(queries, documents)
        scores[:, list(self._repeated.values())] = NEVER
        asked = self._queries[self._asked : self._asked + len(scores)]
        for row, query in enumerate(asked):
            hidden = [place for key in self._known.of(query) for place in self._places.get(key, ())]
            scores[row, hidden] = NEVER
        self._asked += len(scores)
        self._remember(asked, scores)
        return scores

    def _remember(self, queries: Sequence[str], scores: Tensor) -> None:
        best = scores.topk(min(self._depth, scores.shape[1])).indices.tolist()
        for query, places in zip(queries, best, strict=True):
            self._ranks[query] = {self._texts[place]: rank for rank, place in enumerate(places, 1)}

    def rank(self, query: str, document: str) -> int | None:
        """The place of `document` among all that are no positives of `query`, 1 for the most similar; None below the depth."""
        return self._ranks.get(query, {}).get(document)

    def hides(self, query: str, document: str) -> bool:
        return document in self._repeated or content_hash(document) in self._known.of(query)


class GuardedRescorer:
    """A cross-encoder that scores each pair once, from 0 to 1, and hidden pairs so that they are left out."""

    def __init__(self, model: Any, hides: Callable[[str, str], bool], pairs: Collection[tuple[str, str]]) -> None:
        """`pairs` are the rows that are mined from, which the library scores to hold the others against them."""
        self._model = model
        self._hides = hides
        self._pairs = pairs

    def predict(self, pairs: list[tuple[str, str]], **settings: Any) -> Tensor:
        """Shape (pairs,)."""
        import torch
        from torch import nn

        asked = [pair for pair in dict.fromkeys(pairs) if pair in self._pairs or not self._hides(*pair)]
        given = {**settings, "activation_fn": nn.Sigmoid(), "show_progress_bar": False}
        scores = self._model.predict(asked, **given).tolist() if asked else []
        by_pair = dict(zip(asked, scores, strict=True))
        return torch.tensor([by_pair.get(pair, NEVER) for pair in pairs])
