"""Training rows and losses of several data sets, as the library's trainer takes them: by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stbench.config.sentence import Sampler
from stbench.data.splits import Splits
from stbench.errors import Problem
from stbench.plan.mixture import batches
from stbench.plan.plan import LossPlan, Plan
from stbench.training.losses import build_loss, check_arguments

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from torch import nn
    from torch.utils.data import BatchSampler

OF_THE_DATA = ("pos_weight", "num_labels", "projection_dim")
"""Filled arguments that follow from the rows, so that two data sets may have other values."""


def called(part: str) -> str:
    """The name of `part` in the library, which makes its loss a child of a module: those have names of their own."""
    from torch import nn

    return f"{part}_" if hasattr(nn.Sequential(), part) else part


def rows_of(splits: Splits) -> Dataset | DatasetDict:
    """All training rows, by part of a mixture."""
    from datasets import DatasetDict

    if not splits.parts:
        return splits.train
    return DatasetDict({called(name): part.train for name, part in splits.parts.items()})


def as_the_library_reads(rows: Dataset | DatasetDict) -> Dataset | DatasetDict:
    """The trainer takes `label`, `labels`, `score` and `scores` for the label, and every other column for an input.

    It marks the rows of a mixture with the name of their part: these are copies.
    """
    from datasets import DatasetDict

    if isinstance(rows, DatasetDict):
        return DatasetDict({name: _renamed(some).with_format(None) for name, some in rows.items()})
    return _renamed(rows)


def _renamed(rows: Dataset) -> Dataset:
    named = {"relevance": "labels", "margin": "label", "scores": "label", "embedding": "label"}
    return rows.rename_columns({name: label for name, label in named.items() if name in rows.column_names})


def checked_losses(plan: Plan) -> list[Problem]:
    """Arguments of losses and modifier that nothing takes; what several parts have in common is told once."""
    return list(dict.fromkeys(problem for one in plan.alone for problem in check_arguments(one)))


def loss_of(plan: Plan, model: Any, splits: Splits) -> nn.Module | dict[str, nn.Module]:
    """The loss, or that of each part of a mixture: one module where class and arguments are the same.

    Raises `Refused` when the library does not accept an argument's value.
    """
    if not plan.parts:
        return build_loss(plan, model, splits.train)
    built: list[tuple[LossPlan, nn.Module]] = []
    by_name: dict[str, nn.Module] = {}
    alone = {one.part: one for one in plan.alone}
    for part in plan.parts:
        same = [module for loss, module in built if loss == part.loss and not set(loss.fills) & set(OF_THE_DATA)]
        module = same[0] if same else build_loss(alone[part.name], model, splits.parts[part.name].train)
        built.append((part.loss, module))
        by_name[called(part.name)] = module
    return by_name


def batches_of(plan: Plan, rows: Dataset | DatasetDict) -> int:
    """Batches of an epoch, as far as the number of rows tells."""
    numbers = [len(some) for some in rows.values()] if isinstance(rows, dict) else [len(rows)]
    return batches(numbers, plan.training.batch_size, plan.training.sampling)


def batch_sampler_of(plan: Plan) -> Any:
    """What makes batches of rows: one of the library's by name, or one for each part where they need several."""
    by_name = {called(part.name): part.loss.sampler for part in plan.parts}
    if len(set(by_name.values())) > 1:
        return SamplerByPart(by_name, plan.training.by_length)
    return _sampler(plan.training.sampler, plan.training.by_length)


def _sampler(chosen: Sampler, by_length: bool) -> Any:
    from stbench.training.by_length import ByLength

    if chosen == "no_duplicates":
        return no_duplicates
    return ByLength if chosen == "batch_sampler" and by_length else chosen


def no_duplicates(dataset: Dataset, **arguments: Any) -> BatchSampler:
    """The library's sampler, which compares digests here: it would read each row from the table once an epoch otherwise."""
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    # In this process: other libraries have started threads by now, which a fork would break.
    found: BatchSampler = NoDuplicatesBatchSampler(dataset, precompute_hashes=True, precompute_num_proc=0, **arguments)
    return found


@dataclass(frozen=True)
class SamplerByPart:
    """A batch sampler for the rows of a part, called by the trainer, which has marked them with the part's name."""

    samplers: Mapping[str, Sampler]
    by_length: bool = False

    def __call__(self, dataset: Dataset, **arguments: Any) -> BatchSampler:
        from sentence_transformers.base import sampler
        from torch.utils.data import RandomSampler

        chosen = _sampler(self.samplers[dataset[0]["dataset_name"]], self.by_length)
        rows: Any = dataset
        if chosen == "group_by_label":
            chosen = sampler.GroupByLabelBatchSampler
        elif chosen == "batch_sampler":
            chosen, rows = sampler.DefaultBatchSampler, RandomSampler(dataset, generator=arguments["generator"])
        found: BatchSampler = chosen(rows, **arguments)
        return found
