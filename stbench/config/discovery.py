"""What can be chosen: the configuration groups and the files in them, without reading any of them as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

_SUMMARY = re.compile(r"^ *summary: *(.+?) *$", re.MULTILINE)
_COMMENT = re.compile(r"^# (?!@)(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Choice:
    """One file of a group, and the files of the same name in later folders, which are never read."""

    group: str
    name: str
    file: Path
    hides: tuple[Path, ...] = ()

    @property
    def summary(self) -> str:
        text = self.file.read_text(encoding="utf-8")
        found = _SUMMARY.search(text) or _COMMENT.search(text)
        return found.group(1).strip("\"'") if found else ""


def package_conf() -> Path:
    """The folder `conf` that came with stbench: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def user_conf() -> Path | None:
    """The folder `conf` of the working directory, unless it is stbench's own."""
    folder = Path.cwd() / "conf"
    return folder if folder.is_dir() and folder.resolve() != package_conf() else None


def said_conf() -> Path | None:
    """The folder that `--config-dir` named for the job that runs now."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return None
    sources = HydraConfig.get().runtime.config_sources
    return next((Path(source.path) for source in sources if source.provider == "command-line"), None)


def conf_folders(*extra: Path) -> list[Path]:
    """Folders that are searched, in Hydra's order: the first that has a file wins."""
    own = [folder for folder in (user_conf(), said_conf()) if folder is not None]
    return list(dict.fromkeys([package_conf(), *own, *extra]))


def choices(*extra: Path) -> dict[str, dict[str, Choice]]:
    """All groups, and in each all choices by name; files whose names begin with `_` are parts of others."""
    found: dict[str, dict[str, Choice]] = {}
    for folder in conf_folders(*extra):
        for file in sorted(folder.glob("*/**/*.yaml")):
            group, *inner = file.relative_to(folder).with_suffix("").parts
            if group == "hydra" and len(inner) > 1:
                group = f"{group}/{inner.pop(0)}"
            name = "/".join(inner)
            known = found.setdefault(group, {})
            if name in known:
                known[name] = replace(known[name], hides=(*known[name].hides, file))
            elif not file.name.startswith("_"):
                known[name] = Choice(group, name, file)
    return found


def load(group: str, name: str) -> Mapping[str, Any]:
    """The content of one choice that was named inside another, such as the evaluator that `auto` decides on.

    Raises `KeyError` when the group has no such choice.
    """
    from omegaconf import OmegaConf

    files = (folder / group / f"{name}.yaml" for folder in conf_folders())
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise KeyError(f"{group}={name}")
    content, parts = _read(file), parts_of(file)
    own = {key: value for key, value in content.items() if key != "defaults"}
    if not parts:
        return own
    merged = OmegaConf.to_container(OmegaConf.merge(*(load(group, part) for part in parts), own))
    assert isinstance(merged, dict)
    return {str(key): value for key, value in merged.items()}


def parts_of(file: Path) -> list[str]:
    """Choices of the same group that a file builds on."""
    return [part for part in _read(file).get("defaults", ()) if isinstance(part, str) and part != "_self_"]


def keys_of(file: Path) -> list[str]:
    """Names of what a file says, at its top."""
    return [name for name in _read(file) if name != "defaults"]


@cache
def _read(file: Path) -> Mapping[str, Any]:
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(file))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}
