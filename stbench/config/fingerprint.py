"""The name of a run: readable, and ending in a fingerprint of everything that can change its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stbench.config.runs import READ_BY
from stbench.config.sentence import Sentence

_NOT_PART = {
    "plan": True,
    "force": True,
    "cache": True,
    "runs": True,
    "tracker": True,
    "verdict": {"fail_on"},
}
"""Options that change what is shown or stored, but no number."""
_READ: dict[str, Any] = {
    "evaluate": {
        **dict.fromkeys(
            ("job", "model", "base_model", "dataset", "evaluator", "teacher", "precision", "hardware", "seed"), True
        ),
        "negatives": {"miner"},
        "training": {"max_seq_length", "trial", "evaluation_rows", "evaluation_documents"},
        "verdict": {"min_effect", "resamples"},
    },
    "mine": {
        **dict.fromkeys(("dataset", "negatives", "hardware", "seed"), True),
        "job": {"kind", "shape"},
        "training": {"trial", "rows"},
    },
    **{job: {"job": {"kind"}, "runs": True, "seed": True, "verdict": {"resamples"}} for job in READ_BY},
}
"""What a job reads of the sentence, where that is not all of it: the rest changes none of its numbers."""
_NAMED: dict[str, tuple[str, ...]] = {
    "train": ("model", "base_model", "dataset", "loss"),
    "evaluate": ("model", "base_model", "dataset", "evaluator"),
    "mine": ("miner", "dataset", "shape"),
    "estimate": ("model", "base_model", "dataset", "loss"),
    **dict.fromkeys(READ_BY, ()),
}
"""The groups whose choices make a run's name, and for mining what they do not tell."""


def meaning(sentence: Sentence) -> dict[str, Any]:
    """The sentence without options that change no number, and without its descriptions."""
    job = sentence.job.kind
    left_out = {name: what for name, what in _NOT_PART.items() if name != "runs" or job not in READ_BY}
    left_out |= {"job": True} if job == "train" else {}
    read = sentence.model_dump(mode="json", by_alias=True, include=_READ.get(job), exclude=left_out)  # type: ignore[arg-type]
    if read.get("seeds") == 1:
        del read["seeds"]
    return _without_summaries(read)


def run_name(sentence: Sentence, chosen: Mapping[str, str]) -> str:
    """`model-base-dataset-loss-fingerprint`, behind the job where it is another; `chosen` names the choice of each group."""
    job = sentence.job.kind
    named = {**chosen, "base_model": _base(sentence, chosen["base_model"]), "shape": sentence.job.shape}
    named["miner"] = Path(sentence.negatives.miner).name
    words: list[str] = [] if job == "train" else [job]
    words += [named[group] for group in _NAMED[job] if named[group] != "auto"]
    if (seeds := sentence.seeds) != 1:
        words.append(f"{seeds if isinstance(seeds, int) else len(seeds)}_seeds")
    if sentence.training.trial:
        words.append("trial")
    text = json.dumps(meaning(sentence), sort_keys=True, separators=(",", ":"))
    plain = [re.sub(r"[^\w.-]+", "_", word) for word in words]
    return "-".join([*plain, hashlib.sha256(text.encode()).hexdigest()[:8]])


def _base(sentence: Sentence, name: str) -> str:
    if name != "path" or sentence.base_model.path is None:
        return name
    return Path(sentence.base_model.path).name


def _without_summaries(tree: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_summaries(value) if isinstance(value, dict) else value
        for key, value in tree.items()
        if key != "summary"
    }
