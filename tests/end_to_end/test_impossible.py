"""Sentences that cannot work: each is refused before any weight is loaded, and what the refusal offers makes it run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_models import Tiny, tiny

__all__ = ["tiny"]

OFFER = re.compile(r"(?<![\w.])([a-z_]+(?:\.\w+)*=(?:\[[^\]]*\]|[^\s,;()]+))")


@dataclass(frozen=True)
class Impossible:
    """A sentence, the shape of its rows, its base model, and the words that the refusal must hold."""

    words: str
    says: str
    shape: str = "pair"
    base: str = "plain"


SENTENCES = (
    Impossible("loss=listwise", "does not exist for sentence_transformer"),
    Impossible("model=cross_encoder loss=TripletLoss", "does not exist for cross_encoder"),
    Impossible("model=cross_encoder loss=listwise", "static embeddings cannot become", base="static"),
    Impossible("loss=GISTEmbedLoss", "cannot train static embeddings", base="static"),
    Impossible("model=cross_encoder loss=listwise", "no conversion leads there", "scored_pair"),
    Impossible("loss=BatchAllTripletLoss", "no conversion leads there"),
    Impossible("loss=triplet negatives=none", "needs hard negatives"),
    Impossible("loss=distillation", "learns from a teacher"),
    Impossible("loss=contrastive teacher=cross_encoder teacher.model={judge}", "learns nothing from a cross_encoder"),
    Impossible("loss=contrastive loss.guide=minilm", "asks no guide"),
    Impossible("loss=GISTEmbedLoss loss.guide=wordllama", "no tokenizer that a guide needs"),
    Impossible("modifier=matryoshka model=cross_encoder loss=contrastive", "shapes the vectors of a bi-encoder"),
    Impossible("modifier=adaptive_layer", "no layers to cut", base="static"),
    Impossible("modifier=matryoshka modifier.dims=[4096,8]", "32 dimensions"),
    Impossible("loss=pointwise negatives=in_batch", "uses no in-batch negatives", "labeled_pair"),
    Impossible("negatives.num=2", "nothing is mined here"),
    Impossible("loss=triplet negatives.range_min=5 negatives.range_max=5", "fewer than the"),
    Impossible(
        "loss=CachedMultipleNegativesRankingLoss training.gradient_checkpointing=true", "gradient checkpointing exclude"
    ),
    Impossible("training.max_seq_length=9999", "reads at most 64 tokens"),
    Impossible("training.batch_size=1", "no in-batch negatives"),
    Impossible("training.eval_steps=2.5", "whole number"),
    Impossible("precision=fp16 hardware=cpu", "needs a GPU"),
    Impossible("model=sparse_encoder model.architecture=splade", "no masked-LM head"),
    Impossible("evaluator=classes", "it judges cross_encoder with class_pair rows"),
    Impossible("loss.regularizers.query=0.1", "has no regularisers"),
    Impossible("training.extra.warmup_ratio=0.1", "an option of its own"),
)


@pytest.fixture(scope="session")
def judge(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder with one score."""
    import torch
    from sentence_transformers import CrossEncoder

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("judge")
    CrossEncoder(str(tiny.plain), num_labels=1).save_pretrained(str(folder))
    return folder


@pytest.mark.parametrize("case", SENTENCES, ids=lambda case: f"{case.words[:40]}")
def test_a_sentence_that_cannot_work_is_refused_and_its_offer_runs(
    case: Impossible,
    command: Callable[..., tuple[int, str, str]],
    data: Mapping[str, Path],
    tiny: Tiny,
    judge: Path,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = case.words.format(judge=judge).split()
    place = ["dataset=files", f"dataset.train={data[case.shape]}", f"base_model={getattr(tiny, case.base)}"]
    with monkeypatch.context() as strict:
        strict.setattr("stbench.models.build.build", lambda *_: pytest.fail("weights were loaded"))
        code, _, message = command(*place, *said)
    assert code == 2
    assert case.says in " ".join(message.split())
    mended = _mended([*place, *said], " ".join(message.split()), judge, tiny)
    code, _, message = command(*mended, "training=smoke", "verdict.resamples=100")
    assert code == 0, f"{mended}: {message}"


def _mended(words: list[str], message: str, judge: Path, tiny: Tiny) -> list[str]:
    """`words` with the first thing that the refusal offers; what it says to leave out left out."""
    where, _, mend = message.partition("→")
    offered = OFFER.findall(re.split(r",? or | … ", mend)[0])
    if offered and "losses" in mend:
        offered = offered[:1]
    if not offered:
        assert "leave" in mend
        named = OFFER.findall(where) + re.findall(r"[a-z_]+(?:\.\w+)+", where)
        gone = tuple(word.partition("=")[0] for word in named)
        return [word for word in words if not word.startswith(gone)]
    offered = [word.replace("DIR_OR_ID", str(judge)) for word in offered]
    bases = {"base_model=bert": tiny.masked, "base_model=minilm": tiny.pooled}
    offered = [
        f"base_model={bases.get(word, tiny.pooled)}" if word.startswith("base_model=") else word for word in offered
    ]
    keys = {word.partition("=")[0] for word in offered}
    if "option of its own" in where:
        keys |= {word.partition("=")[0] for word in words if word.startswith("training.extra.")}
    return [*(word for word in words if word.partition("=")[0] not in keys), *offered]
