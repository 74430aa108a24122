"""Label accuracy: how well a classifier on top of the embeddings tells the classes apart.

The library's evaluator wants the softmax head of its loss. That head is thrown away with the loss, and the untouched
model has none, so before and after could not be compared. A probe takes its place, the same for both: logistic
regression on the frozen embeddings, as in SentEval (Conneau and Kiela 2018) and MTEB, fitted on four fifths of the
held-out texts and asked about the other fifth, five times over. Pairs are described as the softmax loss describes
them: (u, v, |u - v|).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stbench.data.splits import content_hash
from stbench.errors import Problem, Refused
from stbench.evaluation.recording import recording

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator

FOLDS = 5
_ROUNDS = 100
"""Of the optimiser, as many as MTEB gives it."""


def labelled_texts(columns: Sequence[Sequence[str]], labels: Sequence[int], batch_size: int) -> Any:
    """What the library's evaluator goes through: numbers of rows, and in `columns`, `labels` and `folds` the rows.

    Raises `Refused` when there are too few texts to learn from.
    """
    from torch.utils.data import DataLoader

    folds = folds_of(columns[0])
    if len(set(folds)) < 2 or len(set(labels)) < 2:
        what = f"{len(set(columns[0]))} distinct texts of {len(set(labels))} class(es) are too few for a classifier"
        raise Refused(Problem(what, "evaluator=label_accuracy", "more held-out rows: dataset.test_size=…"))
    loader: Any = DataLoader(range(len(labels)), batch_size=batch_size)  # type: ignore[arg-type]
    loader.columns, loader.labels, loader.folds = columns, labels, folds
    return loader


def folds_of(texts: Sequence[str]) -> list[int]:
    """A number below `FOLDS` for each text, by content: equal texts are never both learnt from and asked about."""
    order = {key: rank for rank, key in enumerate(sorted({content_hash(text) for text in texts}))}
    return [order[content_hash(text)] % FOLDS for text in texts]


def per_probed_row(base: type[BaseEvaluator]) -> type[Any]:
    """The class that the probe finds for each row, beside its own."""

    class PerProbedRow(recording(base)):  # type: ignore[misc]
        batch_size = 64

        def watched(self, model: Any) -> Any:
            rows = self.dataloader
            embedded = [self._embedded(model, list(column)) for column in rows.columns]
            predicted = predictions(described(embedded), np.asarray(rows.labels), np.asarray(rows.folds))
            self.outcomes.update(prediction=predicted.astype(np.float64), target=np.asarray(rows.labels, np.float64))
            return _Probed(model, self, predicted)

        def _embedded(self, model: Any, texts: list[str]) -> Any:
            given = {"batch_size": self.batch_size, "show_progress_bar": False}
            return np.asarray(model.encode(texts, convert_to_numpy=True, **given), dtype=np.float64)

    return PerProbedRow


class _Probed:
    """A model with the two doors that the library's evaluator goes through: a collator, and a head that predicts."""

    def __init__(self, model: Any, evaluator: Any, predicted: np.ndarray) -> None:
        self._model = model
        self._labels = evaluator.dataloader.labels
        self._predicted = predicted
        evaluator.softmax_model = self._head

    def smart_batching_collate(self, numbers: Sequence[int]) -> Any:
        import torch

        return [{"row": torch.tensor(numbers)}], torch.tensor([self._labels[number] for number in numbers])

    def _head(self, features: Any, labels: Any = None) -> Any:
        import torch

        rows = features[0]["row"].cpu()
        classes = torch.tensor(self._predicted)[rows]
        return None, torch.nn.functional.one_hot(classes, int(max(self._predicted)) + 1).to(features[0]["row"].device)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def described(embedded: Sequence[Any]) -> Any:
    """A vector for each row, out of one embedding or two."""
    if len(embedded) == 1:
        return embedded[0]
    first, second = embedded
    return np.concatenate([first, second, np.abs(first - second)], axis=1)


def predictions(vectors: Any, labels: Any, folds: Any) -> np.ndarray:
    """The class of each row, by a classifier that has not seen the rows of its fold."""
    found = np.empty(len(labels), dtype=np.int64)
    for fold in np.unique(folds):
        asked = folds == fold
        found[asked] = _classified(vectors[~asked], labels[~asked], vectors[asked])
    return found


def _classified(vectors: Any, labels: Any, asked: Any) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) < 2:
        return labels[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(max_iter=_ROUNDS).fit(vectors, labels).predict(asked)
