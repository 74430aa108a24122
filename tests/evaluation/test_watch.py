"""Progress of an evaluation is counted in texts, and the counter goes when the evaluation ends."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import Tiny

from stbench.evaluation.watch import counting
from stbench.models.base import locate
from stbench.models.build import Blueprint, build

TEXTS = [f"thing number {i}" for i in range(10)]


def encoder(tiny: Tiny, kind: str) -> Any:
    return build(
        Blueprint("sentence_transformer", locate(kind, None, str(getattr(tiny, kind)), None, None), "cpu"), seed=1
    )


@pytest.mark.parametrize("kind", ["plain", "static"])
def test_texts_are_counted_batch_by_batch(tiny: Tiny, kind: str) -> None:
    seen: list[tuple[int, int | None]] = []
    model = encoder(tiny, kind)
    with counting(lambda: model, 10, lambda done, total: seen.append((done, total))):
        model.encode(TEXTS, batch_size=4)
    assert seen == [(4, 10), (8, 10), (10, 10)]
    model.encode(TEXTS)
    assert len(seen) == 3


def test_the_bar_never_passes_its_end(tiny: Tiny) -> None:
    seen: list[int] = []
    model = encoder(tiny, "plain")
    with counting(lambda: model, 6, lambda done, total: seen.append(done)):
        model.encode(TEXTS, batch_size=4)
    assert seen == [4, 6, 6]


def test_pairs_of_a_cross_encoder_count_once(tiny: Tiny) -> None:
    seen: list[int] = []
    base = locate("plain", None, str(tiny.plain), None, None)
    model = build(Blueprint("cross_encoder", base, "cpu"), seed=1)
    with counting(lambda: model, 10, lambda done, total: seen.append(done)):
        model.predict([(text, text) for text in TEXTS], batch_size=5)
    assert seen == [5, 10]


def test_the_counter_goes_also_when_the_evaluation_breaks(tiny: Tiny) -> None:
    seen: list[int] = []
    model = encoder(tiny, "plain")
    with pytest.raises(ValueError, match="broken"), counting(lambda: model, 10, lambda done, total: seen.append(done)):
        raise ValueError("broken")
    model.encode(TEXTS)
    assert seen == []
