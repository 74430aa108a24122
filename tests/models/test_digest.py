"""The digest of a base model follows its content, not its name or place."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path

import pytest
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


HUB = Base(
    name="tiny", location="owner/tiny", local=False, revision="v1", architecture="encoder", modules=(), parameters=0,
    dimensions=32, vocabulary=100, stored="F32", max_tokens=64, positions=64, mlm_head=False, trained_head=False,
    layers=2, attention_heads=2,
)  # fmt: skip


class Hub:
    """`snapshot_download` out of a folder, into another."""

    def __init__(self, repository: Path, cache: Path) -> None:
        self.repository = repository
        self.cache = cache

    def __call__(self, repo: str, revision: str | None, allow_patterns: list[str], ignore_patterns: list[str]) -> str:
        assert (repo, revision) == ("owner/tiny", "v1")
        for file in self.repository.rglob("*"):
            name = file.relative_to(self.repository).as_posix()
            wanted = any(fnmatch(name, pattern) for pattern in allow_patterns)
            if file.is_file() and wanted and not any(fnmatch(name, pattern) for pattern in ignore_patterns):
                (self.cache / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, self.cache / name)
        return str(self.cache)

    @property
    def loaded(self) -> set[str]:
        return {file.relative_to(self.cache).as_posix() for file in self.cache.rglob("*") if file.is_file()}


@pytest.fixture
def hub(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Hub:
    import huggingface_hub

    shutil.copytree(tiny.pooled, tmp_path / "repository")
    found = Hub(tmp_path / "repository", tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", found)
    return found


def test_of_a_repository_only_what_makes_the_model_counts(hub: Hub) -> None:
    before = weights_digest(HUB)
    assert "README.md" not in hub.loaded
    (hub.cache / "README.md").write_text("somebody else has loaded it")
    assert weights_digest(HUB) == before
    weights = hub.repository / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert weights_digest(HUB) != before


def test_weights_in_the_old_format_are_loaded_only_where_there_are_no_others(hub: Hub) -> None:
    for name in ("pytorch_model.bin", "1_Pooling/pytorch_model.bin", "consolidated.safetensors", "onnx/model.onnx"):
        (hub.repository / name).parent.mkdir(exist_ok=True)
        (hub.repository / name).write_bytes(b"weights")
    before = weights_digest(HUB)
    assert {"model.safetensors", "1_Pooling/pytorch_model.bin"} <= hub.loaded
    assert not {"pytorch_model.bin", "consolidated.safetensors", "onnx/model.onnx"} & hub.loaded
    (hub.repository / "1_Pooling" / "pytorch_model.bin").write_bytes(b"other weights")
    assert weights_digest(HUB) != before
