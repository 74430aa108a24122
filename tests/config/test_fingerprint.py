from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stbench.config.fingerprint import meaning, run_name


@pytest.fixture(scope="module")
def name(say: Callable[..., Any]) -> Callable[..., str]:
    def named(*words: str) -> str:
        said = say(*words)
        return run_name(said.sentence, said.chosen)

    return named


def test_the_name_can_be_read(name: Callable[..., str]) -> None:
    words = name("model=cross_encoder", "loss=pairwise").split("-")
    assert words[:4] == ["cross_encoder", "minilm", "python_docs", "pairwise"]
    assert len(words) == 5
    assert int(words[-1], 16) >= 0


@pytest.mark.parametrize(
    "word",
    ["plan=only", "force=true", "cache=off", "tracker=none", "tracker.uri=elsewhere", "verdict.fail_on=not_win"],
)
def test_what_changes_no_number_changes_no_name(word: str, name: Callable[..., str]) -> None:
    assert name(word) == name()


@pytest.mark.parametrize(
    "word",
    [
        "seed=13", "training.learning_rate=1e-5", "loss.arguments.scale=30", "verdict.min_effect=0.01", "dataset.limit=10",
        "negatives.range_min=3", "precision=fp32", "evaluator.batch_size=8", "training.extra.adam_beta2=0.9",
    ],
)  # fmt: skip
def test_what_can_change_a_number_changes_the_name(word: str, name: Callable[..., str]) -> None:
    assert name(word) != name()


def test_the_same_sentence_in_other_words_has_the_same_name(name: Callable[..., str]) -> None:
    said = ("training.epochs=2", "seed=12", "loss=contrastive")
    assert name(*said) == name(*reversed(said)) == name("training.epochs=2.0")


def test_trials_never_share_a_folder_with_real_runs(name: Callable[..., str]) -> None:
    assert "-trial-" in name("training=smoke")


@pytest.mark.parametrize("path", ["models/one", "owner/one", "models/one/"])
def test_a_base_model_by_path_shows_its_name(path: str, name: Callable[..., str]) -> None:
    assert name("base_model=path", f"base_model.path={path}").startswith("sentence_transformer-one-")


def test_the_name_is_one_folder(say: Callable[..., Any]) -> None:
    said = say()
    assert "/" not in run_name(said.sentence, {**said.chosen, "dataset": "beir/scifact"})


def test_descriptions_mean_nothing(say: Callable[..., Any]) -> None:
    text = repr(meaning(say().sentence))
    assert "summary" not in text
    assert "learning_rate" in text


def test_training_is_not_named_as_a_job(name: Callable[..., str]) -> None:
    assert name("job=train") == name()


def test_other_jobs_are(name: Callable[..., str]) -> None:
    words = name("job=evaluate", "base_model=minilm", "evaluator=triplet").split("-")
    assert words[:-1] == ["evaluate", "sentence_transformer", "minilm", "python_docs", "triplet"]
    assert name("job=evaluate").count("auto") == 0


@pytest.mark.parametrize(
    "word",
    [
        "loss=triplet",
        "training.learning_rate=1e-5",
        "negatives=mined",
        "modifier=matryoshka",
        "verdict.fail_on=not_win",
    ],
)
def test_what_an_evaluation_does_not_read_changes_no_name(word: str, name: Callable[..., str]) -> None:
    assert name("job=evaluate", word) == name("job=evaluate")


@pytest.mark.parametrize(
    "word",
    [
        "job.against=minilm", "base_model=minilm", "dataset.test_size=7", "evaluator.metric=mrr@10", "negatives.miner=minilm",
        "training.max_seq_length=32", "training.evaluation_rows=9", "verdict.resamples=500", "seed=3", "precision=fp32",
    ],
)  # fmt: skip
def test_what_it_reads_does(word: str, name: Callable[..., str]) -> None:
    assert name("job=evaluate", word) != name("job=evaluate")


def test_a_mining_is_named_by_its_miner_data_and_shape(name: Callable[..., str]) -> None:
    words = name("job=mine", "negatives.miner=minilm", "job.shape=triplet").split("-")
    assert words[:-1] == ["mine", "minilm", "python_docs", "triplet"]
    for word in ("job.output=a.parquet", "job.hub=a/b", "loss=triplet", "training.epochs=9", "base_model=minilm"):
        assert name("job=mine", word) == name("job=mine")
    for word in ("negatives.num=9", "negatives.rescore=minilm", "dataset.limit=9", "job.shape=triplet"):
        assert name("job=mine", word) != name("job=mine")
