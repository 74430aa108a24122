from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stbench.config.fingerprint import meaning, run_name
from stbench.config.preflight import check
from stbench.config.runs import as_list
from stbench.errors import Refused


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("[a,b]", '["a","b"]'),
        ("a,b", '["a","b"]'),
        ("a", '["a"]'),
        ("[ a , b* ]", '["a","b*"]'),
        ("[61672e08,1e5]", '["61672e08","1e5"]'),
        ("['one run','a,b']", '["one run","a,b"]'),
        ('["../x/y"]', '["../x/y"]'),
        ("[]", "[]"),
        ("", "[]"),
    ],
)
def test_names_are_read_however_they_are_written(said: str, names: str) -> None:
    assert as_list(said) == names


def test_a_list_without_brackets_is_no_sweep_and_a_fingerprint_no_number(say: Callable[..., Any]) -> None:
    assert check(["job=compare", "runs=a,b"]) == ["job=compare", 'runs=["a","b"]']
    assert say("job=compare", "runs=[61672e08,7]").sentence.runs == ["61672e08", "7"]


@pytest.mark.parametrize("job", ["train", "evaluate", "mine", "estimate"])
def test_runs_that_a_job_does_not_read_are_refused(job: str, say: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match=f"job={job} looks at no other runs") as caught:
        say(f"job={job}", "runs=[a]")
    assert "job=compare" in caught.value.problems[0].mend


def test_a_comparison_is_named_by_its_runs_and_resamples_alone(say: Callable[..., Any]) -> None:
    def name(*words: str) -> str:
        said = say("job=compare", *words)
        return run_name(said.sentence, said.chosen)

    assert name("runs=[a,b]").startswith("compare-")
    assert name("runs=[a,b]") == name("runs=a,b", "loss=triplet", "base_model=minilm", "plan=only")
    names = {
        name("runs=[a,b]"),
        name("runs=[a,c]"),
        name("runs=[a,b]", "verdict.resamples=500"),
        name("runs=[a,b]", "seed=1"),
    }
    assert len(names) == 4


@pytest.mark.parametrize("job", ["train", "estimate"])
def test_other_jobs_know_nothing_of_runs(job: str, say: Callable[..., Any]) -> None:
    assert "runs" not in meaning(say(f"job={job}").sentence)
