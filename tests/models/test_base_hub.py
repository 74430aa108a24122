"""Base models of a Hub, read by the real libraries from a stand-in on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from end_to_end.hub import Repository, serving
from end_to_end.session import session
from small_database import write_database

WORDS = [
    "dataset=sql", "dataset.connection=sqlite:///pairs.db", "dataset.query=SELECT question, answer FROM pairs",
    "base_model=owner/tiny", "model=sparse_encoder", "plan=only",
]  # fmt: skip
DOWNLOAD = "import huggingface_hub; huggingface_hub.snapshot_download('owner/tiny')"


def test_without_the_hub_a_model_that_was_downloaded_is_what_it_was(tmp_path: Path, encoder: Path) -> None:
    write_database(tmp_path / "pairs.db", 30)
    own = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    silent = {**own, "HF_ENDPOINT": "http://127.0.0.1:9"}
    with serving(Repository("owner/tiny", encoder)) as (address, _):
        with session(tmp_path, **own, HF_ENDPOINT=address) as say:
            code, online, err = say(*WORDS)
            assert code == 0, err
        with session(tmp_path, **silent) as say:
            assert "the model owner/tiny cannot be had" in say(*WORDS)[2]
        environment = {**os.environ, **own, "HF_ENDPOINT": address}
        subprocess.run([sys.executable, "-c", DOWNLOAD], env=environment, check=True)
    with session(tmp_path, **silent) as say:
        code, offline, err = say(*WORDS)
        assert (code, offline) == (0, online), err
        assert "its masked-LM head is trained" in offline
