"""What a base model's weights are, as content: names and paths can lie."""

from __future__ import annotations

from pathlib import Path

from stbench.cache import digest_of, key_of
from stbench.models.base import Base


def weights_digest(base: Base) -> str:
    """Digest of all files of `base`: of the folder, or of the snapshot of the Hub in the local cache."""
    if base.wordllama:
        return key_of(digest_of(base.wordllama_weights), digest_of(base.wordllama_tokenizer))
    if base.local:
        return digest_of(Path(base.location))
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "pytorch_model*.bin"]
    return key_of(digest_of(Path(snapshot_download(base.location, revision=base.revision, allow_patterns=patterns))))
