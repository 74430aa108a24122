"""`seeds=…`: a run for each seed, and one verdict over all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tiny_models import Tiny

from stbench.records import ledger

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def words(data: Mapping[str, Path], tiny: Tiny, workplace: Path) -> list[str]:
    own = [f"base_model.path={tiny.static}", f"dataset.train={data['pair']}", "training.batch_size=8"]
    return ["base_model=path", "dataset=files", "tracker=none", "training.max_steps=4", *own]


def test_each_seed_is_a_run_and_all_of_them_have_one_verdict(command: Command, words: list[str]) -> None:
    code, out, err = command(*words, "seeds=2", "seed=5")
    assert code == 0, err
    last = out.rstrip().rsplit("\n", 1)[-1]
    found = re.match(
        r"VERDICT: \w+ \| .* \| seeds=2 \| seed_sd=\d\.\d{4} \| metric=cosine_ndcg@10 \| run=(\S+-2_seeds-\w{8})$", last
    )
    assert found, last
    folder = Path("experiments", found[1])
    each = json.loads((folder / "seeds.json").read_text())
    assert [one["seed"] for one in each] == [5, 6]
    scores = [one["score"] for one in each]
    assert f"score={sum(scores) / 2:.4f}" in last
    for one in each:
        kept = json.loads(Path("experiments", one["run"], "verdict.json").read_text())
        assert (kept["score"], kept["baseline"]) == (one["score"], one["baseline"])
        assert f"../{one['run']}/report.html" in (folder / "report.html").read_text(encoding="utf-8")
    rows = ledger.rows(Path("logs/experiments.md"))
    assert [row["run"] for row in rows] == [*(one["run"] for one in each), found[1]]
    assert rows[0]["command"].endswith("seed=5")

    code, out, _ = command(*words, "seed=6")
    assert each[1]["run"] in out.rstrip().rsplit("\n", 1)[-1]
    assert len(ledger.rows(Path("logs/experiments.md"))) == 3
    code, out, _ = command(*words, "seeds=2", "seed=5")
    assert out.rstrip().rsplit("\n", 1)[-1] == last
    assert len(ledger.rows(Path("logs/experiments.md"))) == 3


def test_seeds_may_be_named(command: Command, words: list[str]) -> None:
    code, out, err = command(*words, "seeds=[1,9]", "plan=only")
    assert (code, err) == (0, "")
    assert "the same with 2 seeds (1, 9)" in out
    assert not Path("experiments").exists()


def test_what_trains_nothing_has_no_seeds(command: Command, words: list[str]) -> None:
    code, _, err = command("job=evaluate", *words, "seeds=3")
    assert code == 2
    assert "seeds=1, or job=train" in err


@pytest.mark.parametrize("said", ["0", "[4]", "many"])
def test_numbers_that_are_none_are_refused(said: str, command: Command, words: list[str]) -> None:
    code, _, err = command(*words, f"seeds={said}", "plan=only")
    assert code == 2
    assert "seeds" in err
