"""The library's evaluators, extended so that they keep the outcome of every sample beside the means they return.

What is shared by all of them. The modules beside this one extend the classes of one kind each: a function takes an
evaluator class of the library and returns a subclass whose instances have `outcomes` after a call: `id`, and what
`stbench.verdict.statistics` needs to compute the deciding metric again on a resample.
The models that they ask compute in the precision of the run, whether the trainer calls them or stbench does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stbench.errors import Failed
from stbench.models.precision import computing_in
from stbench.models.prompts import Prompts, prompted
from stbench.plan.hardware import Mode

if TYPE_CHECKING:
    from sentence_transformers.base.evaluation import BaseEvaluator

    from stbench.data.collection import Collection

Outcomes = dict[str, np.ndarray]
_ALSO_CALLED = {"ap": "average_precision"}
"""Cross-encoders report some metrics under another name."""


class Recorder(Protocol):
    """An evaluator that keeps what it saw."""

    outcomes: Outcomes
    primary_metric: str | None
    greater_is_better: bool
    sample_ids: list[str]
    deciding: str
    """Name of the metric that decides, as the sentence says it."""
    autocast_mode: Mode
    prompts: Prompts | None
    """Those of its part of a mixture; None: the model's."""
    batch_size: int
    work: int
    collection: Collection | None
    content: str | None
    """Digest of what is judged, where it is not the held-out rows."""
    judged: str
    """Digest of what is judged, whatever it comes from and whatever type of model is asked."""
    references: dict[str, float]
    """Scores of other systems on the same samples, by name."""

    def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]: ...


def recording(base: type[BaseEvaluator]) -> type[Any]:
    """What all recorders share; a subclass says in `watched` and `kept` how the outcomes come about."""

    class Recording(base):  # type: ignore[misc]
        outcomes: Outcomes
        sample_ids: list[str]
        deciding: str = ""
        # Not "precision": the library's similarity evaluator has an attribute of that name.
        autocast_mode: Mode = "fp32"
        prompts: Prompts | None = None
        work: int = 0
        collection: Collection | None = None
        content: str | None = None
        judged: str = ""
        references: dict[str, float]

        def __call__(self, model: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            self.outcomes = {}
            own = prompted(model, self.prompts) if self.prompts is not None else nullcontext()
            with computing_in(self.autocast_mode, model), own:
                seen = self.watched(model)
                metrics: dict[str, float] = super().__call__(seen, *args, **kwargs)
                self.kept(seen, metrics)
            self.outcomes["id"] = np.array(self.sample_ids)
            if self.deciding:
                self.primary_metric = key_of(self.deciding, metrics, self.name)
            if self.deciding in self.outcomes:
                self.outcomes["value"] = self.outcomes[self.deciding]
            return metrics

        def watched(self, model: Any) -> Any:
            """The model as the library is to see it."""
            return model

        def kept(self, model: Any, metrics: dict[str, float]) -> None:
            """Fills `outcomes` after the library's call; `model` as `watched` gave it."""

        @property
        def description(self) -> str:
            return str(base.description.fget(self))

    return Recording


def key_of(metric: str, keys: Iterable[str], name: str) -> str:
    """The library's key for `metric` among `keys`, which begin with the evaluator's `name`.

    The library puts its similarity function before it (cosine_ndcg@10) or after it (spearman_cosine).
    Raises `Failed` when there is none.
    """
    prefix = f"{name}_" if name else ""
    own = {key.removeprefix(prefix): key for key in keys if key.startswith(prefix)}
    for called in (metric, _ALSO_CALLED.get(metric, metric)):
        plain = re.escape(called)
        for form in (plain, f"[a-z]+_{plain}", f"{plain}_[a-z]+"):
            found = next((key for short, key in own.items() if re.fullmatch(form, short)), None)
            if found:
                return found
    raise Failed(f"the evaluator reports no {metric}, only {', '.join(own)}")


class Watched:
    """A model that keeps the results of one of its methods, in the order of the calls."""

    def __init__(self, model: Any, method: str) -> None:
        self._model = model
        self._method = method
        self.results: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        given = getattr(self._model, name)
        return self._keeping(given) if name == self._method else given

    def _keeping(self, method: Any) -> Any:
        def called(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            self.results.append(result)
            return result

        return called
