"""The model whose answers a student learns: scores of pairs, or embeddings of texts, kept in the cache by content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from stbench.cache import Store, key_of
from stbench.data.convert import listed
from stbench.data.rows import each
from stbench.data.shapes import Conversion
from stbench.models.digest import weights_digest
from stbench.models.miner import Watch, reading, reranker, unwatched
from stbench.models.precision import computing_in

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset
    from numpy.typing import NDArray

    from stbench.plan.plan import TeacherPlan

AT_A_TIME = 2000
"""Texts or pairs that are asked at a time; the embeddings of a sparse teacher have as many numbers as it knows words."""


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
            return _beside(rows, self._embeddings(rows["text"][:], store))
        lists = [(row["anchor"], listed(row)[0]) for row in each(rows)]
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
        asked = list(dict.fromkeys(pairs))
        scores = _values(self._answers("teacher-scores", asked, store)).ravel().tolist()
        by_pair = dict(zip(asked, scores, strict=True))
        return [by_pair[pair] for pair in pairs]

    def _embeddings(self, texts: list[str], store: Store) -> Dataset:
        """Embeddings of the texts as rows, projected where the student's are smaller.

        The projection is that of the first texts asked, which are those to train on: held-out ones must meet the same.
        """
        asked = list(dict.fromkeys(texts))
        found = self._answers("teacher-embeddings", asked, store)
        kept = self._projected(found) if self.plan.dimensions else found
        place = {text: number for number, text in enumerate(asked)}
        return kept if asked == texts else kept.select([place[text] for text in texts])

    def _answers(self, kind: str, asked: list[Any], store: Store) -> Dataset:
        """One row for each text or pair, on disk in parts: who is interrupted loses no more than one of them."""
        from datasets import Dataset, concatenate_datasets

        parts = []
        for start in range(0, len(asked), AT_A_TIME):
            some = asked[start : start + AT_A_TIME]
            said = f"asking {self.plan.base.name}" + (f", {start:,} of {len(asked):,} done" if start else "")
            key = key_of(kind, self.digest, self.plan.kind, self.plan.max_seq_length, self.plan.precision, some)
            folder = store.product(kind, key, partial(self._ask, some, said))
            parts.append(Dataset.from_file(str(folder / "answers.arrow")))
        return concatenate_datasets(parts)

    def _ask(self, some: list[Any], said: str, folder: Path) -> None:
        model = self._load()
        half, limited = computing_in(self.plan.precision, model), reading(model, self.plan.max_seq_length)
        with half, limited, self.watch(model, len(some), said):
            answers = self._predict(model, some) if self.plan.kind == "cross_encoder" else self._encode(model, some)
        _write(_table(answers), folder / "answers.arrow")

    def _predict(self, model: Any, pairs: list[tuple[str, str]]) -> NDArray[Any]:
        """Shape (pairs, 1)."""
        from torch import nn

        identity = nn.Identity()
        found: NDArray[Any] = model.predict(
            pairs, batch_size=self.plan.batch_size, activation_fn=identity, show_progress_bar=False
        )
        return found[:, None]

    def _encode(self, model: Any, texts: list[str]) -> NDArray[Any]:
        """Shape (texts, dimensions)."""
        import numpy as np

        found = model.encode(texts, batch_size=self.plan.batch_size, show_progress_bar=False)
        return np.asarray(found.to_dense().cpu() if self.plan.kind == "sparse_encoder" else found, np.float32)

    def _projected(self, rows: Dataset) -> Dataset:
        import numpy as np
        from datasets import Dataset

        assert self.plan.dimensions is not None
        embeddings = _values(rows)
        self._components = self._components or _components(embeddings, self.plan.dimensions)
        found = self._components.transform(embeddings).astype(np.float32)
        return Dataset(_table(np.pad(found, ((0, 0), (0, self.plan.dimensions - found.shape[1])))))

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

    return concatenate_datasets([rows, embeddings.rename_column("answer", "embedding")], axis=1)


def _sigmoid(score: float) -> float:
    import math

    return 1 / (1 + math.exp(-score))


def _values(rows: Dataset) -> NDArray[Any]:
    """Shape (rows, numbers of each)."""
    import numpy as np

    return np.asarray(rows.with_format("numpy")["answer"][:], np.float32)


def _table(answers: NDArray[Any]) -> Any:
    """One column `answer`, a list of numbers in each row."""
    import pyarrow

    flat = pyarrow.array(answers.ravel())
    return pyarrow.table({"answer": pyarrow.FixedSizeListArray.from_arrays(flat, answers.shape[1])})


def _write(table: Any, file: Path) -> None:
    """In the format that the library datasets maps into memory."""
    import pyarrow

    with pyarrow.OSFile(str(file), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _components(embeddings: NDArray[Any], dimensions: int) -> Any:
    """The first principal components, as many as the student has dimensions.

    Fewer texts than dimensions have fewer of them; what is left is 0 for all texts.
    """
    from sklearn.decomposition import PCA

    return PCA(n_components=min(dimensions, *embeddings.shape), random_state=0).fit(embeddings)
