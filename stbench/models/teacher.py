"""The model whose answers a student learns: scores of pairs, or embeddings of texts, kept in the cache by content."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stbench.cache import Store, key_of
from stbench.data.convert import listed
from stbench.data.shapes import Conversion
from stbench.errors import Problem, Refused
from stbench.models.digest import weights_digest

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset
    from numpy.typing import NDArray

    from stbench.plan.plan import TeacherPlan


@dataclass
class Teacher:
    """A teacher by its files; loaded only when the cache cannot answer."""

    plan: TeacherPlan
    device: str
    _model: Any = field(default=None, repr=False)
    _components: Any = field(default=None, repr=False)

    @cached_property
    def digest(self) -> str:
        return weights_digest(self.plan.base)

    def answer(self, rows: Dataset, step: Conversion, store: Store) -> Dataset:
        """`rows` after a conversion that asks the teacher."""
        if step.name == "embed":
            return _with(rows, "embedding", self._embeddings(list(rows["text"]), store))
        lists = [(row["anchor"], listed(row)[0]) for row in rows]
        scores = self._scores([(anchor, text) for anchor, texts in lists for text in texts], store)
        taken = iter(scores)
        by_row = [[float(next(taken)) for _ in texts] for _, texts in lists]
        if step.target == "margin_triplet":
            return _with(rows, "margin", [positive - negative for positive, negative in by_row])
        if step.target == "scored_pair":
            return _with(rows, "score", [_sigmoid(score) for (score,) in by_row])
        return _with(rows, "scores", by_row)

    def _scores(self, pairs: list[tuple[str, str]], store: Store) -> NDArray[Any]:
        """Raw scores (logits) of the pairs, shape (pairs,)."""
        return self._kept("teacher-scores", pairs, store, self._predict)

    def _predict(self, pairs: list[tuple[str, str]]) -> NDArray[Any]:
        from torch import nn

        model = self._load()
        if model.num_labels != 1:
            what = f"{self.plan.base.name} gives {model.num_labels} classes, not one score"
            raise Refused(Problem(what, "teacher.model", "name a cross-encoder with one label (a reranker)"))
        predicted: NDArray[Any] = model.predict(
            pairs, batch_size=self.plan.batch_size, activation_fn=nn.Identity(), show_progress_bar=False
        )
        return predicted

    def _embeddings(self, texts: list[str], store: Store) -> NDArray[Any]:
        """Embeddings of the texts, shape (texts, dimensions), projected where the student's are smaller.

        The projection is that of the first texts asked, which are those to train on: held-out ones must meet the same.
        """
        found = self._kept("teacher-embeddings", texts, store, self._embed)
        if self.plan.dimensions is None:
            return found
        self._components = self._components or _components(found, self.plan.dimensions)
        projected: NDArray[Any] = self._components.transform(found)
        return projected

    def _embed(self, texts: list[str]) -> NDArray[Any]:
        import numpy as np

        encoded = self._load().encode(texts, batch_size=self.plan.batch_size, show_progress_bar=False)
        return np.asarray(encoded.to_dense().cpu() if self.plan.kind == "sparse_encoder" else encoded, np.float32)

    def _kept(self, kind: str, asked: list[Any], store: Store, make: Any) -> NDArray[Any]:
        import numpy as np

        key = key_of(kind, self.digest, self.plan.kind, [list(item) for item in asked])

        def build(folder: Path) -> None:
            np.save(folder / "answers.npy", make(asked))

        return np.load(store.product(kind, key, build) / "answers.npy")  # type: ignore[no-any-return]

    def _load(self) -> Any:
        from stbench.models.blueprint import Blueprint
        from stbench.models.build import build

        types = {
            "cross_encoder": "cross_encoder",
            "bi_encoder": "sentence_transformer",
            "sparse_encoder": "sparse_encoder",
        }
        if self._model is None:
            self._model = build(Blueprint(types[self.plan.kind], self.plan.base, self.device), seed=0)  # type: ignore[arg-type]
        return self._model


def _with(rows: Dataset, name: str, values: Any) -> Dataset:
    return rows.add_column(name, list(values))


def _sigmoid(score: float) -> float:
    import math

    return 1 / (1 + math.exp(-score))


def _components(embeddings: NDArray[Any], dimensions: int) -> Any:
    """The first principal components, as many as the student has dimensions."""
    from sklearn.decomposition import PCA

    if len(embeddings) < dimensions:
        what = f"{len(embeddings)} texts are too few to project the teacher's embeddings to {dimensions} dimensions"
        raise Refused(Problem(what, "teacher.projection", "more rows, or teacher.projection=none"))
    return PCA(n_components=dimensions, random_state=0).fit(embeddings)
