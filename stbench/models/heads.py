"""What a finished cross-encoder says of its own head: how many labels, what they are called, what follows the logits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stbench.models.base import Base

_HEADS = ("classifier.", "score.", "classification_head.")


@dataclass(frozen=True)
class Head:
    """The head of a cross-encoder as its files describe it."""

    labels: int | None = None
    """None where the weights hold no head."""
    names: tuple[str, ...] = ()
    """Names of the classes by id; empty where nobody named them."""
    activation: Literal["identity", "sigmoid"] = "identity"


def head_of(base: Base) -> Head:
    """The head in the files of `base`.

    An unnamed activation is taken for none: the library would put a sigmoid behind one label, whose only effect on a ranking is
    that large scores become equal.
    """
    if not base.trained_head:
        return Head()
    config, saved = _json(base, "config.json"), _json(base, "config_sentence_transformers.json")
    said = str(saved.get("activation_fn") or (config.get("sentence_transformers") or {}).get("activation_fn") or "")
    names = [name for _, name in sorted((config.get("id2label") or {}).items(), key=lambda item: int(item[0]))]
    unnamed = all(name == f"LABEL_{place}" for place, name in enumerate(names))
    return Head(
        _labels(base) or len(names) or None, () if unnamed else tuple(map(str, names)),
        "sigmoid" if said.endswith("Sigmoid") else "identity",
    )  # fmt: skip


def _labels(base: Base) -> int | None:
    """Rows of the last layer of the head: of several layers the narrowest."""
    rows = [shape[0] for name, shape in base.tensors.items() if name.startswith(_HEADS) and len(shape) == 2]
    return min(rows, default=None)


def _json(base: Base, name: str) -> dict[str, Any]:
    file = Path(base.location) / name if base.local else _of_hub(base, name)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file and file.is_file() else {}


def _of_hub(base: Base, name: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(base.location, name, revision=base.revision))
    except EntryNotFoundError:
        return None
