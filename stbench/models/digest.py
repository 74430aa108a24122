"""What a base model's weights are, as content: names and paths can lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from stbench.cache import digest_of, key_of
from stbench.models.base import Base

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")
_TWICE = ("consolidated*",)
"""Weights that some repositories hold a second time, in their authors' own format."""


def weights_digest(base: Base) -> str:
    """Digest of all files of `base`: of the folder, or of what a model is made of in the Hub's repository.

    With the prompts of its family, which its files do not say.
    """
    return key_of(_digest(base), base.family.identity()) if base.family else _digest(base)


def _digest(base: Base) -> str:
    if base.wordllama:
        return key_of(digest_of(base.wordllama_weights), digest_of(base.wordllama_tokenizer))
    if base.source is not None:
        return key_of(base.static, base.dimensions, weights_digest(base.source))
    if base.local:
        return digest_of(Path(base.location))
    # Other processes may have loaded more of the repository, such as its README.
    folder, patterns = _snapshot(base)
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return key_of([[name, digest_of(folder / name)] for name in names if _is_one_of(name, patterns)])


def _snapshot(base: Base) -> tuple[Path, list[str]]:
    """(folder in the local cache, patterns of the files that count), loaded from the Hub where they are missing."""
    from huggingface_hub import snapshot_download

    def load(patterns: list[str]) -> Path:
        where = base.location
        return Path(
            snapshot_download(where, revision=base.revision, allow_patterns=patterns, ignore_patterns=[*_TWICE])
        )

    folder = load([*_FILES])
    # Only where there is no safetensors file: many repositories hold the same weights in both formats.
    old = [f"{place}pytorch_model*.bin" for place in _places(folder) if not any((folder / place).glob("*.safetensors"))]
    patterns = [*_FILES, *old]
    return (load(patterns) if old else folder), patterns


def _places(folder: Path) -> Iterator[str]:
    """Folders in which weights may lie: the root and those of the modules."""
    yield ""
    modules = folder / "modules.json"
    for module in json.loads(modules.read_text(encoding="utf-8")) if modules.is_file() else []:
        if module["path"]:
            yield f"{module['path']}/"


def _is_one_of(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns) and not any(fnmatch(name, item) for item in _TWICE)
