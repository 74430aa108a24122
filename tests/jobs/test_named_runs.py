"""A run is named by as much of its name as it takes; what fits nothing, or too much, is told with what would."""

from __future__ import annotations

from pathlib import Path

import pytest

from stbench.errors import Refused
from stbench.jobs.named_runs import named_runs

NAMES = (
    "cross-minilm-docs-1a2b3c4d",
    "dense-wordllama-docs-5e6f7a8b",
    "dense-wordllama-docs-9c0d1e2f",
    "mine-docs-00000000",
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*NAMES, ".hidden"):
        (tmp_path / "experiments" / name).mkdir(parents=True)
    (tmp_path / "experiments" / "a-file").write_text("")
    (tmp_path / "elsewhere" / "other-1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "experiments"


def found(*words: str) -> tuple[list[str], list[str]]:
    named, others = named_runs(words)
    return [path.name for path in named], [path.name for path in others]


@pytest.mark.parametrize(
    "word",
    [
        "cross-minilm-docs-1a2b3c4d", "cross", "1a2b3c4d", "minilm-docs-1a2b3c4d", "experiments/cross-minilm-docs-1a2b3c4d",
        "experiments/cross-minilm-docs-1a2b3c4d/", "./experiments/cross-minilm-docs-1a2b3c4d",
    ],
)  # fmt: skip
def test_one_run_by_its_name_its_beginning_its_end_or_its_path(root: Path, word: str) -> None:
    assert found(word) == ([NAMES[0]], [])


def test_an_absolute_path_may_be_anywhere(root: Path) -> None:
    assert found(str(root.parent / "elsewhere" / "other-1")) == (["other-1"], [])


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("dense*", NAMES[1:3]),
        ("*-docs-?a2b*", NAMES[:1]),
        ("all", NAMES),
        ("elsewhere/*", ("other-1",)),
    ],
)
def test_a_pattern_finds_what_it_fits(root: Path, word: str, names: tuple[str, ...]) -> None:
    assert found(word) == ([], list(names))


def test_each_run_is_taken_once_and_counts_as_named_where_it_was_named(root: Path) -> None:
    assert found("9c0d1e2f", "dense*", "experiments/dense-wordllama-docs-9c0d1e2f", "9c0d1e2f") == (
        [NAMES[2]],
        [NAMES[1]],
    )


def test_a_whole_name_comes_before_longer_ones_that_begin_with_it(root: Path) -> None:
    (root / "dense").mkdir()
    assert found("dense") == (["dense"], [])


def test_everything_that_fits_nothing_or_too_much_is_told_at_once(root: Path) -> None:
    with pytest.raises(Refused) as caught:
        named_runs(["dense", "1a2b3c4e", "crss-minilm-docs-1a2b3c4d", "zzz*", "nowhere/x"])
    told = [(problem.what, problem.mend) for problem in caught.value.problems]
    assert told[0][0] == "2 runs begin or end with 'dense'"
    assert "dense* for all of them: dense-wordllama-docs-5e6f7a8b" in told[0][1]
    assert told[1] == ("there is no such run", f"did you mean runs=[{NAMES[0]}]?")
    assert told[2] == ("there is no such run", f"did you mean runs=[{NAMES[0]}]?")
    assert told[3][0] == "no run fits this pattern"
    assert told[3][1] == f"choose among {', '.join(NAMES[:3])}"
    assert told[4][0] == "there is no such run"


@pytest.mark.parametrize("word", ["all", "x", "x*"])
def test_where_nothing_has_run_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Refused, match="there are no runs here yet"):
        named_runs([word])
