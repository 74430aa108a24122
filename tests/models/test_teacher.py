"""A teacher answers once; what it says is raw, projected where the student is smaller, and kept by content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from tiny_models import Tiny

from stbench.cache import Store
from stbench.config.sentence import Shape
from stbench.data.shapes import CONVERSIONS, Conversion
from stbench.errors import Refused
from stbench.models import teacher as module
from stbench.models.base import Base, locate
from stbench.models.blueprint import Blueprint
from stbench.models.build import build
from stbench.models.miner import Rescorer
from stbench.models.teacher import Teacher
from stbench.plan.hardware import processor
from stbench.plan.plan import Plan, TeacherPlan

PAIRS = [("what is a tool", f"a tool is thing number {number}") for number in range(6)]


def step(source: Shape, name: str) -> Conversion:
    return next(item for item in CONVERSIONS if (item.source, item.name) == (source, name))


def based(folder: Path) -> Base:
    return locate(folder.name, None, str(folder), None, None)


@pytest.fixture(scope="module")
def rerankers(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Cross-encoders by their number of labels; one label with the sigmoid that the library gives it by default."""
    found = {}
    for labels in (1, 3):
        found[labels] = tmp_path_factory.mktemp("rerankers") / f"labels{labels}"
        plan = Blueprint("cross_encoder", based(tiny.plain), "cpu", num_labels=labels, activation="sigmoid")
        build(plan, seed=labels).save_pretrained(str(found[labels]))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "on")


def scoring(folder: Path) -> Teacher:
    return Teacher(TeacherPlan("cross_encoder", based(folder), 4), "cpu")


def embedding(folder: Path, dimensions: int | None = None) -> Teacher:
    return Teacher(TeacherPlan("bi_encoder", based(folder), 4, dimensions), "cpu")


def logits(folder: Path, pairs: list[tuple[str, str]]) -> list[float]:
    from sentence_transformers import CrossEncoder
    from torch import nn

    return [float(value) for value in CrossEncoder(str(folder)).predict(pairs, activation_fn=nn.Identity())]


def test_margins_are_those_of_raw_scores(rerankers: dict[int, Path], store: Store) -> None:
    rows = Dataset.from_list([{"anchor": a, "positive": p, "negative": "a red room"} for a, p in PAIRS])
    found = scoring(rerankers[1]).answer(rows, step("triplet", "score"), store)
    assert found.column_names == ["anchor", "positive", "negative", "margin"]
    first, second = logits(rerankers[1], PAIRS), logits(rerankers[1], [(a, "a red room") for a, _ in PAIRS])
    assert found["margin"] == pytest.approx([one - two for one, two in zip(first, second, strict=True)], abs=1e-5)


def test_lists_hold_the_raw_score_of_each_text_positive_first(rerankers: dict[int, Path], store: Store) -> None:
    rows = Dataset.from_list(
        [{"anchor": a, "positive": p, "negative_1": "a red room", "negative_2": "a garden"} for a, p in PAIRS]
    )
    found = scoring(rerankers[1]).answer(rows, step("n_tuple", "score"), store)
    assert found.column_names == ["anchor", "positive", "negative_1", "negative_2", "scores"]
    asked = [(row["anchor"], row[name]) for row in rows for name in ("positive", "negative_1", "negative_2")]
    assert [score for row in found for score in row["scores"]] == pytest.approx(logits(rerankers[1], asked), abs=1e-5)
    assert min(score for row in found for score in row["scores"]) < 0 or max(map(max, found["scores"])) > 1


def test_scores_of_pairs_are_brought_to_0_to_1(rerankers: dict[int, Path], store: Store) -> None:
    rows = Dataset.from_list([{"anchor": a, "positive": p} for a, p in PAIRS])
    found = scoring(rerankers[1]).answer(rows, step("pair", "score"), store)
    raw = np.array(logits(rerankers[1], PAIRS))
    assert found["score"] == pytest.approx((1 / (1 + np.exp(-raw))).tolist(), abs=1e-5)


def test_a_pair_that_comes_twice_is_asked_once(rerankers: dict[int, Path], store: Store) -> None:
    teacher, seen = scoring(rerankers[1]), []
    teacher.watch = watching(seen)
    rows = Dataset.from_list([{"anchor": a, "positive": p} for a, p in [*PAIRS, *PAIRS]])
    found = teacher.answer(rows, step("pair", "score"), store)
    assert seen == [(6, "asking labels1")]
    assert found["score"][:6] == found["score"][6:]


def watching(seen: list[tuple[int, str]]) -> Any:
    @contextmanager
    def watch(_model: Any, texts: int, what: str) -> Iterator[None]:
        seen.append((texts, what))
        yield

    return watch


def test_classes_are_no_score(rerankers: dict[int, Path], store: Store) -> None:
    """The plan refuses it already where the files tell."""
    rows = Dataset.from_list([{"anchor": a, "positive": p} for a, p in PAIRS])
    for ask in (lambda: scoring(rerankers[3]).answer(rows, step("pair", "score"), store), rescorer(rerankers[3]).load):
        with pytest.raises(Refused, match="gives 3 classes"):
            ask()
    assert not store.made


def rescorer(folder: Path) -> Rescorer:
    return Rescorer(based(folder), "cpu")


def test_a_rescorer_is_loaded_once(rerankers: dict[int, Path]) -> None:
    found = rescorer(rerankers[1])
    assert found.load() is found.load()
    assert found.load().num_labels == 1


def encoded(folder: Path, texts: list[str]) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder)).encode(texts)


TEXTS = [f"thing number {number} is a tool" for number in range(12)]


def test_each_text_gets_its_embedding(tiny: Tiny, store: Store) -> None:
    rows = Dataset.from_list([{"text": text} for text in [*TEXTS, TEXTS[0]]])
    found = embedding(tiny.pooled).answer(rows, step("text", "embed"), store)
    assert found.column_names == ["text", "embedding"]
    expected = encoded(tiny.pooled, [*TEXTS, TEXTS[0]])
    assert np.allclose(np.array(found["embedding"]), expected, atol=1e-5)


def test_a_translation_is_kept_beside_the_embedding_of_the_text(tiny: Tiny, store: Store) -> None:
    rows = Dataset.from_list([{"text": text, "translation": f"in german {text}"} for text in TEXTS])
    found = embedding(tiny.pooled).answer(rows, step("parallel_text", "embed"), store)
    assert found.column_names == ["text", "translation", "embedding"]
    assert np.allclose(np.array(found["embedding"]), encoded(tiny.pooled, TEXTS), atol=1e-5)


def test_larger_embeddings_are_projected_to_where_they_differ_most(tiny: Tiny, store: Store) -> None:
    rows = Dataset.from_list([{"text": text} for text in TEXTS])
    found = np.array(embedding(tiny.pooled, 4).answer(rows, step("text", "embed"), store)["embedding"])
    whole = encoded(tiny.pooled, TEXTS)
    whole = whole - whole.mean(axis=0)
    kept = np.linalg.svd(whole, compute_uv=False)[:4]
    assert found.shape == (12, 4)
    assert np.linalg.norm(found) ** 2 == pytest.approx(float((kept**2).sum()), rel=1e-3)


def test_few_texts_have_few_components_and_zeros_for_the_others(tiny: Tiny, store: Store) -> None:
    """A trial on a handful of rows must go through like the run that it tries out."""
    rows = Dataset.from_list([{"text": text} for text in TEXTS[:3]])
    found = np.array(embedding(tiny.pooled, 8).answer(rows, step("text", "embed"), store)["embedding"])
    assert found.shape == (3, 8)
    assert not found[:, 3:].any()


def test_answers_are_kept_in_parts_so_that_an_interruption_loses_no_more_than_one(
    tiny: Tiny, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_A_TIME", 5)
    rows = Dataset.from_list([{"text": text} for text in TEXTS])
    teacher, seen = embedding(tiny.pooled), []
    calls = iter([watching(seen), watching(seen), interrupting])
    teacher.watch = lambda *given: next(calls)(*given)
    with pytest.raises(KeyboardInterrupt):
        teacher.answer(rows, step("text", "embed"), store)
    teacher.watch = watching(seen)
    found = teacher.answer(rows, step("text", "embed"), store)
    assert seen == [(5, "asking pooled"), (5, "asking pooled, 5 of 12 done"), (2, "asking pooled, 10 of 12 done")]
    assert np.allclose(np.array(found["embedding"]), encoded(tiny.pooled, TEXTS), atol=1e-5)


@contextmanager
def interrupting(*_: Any) -> Iterator[None]:
    yield
    raise KeyboardInterrupt


def test_a_sparse_teacher_gives_a_weight_for_each_word(tiny: Tiny, store: Store) -> None:
    teacher = Teacher(TeacherPlan("sparse_encoder", based(tiny.masked), 4), "cpu")
    found = teacher.answer(Dataset.from_list([{"text": text} for text in TEXTS]), step("text", "embed"), store)
    weights = np.array(found["embedding"])
    assert weights.shape == (12, based(tiny.masked).vocabulary)
    assert weights.min() >= 0
    assert weights.max() > 0


def test_the_second_time_nobody_is_asked(
    tiny: Tiny, rerankers: dict[int, Path], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = Dataset.from_list([{"anchor": a, "positive": p} for a, p in PAIRS])
    texts = Dataset.from_list([{"text": text} for text in TEXTS])
    asked = [
        (scoring(rerankers[1]), pairs, step("pair", "score")), (embedding(tiny.pooled), texts, step("text", "embed")),
    ]  # fmt: skip
    first = [teacher.answer(rows, how, store)[:] for teacher, rows, how in asked]
    monkeypatch.setattr(module, "_LOADED", {})
    again = [scoring(rerankers[1]).answer(pairs, step("pair", "score"), store)[:]]
    again.append(embedding(tiny.pooled).answer(texts, step("text", "embed"), store)[:])
    assert first == again
    assert len(store.made) == 2


def test_other_weights_or_texts_are_asked_anew(tiny: Tiny, store: Store) -> None:
    texts = Dataset.from_list([{"text": text} for text in TEXTS])
    embed = step("text", "embed")
    for teacher in (
        embedding(tiny.pooled),
        embedding(tiny.static),
        embedding(tiny.pooled, 4),
        embedding(tiny.pooled, 5),
    ):
        teacher.answer(texts, embed, store)
    embedding(tiny.pooled).answer(texts.select(range(5)), embed, store)
    assert len(store.made) == 3  # projections are made of what is there


def test_an_interrupted_teacher_leaves_nothing_behind(tiny: Tiny, store: Store) -> None:
    teacher = embedding(tiny.pooled)

    teacher.watch = interrupting
    rows = Dataset.from_list([{"text": text} for text in TEXTS])
    with pytest.raises(KeyboardInterrupt):
        teacher.answer(rows, step("text", "embed"), store)
    assert not store.made
    teacher.watch = watching([])
    assert len(teacher.answer(rows, step("text", "embed"), store)) == 12


def test_held_out_texts_are_projected_as_the_training_texts_were(tiny: Tiny, store: Store) -> None:
    def embedded(teacher: Teacher, words: list[str]) -> Any:
        rows = Dataset.from_dict({"text": [f"thing number {i} {word}" for word in words for i in range(12)]})
        return np.array(teacher.answer(rows, step("text", "embed"), store)["embedding"])

    teacher = embedding(tiny.pooled, 4)
    train = embedded(teacher, ["red", "green", "blue"])
    again, held_out = embedded(teacher, ["red"]), embedded(embedding(tiny.pooled, 4), ["red"])
    assert train.shape == (36, 4)
    assert np.allclose(again, train[:12], atol=1e-5)
    assert not np.allclose(held_out, train[:12], atol=1e-2)


def test_a_teacher_that_reads_less_answers_for_itself(rerankers: dict[int, Path], store: Store) -> None:
    rows = Dataset.from_dict({"anchor": ["what"], "positive": ["a tool " * 20]})
    plan = TeacherPlan("cross_encoder", based(rerankers[1]), 4)
    whole, cut = (Teacher(replace(plan, max_seq_length=tokens), "cpu") for tokens in (None, 6))
    score = step("pair", "score")
    answers = [teacher.answer(rows, score, store)["score"] for teacher in (whole, cut)]
    assert answers[0] != answers[1]


def test_half_precision_is_another_answer_and_nearly_the_same(rerankers: dict[int, Path], store: Store) -> None:
    rows = Dataset.from_list([{"anchor": a, "positive": p, "negative": "a red room"} for a, p in PAIRS])
    plan = TeacherPlan("cross_encoder", based(rerankers[1]), 4)
    full, half = (
        Teacher(replace(plan, precision=mode), "cpu").answer(rows, step("triplet", "score"), store)["margin"]
        for mode in ("fp32", "bf16")
    )
    assert 0 < np.abs(np.subtract(full, half)).max() < 0.05


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], "fp32" if not processor().bf16 else "bf16"), (["precision=bf16"], "bf16"), (["precision=fp32"], "fp32")],
)
def test_the_precision_is_that_of_the_teachers_own_weights(
    words: list[str], expected: str, rerankers: dict[int, Path], plan_of: Callable[..., Plan], tiny: Tiny
) -> None:
    """The student, of static embeddings, computes in fp32 by default."""
    plan = plan_of(
        f"base_model={tiny.static}", "loss=distillation", "teacher=cross_encoder",
        f"teacher.model={rerankers[1]}", *words,
    )  # fmt: skip
    assert plan.data.teacher
    assert plan.data.teacher.precision == expected
