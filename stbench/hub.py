"""The Hugging Face Hub: whether it can be reached, and what of it is on this machine.

The libraries try again and again before they give up on it, 20 seconds for each file; one short look tells the same.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Literal

PROBE_SECONDS = 2.5
FRESH_SECONDS = 60.0
"""How long the answer holds: a sweep has many jobs, and a network comes back."""
_looks: dict[str, tuple[float, bool]] = {}
"""When each address was last tried, and whether it answered."""


def reachable() -> bool:
    """Whether the Hub answers; where it does not, the libraries are told to use what they have kept.

    `HF_HUB_OFFLINE=1` in the environment says so without a look.
    """
    from huggingface_hub import constants

    known = _looks.get(constants.ENDPOINT)
    if known is None and constants.HF_HUB_OFFLINE:
        return False
    if known is None or time.monotonic() - known[0] > FRESH_SECONDS:
        _go_offline(False)
        known = time.monotonic(), _answers(constants.ENDPOINT)
        _looks[constants.ENDPOINT] = known
        _go_offline(not known[1])
    return known[1]


def kept(repo: str, revision: str | None, kind: Literal["model", "dataset"]) -> Path | None:
    """The folder with what this machine has of a repository, named by its commit; None if there is none.

    The layout is documented: https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type=kind)
    name = folder / "refs" / (revision or "main")
    commit = name.read_text(encoding="utf-8").strip() if name.is_file() else revision or "main"
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def _answers(address: str) -> bool:
    from huggingface_hub.utils import get_session

    try:
        get_session().head(address, timeout=PROBE_SECONDS)
    except Exception:  # which HTTP library raises depends on the release
        return False
    return True


def _go_offline(offline: bool) -> None:
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = offline
    # It keeps a copy of its own.
    if "datasets" in sys.modules:
        sys.modules["datasets"].config.HF_HUB_OFFLINE = offline
