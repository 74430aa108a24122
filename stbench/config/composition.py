"""What Hydra says when a sentence cannot be composed, said in stbench's own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stbench.config.discovery import choices, keys_of, load, parts_of
from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused

HYDRA_OWN = ("hydra.launcher.", "hydra.sweeper.")
PLUGINS = {
    "hydra/launcher=joblib": "pip install hydra-joblib-launcher",
    "hydra/launcher=submitit_local": "pip install hydra-submitit-launcher",
    "hydra/launcher=submitit_slurm": "pip install hydra-submitit-launcher",
    # What it says it needs is older than what it works with.
    "hydra/launcher=ray": "pip install ray, then pip install --no-deps hydra-ray-launcher",
}
"""How choices that are not there come to be: they are those of Hydra's own plugins."""


def refusal(error: Exception) -> Refused | None:
    """The refusal that `error` stands for; None when it is no matter of composition."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import MarkedYAMLError

    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark
        where = f"{mark.name}, line {mark.line + 1}" if mark else ""
        return Refused(Problem(f"this is not YAML: {error.problem}", where, "mend the file"))
    if isinstance(error, HydraException | OmegaConfBaseException | ValueError):
        return Refused(_problem(error))
    return None


def _problem(error: Exception) -> Problem:
    text = str(error)
    found = re.match(r"Could not override '([\w./]+)'", text)
    if found and found[1].startswith(HYDRA_OWN):
        return _unknown_to_hydra(found[1])
    if found and found[1].partition(".")[0] in choices():
        return _misplaced(found[1])
    if found := re.search(r"In '(.+?)': Could not (?:find|load) '([\w/]+)/([^/]+?)'", text):
        file, group, name = found.groups()
        if file.startswith("hydra"):
            where = file.replace("launcher/", "launcher=") if "launcher/" in file else f"{group}={name}"
            if install := PLUGINS.get(f"{group}={name}"):
                return Problem(f"the plugin for {group}={name} is not installed", where, install)
            mend = did_you_mean(name, [*choices().get(group, {}), *_hydras_own(group)], group + "={}")
            return Problem(f"there is no {group} called '{name}'", f"{group}={name}", mend)
        mend = did_you_mean(name, choices().get(group, {}), group + ": {}")
        return Problem(f"there is no {group} called '{name}'", f"the defaults of {file}", mend)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    cause = str(error.__cause__).splitlines()[:1] if error.__cause__ else []
    what, *more = [*lines, *cause] or [type(error).__name__]
    return Problem(what, mend=" ".join(more[:2]))


def _hydras_own(group: str) -> list[str]:
    """Choices of a group that Hydra and its plugins bring."""
    from hydra.core.config_store import ConfigStore

    return [name.removesuffix(".yaml") for name in ConfigStore.instance().list(group)]


def _unknown_to_hydra(key: str) -> Problem:
    """An option of the launcher or the sweeper that the one that was chosen does not have."""
    group, option = key.rsplit(".", 1)
    files = [choice.file for choice in choices().get(group.replace(".", "/"), {}).values()]
    known = [name for file in files for name in keys_of(file) if not name.startswith("_")]
    return Problem("there is no such option", key, did_you_mean(option, known, group + ".{}=…"))


def _misplaced(key: str) -> Problem:
    """An option that there is, but not with what was chosen."""
    group = key.partition(".")[0]
    owners = [f"{group}={name}" for name in _owners(key)]
    mend = f"say {' or '.join(owners)}, or leave it out" if owners else "leave it out"
    return Problem(f"the {group} that was chosen has no such option", key, mend)


def _owners(key: str) -> Iterator[str]:
    """The choices that have an option, without those that have it from another."""
    group, *path = key.split(".")
    for name, choice in choices().get(group, {}).items():
        if parts_of(choice.file):
            continue
        content = load(group, name)
        tree = content.get(group, content)
        for part in path:
            if not isinstance(tree, Mapping) or part not in tree:
                break
            tree = tree[part]
        else:
            yield name
