"""`job=compare` and `job=leaderboard` from the command line: tables, a page, a file, a last line, and every refusal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from small_runs import outcomes, scores, set_level, write_evaluation, write_run
from tiny_models import Tiny

Command = Callable[..., tuple[int, str, str]]
FAST = "verdict.resamples=200"
HEAVY = ("torch", "transformers", "sentence_transformers", "datasets", "mlflow", "pandas", "scipy.stats", "peft")


@pytest.fixture
def runs(workplace: Path) -> Path:
    """Three runs of one question, one of another, and two that did not finish."""
    root = Path("experiments")
    for place, name in enumerate(("first-11111111", "second-22222222", "third-33333333")):
        write_run(root, name, scores(outcomes(0.1 * place, place)), scores(outcomes(0.0, 9)))
    write_run(root, "other-44444444", set_level(outcomes(0.2)))
    write_run(root, "stopped-55555555", scores(outcomes(0.1)), **{"status.json": {"state": "interrupted"}})
    write_run(root, "broken-66666666", scores(outcomes(0.1)), **{"samples.parquet": None, "metrics.json": "{"})
    return root


def test_runs_are_held_against_each_other(command: Command, runs: Path) -> None:
    code, out, err = command("job=compare", "runs=[11111111,22222222,third]", FAST)
    assert (code, err) == (0, "")
    last = out.splitlines()[-1]
    assert re.match(r"BEST: 0\.\d{4} \| lead=\+0\.\d{4} \| ci95=\[\+", last)
    assert last.endswith("| tied=0 | runs=3 | n=60 | metric=ndcg@10 | run=third-33333333")
    for text in ("ndcg@10 on 60 samples of small", "row less column", "recall@10", "Holm", "WIN", "BM25", "12.5 s"):
        assert text in out, text
    (folder,) = runs.glob("compare-*")
    kept = json.loads((folder / "comparison.json").read_text())
    assert [one["run"] for one in kept["groups"][0]["runs"]] == ["third-33333333", "second-22222222", "first-11111111"]
    assert str(folder / "report.html") in out
    assert "first-11111111" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_same_command_refreshes_the_same_folder(command: Command, runs: Path) -> None:
    words = ("job=compare", "runs=[first,s*]", FAST)
    assert "runs=2 |" in command(*words)[1].splitlines()[-1]
    write_run(runs, "seventh-77777777", scores(outcomes(0.4, 8)))
    assert "runs=3 |" in command(*words)[1].splitlines()[-1]
    (folder,) = runs.glob("compare-*")
    assert "seventh-77777777" in (folder / "report.html").read_text(encoding="utf-8")


def test_other_questions_stand_apart_with_a_line_each(command: Command, runs: Path) -> None:
    code, out, _ = command("job=compare", "runs=all", FAST)
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("BEST")][1].endswith("run=other-44444444")
    assert "2 groups: runs of different groups were judged by other samples, or another metric" in out
    assert "left out: stopped-55555555: it was interrupted  → python -m stbench" in out
    assert "left out: broken-66666666: its files cannot be read (JSONDecodeError" in out


def test_a_finished_comparison_is_no_run(command: Command, runs: Path) -> None:
    command("job=compare", "runs=[first,second]", FAST)
    _, out, _ = command("job=compare", "runs=all", FAST)
    assert "compare-" not in out.split("page")[0]
    (folder,) = [item for item in runs.glob("compare-*") if "first" in (item / "command.txt").read_text()]
    code, _, err = command("job=compare", f"runs=[first,{folder.name}]")
    assert code == 2
    assert "job=compare has no score" in err


@pytest.mark.parametrize(
    ("words", "said", "mend"),
    [
        ([], "no runs are named", "runs=[A,B]"),
        (["runs=[first]"], "one run alone cannot be compared: this is first-11111111", "runs=all"),
        (["runs=[first,frst]"], "runs=[frst]: there is no such run", "did you mean"),
        (["runs=[first,stopped]"], "runs=[stopped-55555555]: it was interrupted", "loss=stopped"),
        (["runs=[first,broken]"], "its files cannot be read", "force=true"),
        (["runs=[first,second]", "verdict.fail_on=not_win"], "job=compare gives no verdict", "job.against"),
        (["runs=[stopped*]"], "none of these runs can be compared", "it was interrupted"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    command: Command, runs: Path, words: list[str], said: str, mend: str
) -> None:
    code, _, err = command("job=compare", *words)
    assert code == 2
    assert said in err
    assert mend in err
    assert not list(runs.glob("compare-*"))


def test_what_would_be_compared_can_be_asked(command: Command, runs: Path) -> None:
    code, out, _ = command("job=compare", "runs=[first,second,s*]", "plan=only")
    assert code == 0
    assert out.splitlines()[0] == "first-11111111  loss=first-11111111"
    assert "left out: stopped-55555555" in out
    assert not list(runs.glob("compare-*"))


def test_the_leaderboard_ranks_everything_that_has_finished(command: Command, runs: Path) -> None:
    write_evaluation(runs, "evaluate-7", scores(outcomes(0.15, 7)))
    code, out, err = command("job=leaderboard", FAST)
    assert (code, err) == (0, "")
    rows = [line for line in out.splitlines() if re.match(r"\d  +\w", line) and "." in line]
    order = [line.split()[1] for line in rows if line.split()[1][0].isalpha()]
    assert order == ["third-33333333", "evaluate-7", "second-22222222", "first-11111111", "other-44444444"]
    assert "left out: broken-66666666" in out
    assert "run=third-33333333" in out.splitlines()[-2]
    page = Path("logs", "leaderboard.html").read_text(encoding="utf-8")
    assert "../experiments/third-33333333/report.html" in page
    kept = json.loads(Path("logs", "leaderboard.json").read_text())
    assert [len(group["runs"]) for group in kept["groups"]] == [4, 1]
    assert not list(runs.glob("leaderboard-*"))


def test_the_leaderboard_marks_what_cannot_be_told_from_the_best(command: Command, runs: Path) -> None:
    write_run(runs, "twin-8", scores(outcomes(0.2, 2)))
    write_run(runs, "twin-9", scores(outcomes(0.2, 12)))
    _, out, _ = command("job=leaderboard", FAST)
    assert "tied=2" in out.splitlines()[-2]
    marked = [line.split()[1] for line in out.splitlines() if "≈ [" in line]
    assert len(marked) == 2
    assert set(marked) < {"twin-8", "twin-9", "third-33333333"}


def test_the_leaderboard_can_be_narrowed(command: Command, runs: Path) -> None:
    _, out, _ = command("job=leaderboard", "runs=[other*]", FAST)
    assert "metric=spearman" in out.splitlines()[-1]
    assert "first-11111111" not in out


def test_without_a_finished_run_there_is_no_leaderboard(command: Command, workplace: Path) -> None:
    assert command("job=leaderboard")[0] == 2
    write_run(Path("experiments"), "stopped", scores(outcomes(0.1)), **{"status.json": {"state": "failed"}})
    code, _, err = command("job=leaderboard")
    assert code == 2
    assert "there is no finished run here" in err
    assert "stopped: it failed" in err


def test_nothing_heavy_is_loaded(runs: Path) -> None:
    program = (
        "import sys; from stbench.__main__ import command\n"
        f"code = command(['job=compare', 'runs=all', '{FAST}'])\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.stderr.strip().endswith("0 []"), done.stderr


def test_real_runs_of_two_types_of_model_are_compared_by_the_metric_they_share(
    command: Command, workplace: Path, data: Mapping[str, Path], tiny: Tiny
) -> None:
    words = ["job=evaluate", "base_model=path", "dataset=files", f"dataset.test={data['pair']}", "tracker=none"]
    for own in ([f"base_model.path={tiny.static}"], ["model=sparse_encoder", f"base_model.path={tiny.masked}"]):
        assert command(*words, *own)[0] == 0
    code, out, err = command("job=compare", "runs=all", FAST)
    assert (code, err) == (0, "")
    assert "tied=" in out.splitlines()[-1]
    assert "runs=2 | n=40 | metric=ndcg@10" in out.splitlines()[-1]
    assert "texts a second" in out
