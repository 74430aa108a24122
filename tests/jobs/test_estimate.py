"""What a run would take: measured on slices, nothing trained, nothing left but the figures."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_collection import write_collection
from tiny_models import Tiny

from stbench.jobs import estimate
from stbench.jobs.slices import COSTLY, held_out_slice, training_slice

Command = Callable[..., tuple[int, str, str]]
LINE = re.compile(
    r"^ESTIMATE: time=\d+:\d\d:\d\d \| steps=(\d+) \| step=\S+s \| memory=\d+\.\dGiB \| disk=\d+MiB \| run=(\S+)$"
)


@pytest.fixture
def words(data: Mapping[str, Path], tiny: Tiny, workplace: Path) -> list[str]:
    own = [f"base_model.path={tiny.static}", f"dataset.train={data['pair']}", "training.batch_size=8"]
    return ["job=estimate", "base_model=path", "dataset=files", "job.steps=2", *own]


def kept() -> dict[str, Any]:
    (file,) = Path("experiments").glob("*/estimate.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def stages() -> list[str]:
    return [cost["stage"] for cost in kept()["costs"]]


def test_it_ends_in_a_line_and_leaves_nothing_but_its_figures(command: Command, words: list[str]) -> None:
    code, out, err = command(*words)
    assert code == 0, err
    found = LINE.match(out.splitlines()[-1])
    assert found, out
    assert stages() == [
        "libraries", "data", "model", "training", "preparing selection", "selection", "preparing test", "test", "saving",
    ]  # fmt: skip
    (folder,) = Path("experiments").iterdir()
    assert folder.name.startswith("estimate-")
    assert {file.name for file in folder.iterdir()} == {
        ".lock", "command.txt", "config.yaml", "environment.json", "estimate.json", "inputs.json", "plan.txt", "status.json",
    }  # fmt: skip
    assert not Path("logs/experiments.md").exists()
    assert not Path("logs/mlflow.db").exists()


def test_its_steps_and_its_name_are_those_of_the_run(command: Command, words: list[str]) -> None:
    _, out, _ = command(*words)
    found = LINE.match(out.splitlines()[-1])
    assert found
    trained = [word for word in words if not word.startswith("job")]
    code, out, err = command(*trained, "tracker=none")
    assert code == 0, err
    assert out.splitlines()[-1].endswith(f"run={found[2]}")
    metrics = json.loads(Path("experiments", found[2], "metrics.json").read_text())
    assert metrics["last_step"] == int(found[1])


def test_it_measures_anew_each_time(command: Command, words: list[str]) -> None:
    command(*words)
    first = kept()
    code, out, _ = command(*words)
    assert code == 0
    assert "has already run" not in out
    assert kept()["costs"] != first["costs"]


def test_conversions_are_timed_and_brought_to_all_rows(
    command: Command, words: list[str], tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import CrossEncoder

    from stbench.jobs import slices

    monkeypatch.setattr(slices, "LEAST", 8)
    CrossEncoder(str(tiny.plain), num_labels=1).save_pretrained("reranker")
    mining = ["loss=triplet", "negatives=mined", f"negatives.miner={tiny.static}", "negatives.num=2"]
    code, _, err = command(*words, *mining, "negatives.rescore=./reranker", "negatives.range_max=4")
    assert code == 0, err
    costs = {cost["stage"]: cost for cost in kept()["costs"]}
    assert costs["mining"]["factor"] == pytest.approx(32 / 8)
    assert "8 of 32 pairs through static" in costs["mining"]["how"]
    assert costs["rescoring"]["factor"] == pytest.approx(4)
    # 32 training pairs with one hard negative each, eight in a batch, three epochs.
    assert kept()["steps"] in (12, 24)


def test_a_teacher_is_asked_about_a_slice(
    command: Command, words: list[str], tiny: Tiny, data: Mapping[str, Path]
) -> None:
    own = [f"dataset.train={data['text']}", "loss=distillation", "teacher=bi_encoder", f"teacher.model={tiny.pooled}"]
    code, _, err = command(*words, *own)
    assert code == 0, err
    costs = {cost["stage"]: cost for cost in kept()["costs"]}
    assert "rows through pooled" in costs["teacher"]["how"]


@pytest.mark.parametrize("kind", ["cross_encoder", "sparse_encoder", "multi_vector_encoder"])
def test_every_model_type(kind: str, command: Command, words: list[str], tiny: Tiny) -> None:
    base = tiny.masked if kind == "sparse_encoder" else tiny.plain
    code, out, err = command(*words, f"model={kind}", f"base_model.path={base}")
    assert code == 0, err
    assert LINE.match(out.splitlines()[-1]), out


def test_a_collection_is_searched_in_part(
    command: Command, words: list[str], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stbench.jobs import slices

    monkeypatch.setattr(slices, "DOCUMENTS", 10)
    monkeypatch.setattr(slices, "HELD", 2)
    folder = write_collection(workplace / "beir", train=range(5), test=range(5, 10))
    own = [word for word in words if not word.startswith("dataset")]
    code, _, err = command(*own, "dataset=beir", f"dataset.path={folder}")
    assert code == 0, err
    costs = {cost["stage"]: cost for cost in kept()["costs"]}
    assert "of 20 documents" in costs["test"]["how"]
    assert costs["test"]["factor"] > 1.5


def test_a_mixture_is_measured_part_by_part(command: Command, words: list[str], data: Mapping[str, Path]) -> None:
    parts = f"{{sts: {{train: {data['scored_pair']}, loss: CoSENTLoss}}, docs: {{train: {data['pair']}}}}}"
    own = [word for word in words if not word.startswith("dataset")]
    code, out, err = command(*own, "dataset=mixture", f"dataset.parts={parts}")
    assert code == 0, err
    assert LINE.match(out.splitlines()[-1]), out
    assert {"test (sts)", "test (docs)"} <= set(stages())


@pytest.mark.parametrize(
    ("more", "mend"),
    [
        (["loss=classification"], "loss="),
        (["training.extra.max_grad_nrm=1"], "training.extra.max_grad_norm"),
        (["job.steps=0"], "job.steps=1"),
        (["job.against=minilm"], "job=evaluate"),
    ],
)
def test_what_training_would_refuse_is_refused(more: list[str], mend: str, command: Command, words: list[str]) -> None:
    code, _, err = command(*words, *more)
    assert code == 2
    assert mend in err


def test_plan_only_measures_nothing(command: Command, words: list[str]) -> None:
    code, out, _ = command(*words, "plan=only")
    assert code == 0
    assert "learning rate" in out
    assert not Path("experiments").exists()


def test_a_signal_stops_it(command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "measure", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    code, _, _ = command(*words)
    assert code == 130


def test_a_disk_that_is_too_small_is_told(command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    _, out, _ = command(*words)
    assert "the disk has 0 MiB left" in out


def test_slices_are_large_enough_for_their_steps_and_small_for_a_teacher(
    plan_of: Callable[..., Any], data: Mapping[str, Path]
) -> None:
    from datasets import Dataset

    from stbench.data.splits import Splits

    rows = Dataset.from_dict({"anchor": [f"q {i}" for i in range(9000)], "positive": [f"a {i}" for i in range(9000)]})
    splits = Splits(rows, rows, rows, "pair")
    words = ["dataset=files", f"dataset.train={data['pair']}", "training.batch_size=2000"]
    plan = plan_of(*words)
    assert len(training_slice(splits, plan.data, plan.training, 2).train) == 6000
    mined = plan_of(*words, "negatives=mined")
    assert len(training_slice(splits, mined.data, mined.training, 2).train) == COSTLY
    some, factor = held_out_slice(splits, "test")
    assert len(some.test) * factor == 9000
