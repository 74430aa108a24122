"""The wheel holds every folder of the package and of conf."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def folders(root: Path, name: str, pattern: str) -> set[str]:
    found = {file.parent.relative_to(root) for file in root.rglob(pattern)}
    return {".".join([name, *folder.parts]) for folder in found}


def test_every_folder_is_named() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    python = [folders(ROOT / name, name, "*.py") for name in ("stbench", "hydra_plugins")]
    assert set(named) == set().union(*python) | folders(ROOT / "conf", "stbench.conf", "*.yaml")
