"""The digest of a base model follows its content, not its name or place."""

from __future__ import annotations

import shutil
from pathlib import Path

from tiny_models import Tiny

from stbench.models.base import Base, locate
from stbench.models.digest import weights_digest


def based(folder: Path) -> Base:
    return locate(folder.name, None, str(folder), None, None)


def test_a_copy_under_another_name_has_the_same_digest(tiny: Tiny, tmp_path: Path) -> None:
    shutil.copytree(tiny.plain, tmp_path / "copy")
    assert weights_digest(based(tiny.plain)) == weights_digest(based(tmp_path / "copy"))


def test_one_changed_byte_of_the_weights_changes_the_digest(tiny: Tiny, tmp_path: Path) -> None:
    shutil.copytree(tiny.plain, tmp_path / "copy")
    weights = tmp_path / "copy" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert weights_digest(based(tiny.plain)) != weights_digest(based(tmp_path / "copy"))


def test_different_models_differ(tiny: Tiny) -> None:
    bases = [based(folder) for folder in (tiny.masked, tiny.plain, tiny.half, tiny.pooled, tiny.decoder)]
    bases.append(locate("wordllama", "wordllama", None, None, None))
    assert len({weights_digest(base) for base in bases}) == len(bases)
