"""A model scored as it is: what it leaves, what it says the second time, and what a second model beside it adds."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_collection import write_collection
from tiny_models import Tiny

from stbench.jobs import evaluate
from stbench.jobs.evaluate import named_alike
from stbench.records import ledger, logbook

Command = Callable[..., tuple[int, str, str]]
SCORE = re.compile(
    r"^SCORE: -?\d\.\d{4} \| ci95=\[-?\d\.\d{3},-?\d\.\d{3}\] \| n=\d+"
    r"(?P<dims> \| query_active_dims=\d+\.\d \| corpus_active_dims=\d+\.\d)? \| metric=\S+ \| run=evaluate-\S+$"
)


@pytest.fixture
def words(data: Mapping[str, Path], tiny: Tiny, workplace: Path) -> list[str]:
    own = [f"base_model.path={tiny.static}", f"dataset.test={data['pair']}"]
    return ["job=evaluate", "base_model=path", "dataset=files", "tracker=none", *own]


def run_of(line: str) -> Path:
    return Path("experiments", line.rsplit("run=", 1)[1])


def test_it_ends_in_a_score_with_its_interval_and_leaves_everything_behind(command: Command, words: list[str]) -> None:
    code, out, err = command(*words)
    last = out.splitlines()[-1]
    assert (code, err) == (0, "")
    assert SCORE.match(last), last
    assert "n=40 | metric=cosine_ndcg@10" in last
    folder = run_of(last)
    assert {file.name for file in folder.iterdir()} == {
        ".lock", "command.txt", "config.yaml", "cost.json", "environment.json", "inputs.json", "metrics.json", "plan.txt",
        "report.html", "samples.parquet", "status.json", "verdict.json", "verdict.txt",
    }  # fmt: skip
    kept = json.loads((folder / "verdict.json").read_text())
    assert (kept["outcome"], kept["line"], kept["n"]) == ("EVALUATED", last, 40)
    assert kept["low"] < kept["score"] < kept["high"]
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"


def test_the_outcome_of_every_sample_is_kept_and_means_the_score(command: Command, words: list[str]) -> None:
    from pyarrow.parquet import read_table

    _, out, _ = command(*words)
    folder = run_of(out.splitlines()[-1])
    samples = read_table(folder / "samples.parquet").to_pydict()
    score = json.loads((folder / "verdict.json").read_text())["score"]
    assert len(set(samples["id"])) == 40
    assert np.mean(samples["ndcg@10"]) == pytest.approx(score)


def test_it_tells_what_the_model_costs_though_its_score_is_kept(command: Command, words: list[str]) -> None:
    for again in ([], ["seed=13", "evaluator.also=[]"]):
        _, out, _ = command(*words, *again)
        kept = json.loads((run_of(out.splitlines()[-1]) / "cost.json").read_text())
        assert list(kept) == ["after", "machine"]
        assert kept["after"]["texts_per_second"] > 0
        assert "documents a second" in out
    _, out, _ = command(*words, "evaluator.cost=false")
    assert not (run_of(out.splitlines()[-1]) / "cost.json").exists()
    assert "documents a second" not in out


def test_its_line_in_the_ledger_is_no_verdict(command: Command, words: list[str]) -> None:
    _, out, _ = command(*words)
    (row,) = ledger.rows(Path("logs/experiments.md"))
    assert (row["verdict"], row["baseline"], row["delta"], row["p"]) == ("EVALUATED", "", "", "")
    assert f"SCORE: {row['score']} | ci95={row['ci95']} | n={row['n']}" in out
    assert "job=evaluate" in row["command"]


def test_the_same_sentence_again_shows_what_is_there(
    command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, _ = command(*words)
    monkeypatch.setattr(evaluate, "plan_evaluation", None)
    code, out, _ = command(*words, "loss=triplet", "training.epochs=7", "negatives=mined")
    assert code == 0
    assert "has already run" in out
    assert out.splitlines()[-1] == first.splitlines()[-1]
    assert len(ledger.rows(Path("logs/experiments.md"))) == 1


def test_weights_that_have_changed_since_are_told(command: Command, words: list[str], tiny: Tiny) -> None:
    shutil.copytree(tiny.static, "model")
    here = [*words, "base_model.path=model"]
    command(*here)
    os.utime("model/model.safetensors", ns=(1, 1))
    _, out, _ = command(*here)
    assert "model/model.safetensors has changed since" in out


def test_plan_only_scores_nothing(command: Command, words: list[str]) -> None:
    code, out, _ = command(*words, "plan=only")
    assert code == 0
    assert "nothing is held out where nothing is trained" in out
    assert "learning rate" not in out
    assert not Path("experiments").exists()


def test_a_trial_has_no_line_in_the_ledger(command: Command, words: list[str]) -> None:
    code, out, _ = command(*words, "training=smoke")
    assert code == 0
    assert "n=16" in out.splitlines()[-1]
    assert "-trial-" in out.splitlines()[-1]
    assert not Path("logs/experiments.md").exists()


@pytest.mark.parametrize(
    ("model", "base", "shape", "metric"),
    [
        ("cross_encoder", "plain", "ranked_list", "ndcg@10"),
        ("cross_encoder", "plain", "scored_pair", "spearman"),
        ("sparse_encoder", "masked", "pair", "dot_ndcg@10"),
        ("multi_vector_encoder", "plain", "pair", "maxsim_ndcg@10"),
        ("sentence_transformer", "pooled", "scored_pair", "spearman_cosine"),
        ("sentence_transformer", "decoder", "labeled_pair", "cosine_ap"),
    ],
)
def test_any_model_by_any_evaluator(
    model: str, base: str, shape: str, metric: str, command: Command, words: list[str], tiny: Tiny,
    data: Mapping[str, Path],
) -> None:  # fmt: skip
    own = [f"model={model}", f"base_model.path={getattr(tiny, base)}", f"dataset.test={data[shape]}"]
    code, out, err = command(*words, *own)
    found = SCORE.match(out.splitlines()[-1])
    assert code == 0, err
    assert found, out
    assert f"metric={metric} " in found[0]
    assert bool(found["dims"]) == (model == "sparse_encoder")


def test_an_evaluator_by_name_and_its_metric(command: Command, words: list[str], data: Mapping[str, Path]) -> None:
    own = ["evaluator=triplet", f"dataset.test={data['triplet']}"]
    code, out, _ = command(*words, *own)
    assert code == 0
    assert "metric=cosine_accuracy" in out.splitlines()[-1]
    code, out, _ = command(*words, "evaluator=retrieval", "evaluator.metric=mrr@10")
    assert "metric=cosine_mrr@10" in out.splitlines()[-1]


def test_other_evaluators_are_reported_beside_it(
    command: Command, words: list[str], data: Mapping[str, Path], tiny: Tiny
) -> None:
    own = [f"dataset.test={data['triplet']}", "evaluator.also=[triplet,binary]"]
    code, out, err = command(*words, *own)
    assert code == 0, err
    assert "triplet: cosine_accuracy" in out
    kept = json.loads((run_of(out.splitlines()[-1]) / "metrics.json").read_text())
    assert set(kept["also"]) == {"triplet", "binary"}
    code, out, err = command(*words, *own, f"job.against={tiny.pooled}")
    assert code == 0, err
    assert "binary: cosine_ap" in out


def test_the_parts_of_a_mixture_are_judged_each_by_its_own(
    command: Command, words: list[str], data: Mapping[str, Path], tiny: Tiny
) -> None:
    parts = f"{{sts: {{test: {data['scored_pair']}}}, docs: {{test: {data['pair']}}}}}"
    own = [word for word in words if not word.startswith("dataset")] + ["dataset=mixture", f"dataset.parts={parts}"]
    code, out, err = command(*own, f"job.against={tiny.pooled}")
    assert code == 0, err
    assert "metric=spearman_cosine" in out.splitlines()[-1]
    assert "docs.retrieval: cosine_ndcg@10" in out
    kept = json.loads((run_of(out.splitlines()[-1]) / "metrics.json").read_text())
    assert set(kept["also"]) == {"docs.retrieval"}


def test_a_teacher_can_be_what_the_model_is_held_against(
    command: Command, words: list[str], data: Mapping[str, Path], tiny: Tiny
) -> None:
    own = [f"dataset.test={data['text']}", "teacher=bi_encoder", f"teacher.model={tiny.pooled}"]
    code, out, err = command(*words, *own)
    assert code == 0, err
    assert "metric=negative_mse" in out.splitlines()[-1]
    same = command(*words, *own, f"base_model.path={tiny.pooled}")[1]
    assert "SCORE: -0.0000" in same or "SCORE: 0.0000" in same


def test_bm25_stands_beside_a_retrieval(command: Command, words: list[str]) -> None:
    _, out, _ = command(*words)
    kept = json.loads((run_of(out.splitlines()[-1]) / "metrics.json").read_text())
    assert set(kept["references"]) == {"BM25", "fused with BM25"}
    assert kept["judged"]["metric"] == "ndcg@10"
    assert len(kept["judged"]["content"]) == 40


def test_queries_of_a_collection_search_all_of_it_though_there_are_only_test_judgements(
    command: Command, words: list[str], workplace: Path
) -> None:
    folder = write_collection(workplace / "beir", test=range(10))
    beir = [word for word in words if not word.startswith("dataset")]
    code, out, err = command(*beir, "dataset=beir", f"dataset.path={folder}")
    assert code == 0, err
    assert "n=10 | metric=cosine_ndcg@10" in out.splitlines()[-1]
    assert "10 queries over 20 documents" in out


def test_another_model_gives_a_verdict_on_the_same_samples(command: Command, words: list[str], tiny: Tiny) -> None:
    from pyarrow.parquet import read_table

    code, out, err = command(*words, f"job.against={tiny.pooled}")
    score, last = out.splitlines()[-2:]
    assert code == 0, err
    assert SCORE.match(score)
    assert re.match(r"VERDICT: \w+ \| score=\d.* \| p=\S+ \| n=40 \| metric=cosine_ndcg@10 \| run=evaluate-", last)
    samples = read_table(run_of(last) / "samples.parquet").to_pydict()
    difference = np.mean(samples["final_value"]) - np.mean(samples["baseline_value"])
    assert f"delta={difference:+.4f}" in last
    (row,) = ledger.rows(Path("logs/experiments.md"))
    assert f"VERDICT: {row['verdict']} |" in last
    again = command(*words, f"job.against={tiny.pooled}")[1]
    assert again.splitlines()[-2:] == [score, last]


def test_a_model_against_itself_is_marginal_and_the_gate_says_so(
    command: Command, words: list[str], tiny: Tiny
) -> None:
    same = [*words, f"job.against={tiny.static}"]
    code, out, _ = command(*same, "verdict.fail_on=not_win")
    assert (code, out.splitlines()[-1].split(" | ")[0]) == (3, "VERDICT: MARGINAL")
    assert command(*same, "verdict.fail_on=regression")[0] == 0


def test_models_of_two_types_are_compared_by_the_metric_they_share(
    command: Command, words: list[str], tiny: Tiny
) -> None:
    from sentence_transformers import SparseEncoder

    SparseEncoder(str(tiny.masked)).save_pretrained("sparse")
    code, out, err = command(*words, "job.against=./sparse")
    assert code == 0, err
    assert "n=40 | metric=cosine_ndcg@10" in out.splitlines()[-1]
    assert "against" in out
    assert "SPLADE" in out


def test_another_run_can_be_the_model_and_the_other_one(command: Command, words: list[str], tiny: Tiny) -> None:
    Path("experiments/a-run").mkdir(parents=True)
    shutil.copytree(tiny.pooled, "experiments/a-run/model")
    code, out, err = command(*words, "job.against=a-run")
    assert code == 0, err
    assert "against" in out
    run = ["base_model=from_run", "base_model.run=a-run"]
    code, out, err = command(*(word for word in words if not word.startswith("base_model")), *run)
    assert code == 0, err
    assert SCORE.match(out.splitlines()[-1])
    code, _, err = command(*words, "job.against=a-rum")
    assert (code, "did you mean job.against=a-run?" in err) == (2, True)


def test_it_is_tracked_as_what_it_is(command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []

    class Calls:
        run_id = None

        def __getattr__(self, name: str) -> Any:
            return lambda *given, **more: told.append((name, given, more)) or ""

    monkeypatch.setattr(logbook, "MlflowTracker", lambda *_: Calls())
    command(*(word for word in words if word != "tracker=none"))
    (start,), (values,), (ended,) = (
        [given for name, given, _ in told if name == kind] for kind in ("start", "log", "finish")
    )
    assert start[2]["stbench.job"] == "evaluate"
    assert {"score", "score.ci95_low", "test_cosine_ndcg@10"} <= set(values[0])
    assert ended == ("FINISHED",)
    assert {given[0].name for name, given, _ in told if name == "artifacts"} >= {"report.html", "samples.parquet"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_as_it_ends_a_training(
    command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(evaluate, "_data", lambda *_: os.kill(os.getpid(), number))
    code, _, err = command(*words)
    assert code == 130
    assert "the same command goes on from where it was" in err
    (status,) = Path("experiments").glob("*/status.json")
    assert json.loads(status.read_text())["state"] == "interrupted"


def test_keys_of_two_similarities_become_one() -> None:
    from stbench.evaluation.scores import Scores

    dense = Scores("test_cosine_ndcg@10", {"test_cosine_ndcg@10": 0.5, "test_cosine_map@100": 0.4}, "mean", {})
    sparse = Scores("test_dot_ndcg@10", {"test_dot_ndcg@10": 0.6, "test_query_active_dims": 9.0}, "mean", {})
    assert named_alike(sparse, dense).metrics == {"test_cosine_ndcg@10": 0.6}
    assert named_alike(sparse, dense).score == 0.6
    assert named_alike(dense, dense) is dense
