"""Checkpoints have no card; what is saved afterwards has one again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tiny_models import Tiny

from stbench.training.checkpoints import without_cards


def test_a_card_is_written_outside_only(tiny: Tiny, tmp_path: Path) -> None:
    model = SentenceTransformer(str(tiny.static), device="cpu")
    with without_cards(model):
        model.save_pretrained(str(tmp_path / "inside"))
    model.save_pretrained(str(tmp_path / "outside"))
    assert (tmp_path / "inside" / "modules.json").is_file()
    assert not (tmp_path / "inside" / "README.md").exists()
    assert (tmp_path / "outside" / "README.md").is_file()


def test_an_error_leaves_the_model_as_it_was(tiny: Tiny) -> None:
    model = SentenceTransformer(str(tiny.static), device="cpu")
    with pytest.raises(OSError), without_cards(model):  # noqa: PT011
        raise OSError
    assert "save_pretrained" not in vars(model)
