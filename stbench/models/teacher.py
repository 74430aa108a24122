"""The model whose answers a student learns: scores of pairs, or embeddings of texts, kept in the cache by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stbench.cache import Store, key_of
from stbench.data.convert import listed
from stbench.data.shapes import Conversion
from stbench.models.digest import weights_digest
from stbench.models.miner import Watch, reranker, unwatched

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset
    from numpy.typing import NDArray

    from stbench.plan.plan import TeacherPlan

AT_A_TIME = 2000
"""Texts whose embeddings are in memory at a time; those of a sparse teacher have as many numbers as it knows words."""


@dataclass
class Teacher:
    """A teacher by its files; loaded only when the cache cannot answer."""

    plan: TeacherPlan
    device: str
    watch: Watch = unwatched
    _model: Any = field(default=None, repr=False)
    _components: Any = field(default=None, repr=False)

    @cached_property
    def digest(self) -> str:
        return weights_digest(self.plan.base)

    def answer(self, rows: Dataset, step: Conversion, store: Store) -> Dataset:
        """`rows` after a conversion that asks the teacher."""
        if step.name == "embed":
            return _beside(rows, self._embeddings(list(rows["text"]), store))
        lists = [(row["anchor"], listed(row)[0]) for row in rows]
        scores = self._scores([(anchor, text) for anchor, texts in lists for text in texts], store)
        taken = iter(scores)
        by_row = [[next(taken) for _ in texts] for _, texts in lists]
        if step.target == "margin_triplet":
            return _with(rows, "margin", [positive - negative for positive, negative in by_row])
        if step.target == "scored_pair":
            return _with(rows, "score", [_sigmoid(score) for (score,) in by_row])
        return _with(rows, "scores", by_row)

    def _scores(self, pairs: Sequence[tuple[str, str]], store: Store) -> list[float]:
        """Raw scores (logits) of the pairs."""
        import numpy as np

        asked = list(dict.fromkeys(pairs))

        def build(folder: Path) -> None:
            np.save(folder / "scores.npy", self._predict(asked))

        key = key_of("teacher-scores", self.digest, [list(pair) for pair in asked])
        scores = np.load(store.product("teacher-scores", key, build) / "scores.npy").tolist()
        by_pair = dict(zip(asked, scores, strict=True))
        return [by_pair[pair] for pair in pairs]

    def _predict(self, pairs: list[tuple[str, str]]) -> NDArray[Any]:
        from torch import nn

        model = self._load()
        with self.watch(model, len(pairs), f"asking {self.plan.base.name}"):
            predicted: NDArray[Any] = model.predict(
                pairs, batch_size=self.plan.batch_size, activation_fn=nn.Identity(), show_progress_bar=False
            )
        return predicted

    def _embeddings(self, texts: list[str], store: Store) -> Dataset:
        """Embeddings of the texts as rows, projected where the student's are smaller.

        The projection is that of the first texts asked, which are those to train on: held-out ones must meet the same.
        """
        from datasets import Dataset

        asked = list(dict.fromkeys(texts))
        place = {text: number for number, text in enumerate(asked)}

        def build(folder: Path) -> None:
            model = self._load()
            with self.watch(model, len(asked), f"asking {self.plan.base.name}"):
                _write(folder / "embeddings.arrow", self._embedded(model, asked))

        key = key_of("teacher-embeddings", self.digest, self.plan.kind, asked)
        found = Dataset.from_file(str(store.product("teacher-embeddings", key, build) / "embeddings.arrow"))
        kept = self._projected(found) if self.plan.dimensions else found
        return kept if asked == texts else kept.select([place[text] for text in texts])

    def _projected(self, rows: Dataset) -> Dataset:
        import numpy as np
        from datasets import Dataset

        assert self.plan.dimensions is not None
        embeddings = np.asarray(rows.with_format("numpy")["embedding"][:], np.float32)
        self._components = self._components or _components(embeddings, self.plan.dimensions)
        found = self._components.transform(embeddings).astype(np.float32)
        return Dataset(_table(np.pad(found, ((0, 0), (0, self.plan.dimensions - found.shape[1])))))

    def _embedded(self, model: Any, texts: list[str]) -> Iterator[NDArray[Any]]:
        """Parts of shape (some texts, dimensions)."""
        import numpy as np

        for start in range(0, len(texts), AT_A_TIME):
            some = texts[start : start + AT_A_TIME]
            encoded = model.encode(some, batch_size=self.plan.batch_size, show_progress_bar=False)
            yield np.asarray(encoded.to_dense().cpu() if self.plan.kind == "sparse_encoder" else encoded, np.float32)

    def _load(self) -> Any:
        if self._model is None:
            self._model = _LOADED[self.plan.kind](self.plan, self.device)
        return self._model


def _embedder(type_: str) -> Callable[[TeacherPlan, str], Any]:
    def load(plan: TeacherPlan, device: str) -> Any:
        from stbench.models.blueprint import Blueprint
        from stbench.models.build import build

        return build(Blueprint(type_, plan.base, device), seed=0)  # type: ignore[arg-type]

    return load


_LOADED: dict[str, Callable[[TeacherPlan, str], Any]] = {
    "cross_encoder": lambda plan, device: reranker(plan.base, device, "teacher.model"),
    "bi_encoder": _embedder("sentence_transformer"),
    "sparse_encoder": _embedder("sparse_encoder"),
}


def _with(rows: Dataset, name: str, values: list[Any]) -> Dataset:
    return rows.add_column(name, values)


def _beside(rows: Dataset, embeddings: Dataset) -> Dataset:
    from datasets import concatenate_datasets

    return concatenate_datasets([rows, embeddings], axis=1)


def _sigmoid(score: float) -> float:
    import math

    return 1 / (1 + math.exp(-score))


def _write(file: Path, parts: Iterator[NDArray[Any]]) -> None:
    """Rows of one column `embedding`, in the format that the library datasets maps into memory."""
    import pyarrow

    writer = None
    with pyarrow.OSFile(str(file), "wb") as sink:
        for part in parts:
            table = _table(part)
            writer = writer or pyarrow.ipc.new_stream(sink, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def _table(embeddings: NDArray[Any]) -> Any:
    import pyarrow

    flat = pyarrow.array(embeddings.ravel())
    return pyarrow.table({"embedding": pyarrow.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])})


def _components(embeddings: NDArray[Any], dimensions: int) -> Any:
    """The first principal components, as many as the student has dimensions.

    Fewer texts than dimensions have fewer of them; what is left is 0 for all texts.
    """
    from sklearn.decomposition import PCA

    return PCA(n_components=min(dimensions, *embeddings.shape), random_state=0).fit(embeddings)
