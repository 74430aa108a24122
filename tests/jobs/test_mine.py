"""Hard negatives as a data set of their own: what is in it, what trains on it, and where it goes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_collection import write_collection
from tiny_models import Tiny

from stbench.jobs import mine
from stbench.jobs.mined_rows import Pair, write_rows

Command = Callable[..., tuple[int, str, str]]
SHAPES = ("triplet", "n_tuple", "labeled_pair", "ranked_list")


@pytest.fixture
def words(data: Mapping[str, Path], tiny: Tiny, workplace: Path) -> list[str]:
    rows = ["dataset=files", f"dataset.train={data['pair']}"]
    return ["job=mine", *rows, f"negatives.miner={tiny.static}", "negatives.relative_margin=null", "negatives.num=2"]


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any], int]]:
    from datasets import Dataset

    told: list[tuple[str, dict[str, Any], int]] = []
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    monkeypatch.setattr(Dataset, "push_to_hub", lambda rows, name, **more: told.append((name, more, len(rows))))
    return told


def folder() -> Path:
    (found,) = Path("experiments").iterdir()
    return found


def read(file: Path) -> list[dict[str, Any]]:
    from pyarrow.parquet import read_table

    rows: list[dict[str, Any]] = read_table(file).to_pylist()
    return rows


def test_every_pair_gets_its_negatives_with_their_scores(command: Command, words: list[str]) -> None:
    code, out, err = command(*words)
    assert code == 0, err
    rows = read(folder() / "mined.parquet")
    assert len(rows) == 40
    assert list(rows[0]) == ["anchor", "positive", "negative_1", "negative_2", "mined_scores", "mined_ranks"]
    file = folder() / "mined.parquet"
    assert (
        out.splitlines()[-1]
        == f"MINED: rows=40 | queries=40 | short=0 | shape=n_tuple | file={file} | run={folder().name}"
    )
    assert folder().name.startswith("mine-static-files-n_tuple-")
    assert json.loads((folder() / "status.json").read_text())["state"] == "finished"
    assert not Path("logs/experiments.md").exists()
    assert not Path("logs/mlflow.db").exists()


def test_scores_and_ranks_are_those_of_the_miner_among_all_documents(
    command: Command, words: list[str], tiny: Tiny, data: Mapping[str, Path]
) -> None:
    from sentence_transformers import SentenceTransformer

    command(*words)
    rows = read(folder() / "mined.parquet")
    model = SentenceTransformer(str(tiny.static)).float()
    documents = [row["positive"] for row in rows]
    scores = model.similarity(model.encode([row["anchor"] for row in rows]), model.encode(documents)).tolist()
    for row, own in zip(rows, scores, strict=True):
        by_text = dict(zip(documents, own, strict=True))
        others = sorted((text for text in documents if text != row["positive"]), key=by_text.get, reverse=True)  # type: ignore[arg-type]
        texts = [row["positive"], row["negative_1"], row["negative_2"]]
        assert row["mined_scores"] == pytest.approx([by_text[text] for text in texts], abs=1e-3)
        assert row["mined_ranks"][0] is None
        assert all(
            by_text[others[rank - 1]] == pytest.approx(by_text[text], abs=1e-3)
            for rank, text in zip(row["mined_ranks"][1:], texts[1:], strict=True)
        )


def test_rows_with_the_query_of_another_are_left_out_where_that_is_said(
    command: Command, words: list[str], write_csv: Callable[..., Path]
) -> None:
    pairs = [[f"what is thing number {i % 20}?", f"thing number {i} is a tool"] for i in range(40)]
    file = write_csv(Path("repeated.csv"), ["question", "answer"], pairs)
    code, out, err = command(*words, f"dataset.train={file}", "dataset.duplicates=drop")
    assert code == 0, err
    assert "! 20 training rows with the texts of another, left out" in out
    assert len(read(folder() / "mined.parquet")) == 20


@pytest.mark.parametrize("shape", SHAPES)
def test_the_rows_are_those_that_training_would_mine_and_no_score_is_taken_for_a_label(
    shape: str, command: Command, words: list[str], plan_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    of_plan = mine.mine_rows
    monkeypatch.setattr(mine, "mine_rows", lambda *given: kept.append(of_plan(*given)) or kept[-1])
    code, out, err = command(*words, f"job.shape={shape}", "job.output=mined.parquet")
    assert code == 0, err
    assert f"shape={shape} | file=mined.parquet" in out.splitlines()[-1]
    plain = [
        {name: value for name, value in row.items() if not name.startswith("mined")}
        for row in read(Path("mined.parquet"))
    ]
    assert plain == kept[0].rows.to_list()
    losses = {"labeled_pair": "OnlineContrastiveLoss", "ranked_list": "contrastive"}
    plan = plan_of("dataset=files", "dataset.train=mined.parquet", f"loss={losses.get(shape, 'contrastive')}")
    mapped = plan.data.mapped["train"]
    assert mapped.shape == shape
    assert all(name.startswith("mined_score") or name.startswith("mined_rank") for name in mapped.ignored)
    assert len(mapped.ignored) == 2


def test_what_was_mined_can_be_trained_on(command: Command, words: list[str], tiny: Tiny) -> None:
    command(*words, "job.output=mined.parquet")
    own = ["dataset=files", "dataset.train=mined.parquet", "base_model=path", f"base_model.path={tiny.static}"]
    code, out, err = command(*own, "training=smoke", "tracker=none")
    assert code == 0, err
    assert "ignored" in out
    assert out.splitlines()[-1].startswith("VERDICT: ")


def test_all_training_rows_are_mined_and_what_is_held_out_is_never_a_negative(
    command: Command, words: list[str], tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    command(*words)
    first = read(folder() / "mined.parquet")[0]
    known = write_csv(tmp_path / "test.csv", ["question", "answer"], [[first["anchor"], first["negative_1"]]])
    code, _, err = command(*words, f"dataset.test={known}", "job.output=again.parquet")
    assert code == 0, err
    again = next(row for row in read(Path("again.parquet")) if row["anchor"] == first["anchor"])
    assert first["negative_1"] not in (again["negative_1"], again["negative_2"])
    assert len(read(Path("again.parquet"))) == 40


def test_the_documents_of_a_collection_are_searched_too(command: Command, words: list[str], workplace: Path) -> None:
    where = write_collection(workplace / "beir", train=range(6))
    own = [word for word in words if not word.startswith("dataset")]
    code, _, err = command(*own, "dataset=beir", f"dataset.path={where}")
    assert code == 0, err
    positives = {row["positive"] for row in read(folder() / "mined.parquet")}
    assert any(row["negative_1"] not in positives for row in read(folder() / "mined.parquet"))


def test_a_rescorer_gives_the_scores(command: Command, words: list[str], tiny: Tiny) -> None:
    from sentence_transformers import CrossEncoder

    CrossEncoder(str(tiny.plain), num_labels=1).save_pretrained("reranker")
    code, _, err = command(*words, "negatives.rescore=./reranker", "negatives.range_max=5")
    assert code == 0, err
    assert all(0 <= score <= 1 for row in read(folder() / "mined.parquet") for score in row["mined_scores"])


def test_texts_of_a_label_are_mined_as_pairs(command: Command, words: list[str], data: Mapping[str, Path]) -> None:
    code, _, err = command(*words, f"dataset.train={data['labeled_text']}", "job.shape=triplet")
    assert code == 0, err
    kinds = {
        tuple("tool" in row[name] for name in ("anchor", "positive", "negative"))
        for row in read(folder() / "mined.parquet")
    }
    assert kinds == {(True, True, False), (False, False, True)}


def test_the_same_sentence_again_only_brings_the_file_where_it_is_asked_for(
    command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command(*words)
    monkeypatch.setattr(mine, "plan_mining", None)
    code, out, _ = command(*words, "job.output=some/folder")
    assert code == 0
    assert "has already run" in out
    assert Path("some/folder/mined.parquet").read_bytes() == (folder() / "mined.parquet").read_bytes()
    assert command(*words, "job.output=some/folder")[0] == 0
    Path("mine.parquet").write_text("mine")
    code, _, err = command(*words, "job.output=mine.parquet")
    assert (code, Path("mine.parquet").read_text()) == (2, "mine")
    assert "force=true" in err


@pytest.mark.parametrize(
    ("more", "what", "mend"),
    [
        (["job.output=there.parquet"], "there already", "force=true"),
        (["job.output=mined.csv"], "not '.csv'", "job.output=mined.parquet"),
        (["negatives=none"], "nothing to mine", "negatives=auto"),
        (["negatives.range_max=1"], "hold 1 candidates", "negatives.range_max=20"),
        (["dataset.train={scored_pair}"], "hold no pairs", "rows of shape"),
        (["negatives.rescore=minilm"], "which scores no pairs", "reranker"),
        (["job.hub=alone"], "has an owner", "job.hub=OWNER/alone"),
        (["job.hub=a/b/c"], "Repo id", "OWNER/NAME"),
        (["job.hub=owner/name"], "no token", "HF_TOKEN"),
        (["job.shape=pair"], "not 'pair'", "job.shape=labeled_pair"),
        (
            ["dataset=mixture", "dataset.parts={{a: {{train: {pair}}}, b: {{train: {pair}}}}}"],
            "one by one",
            "dataset=files",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_mined(
    more: list[str], what: str, mend: str, command: Command, words: list[str], data: Mapping[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr(mine, "mine_rows", None)
    Path("there.parquet").write_text("mine")
    own = [word for word in words if "dataset=mixture" not in more or not word.startswith("dataset")]
    code, _, err = command(*own, *(word.format(**data) for word in more))
    assert code == 2
    assert what in err
    assert mend in err
    assert not Path("experiments").exists()


def test_the_hub_gets_the_rows_once(command: Command, words: list[str], pushed: list[Any]) -> None:
    code, out, err = command(*words, "job.hub=owner/mined")
    assert code == 0, err
    assert pushed == [("owner/mined", {"private": True}, 40)]
    assert "pushed to owner/mined (private)" in out
    assert out.splitlines()[-1].startswith("MINED: rows=40")
    command(*words, "job.hub=owner/mined")
    assert len(pushed) == 1
    command(*words, "job.hub=owner/open", "job.private=false")
    assert pushed[1] == ("owner/open", {"private": False}, 40)


def test_a_push_that_fails_loses_nothing(
    command: Command, words: list[str], pushed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import Dataset

    works = Dataset.push_to_hub

    def fail(*_: Any, **__: Any) -> None:
        raise ConnectionError("the Hub is away\nand more")

    monkeypatch.setattr(Dataset, "push_to_hub", fail)
    code, out, err = command(*words, "job.hub=owner/mined")
    assert code == 1
    assert "owner/mined did not take them: ConnectionError: the Hub is away; the same command pushes them again" in err
    assert "Traceback" not in err
    assert out.splitlines()[-1].startswith("MINED: rows=40")
    assert len(read(folder() / "mined.parquet")) == 40
    monkeypatch.setattr(Dataset, "push_to_hub", works)
    monkeypatch.setattr(mine, "mine_rows", None)
    assert command(*words, "job.hub=owner/mined")[0] == 0
    assert len(pushed) == 1


def test_plan_only_mines_nothing(command: Command, words: list[str]) -> None:
    code, out, _ = command(*words, "plan=only")
    assert code == 0
    assert "mined_scores" in out
    assert not Path("experiments").exists()


def test_a_signal_leaves_no_half_file(command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mine, "mine_rows", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    code, _, err = command(*words)
    assert code == 130
    assert "the same command goes on" in err
    assert not (folder() / "mined.parquet").exists()


def test_random_fillers_have_neither_score_nor_rank(tmp_path: Path) -> None:
    from datasets import Dataset

    row = {"anchor": "q", "positive": "p", "negatives": ["n", "r"], "scores": [0.9, 0.4], "ranks": [7]}
    nothing = {"anchor": "z", "positive": "p", "negatives": ["r", "n"], "scores": [], "ranks": []}
    assert Pair.of(row) == ("q", ["p", "n", "r"], [0.9, 0.4, None], [None, 7, None])
    lists = Dataset.from_list([nothing, row])
    for shape in SHAPES:
        file = tmp_path / f"{shape}.parquet"
        number = write_rows(lists, shape, 2, file)  # type: ignore[arg-type]
        assert number == len(read(file)) == {"triplet": 4, "n_tuple": 2, "labeled_pair": 6, "ranked_list": 2}[shape]
    assert read(tmp_path / "n_tuple.parquet")[1]["mined_scores"] == [0.9, 0.4, None]
    assert read(tmp_path / "triplet.parquet")[3]["mined_ranks"] == [None, None]
    assert [row["mined_rank"] for row in read(tmp_path / "labeled_pair.parquet")] == [None, None, None, None, 7, None]


def test_another_shape_takes_what_was_mined_from_the_cache(command: Command, words: list[str]) -> None:
    command(*words)
    code, out, _ = command(*words, "job.shape=triplet")
    assert code == 0
    assert "1 taken from the cache" in out
