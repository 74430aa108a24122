"""Embeddings of a teacher: held-out texts meet the projection that the training texts met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tiny_models import Tiny

from stbench.cache import Store
from stbench.data.shapes import CONVERSIONS
from stbench.models.base import locate
from stbench.models.teacher import Teacher
from stbench.plan.plan import TeacherPlan

EMBED = next(step for step in CONVERSIONS if step.name == "embed")


def test_held_out_texts_are_projected_as_the_training_texts_were(tiny: Tiny, tmp_path: Path) -> None:
    from datasets import Dataset

    def embedded(teacher: Teacher, words: list[str]) -> np.ndarray:
        rows = Dataset.from_dict({"text": [f"thing number {i} {word}" for word in words for i in range(12)]})
        return np.array(teacher.answer(rows, EMBED, Store(tmp_path, "on"))["embedding"])

    plan = TeacherPlan("bi_encoder", locate("pooled", None, str(tiny.pooled), None, None), 8, dimensions=4)
    teacher = Teacher(plan, "cpu")
    train = embedded(teacher, ["red", "green", "blue"])
    again, held_out = embedded(teacher, ["red"]), embedded(Teacher(plan, "cpu"), ["red"])
    assert train.shape == (36, 4)
    assert np.allclose(again, train[:12], atol=1e-5)
    assert not np.allclose(held_out, train[:12], atol=1e-2)
