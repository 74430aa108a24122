"""The name of a run: readable, and ending in a fingerprint of everything that can change its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stbench.config.sentence import Sentence

_NOT_PART = {
    "plan": True,
    "force": True,
    "cache": True,
    "tracker": True,
    "verdict": {"fail_on"},
}
"""Options that change what is shown or stored, but no number."""


def meaning(sentence: Sentence) -> dict[str, Any]:
    """The sentence without options that change no number, and without its descriptions."""
    return _without_summaries(sentence.model_dump(mode="json", by_alias=True, exclude=_NOT_PART))  # type: ignore[arg-type]


def run_name(sentence: Sentence, chosen: Mapping[str, str]) -> str:
    """`model-base-dataset-loss-fingerprint`; `chosen` names the choice of each group."""
    words = [chosen["model"], _base(sentence, chosen["base_model"]), chosen["dataset"], chosen["loss"]]
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
