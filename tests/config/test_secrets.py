from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import OmegaConf

from stbench.config.check import from_tree
from stbench.config.fingerprint import meaning, run_name
from stbench.config.preflight import check
from stbench.config.secrets import redacted, shelter
from stbench.errors import Refused

HIDDEN = [
    ("postgresql://me:geheim@host/db", "postgresql://me:***@host/db"),
    ("mysql+pymysql://me:ge@hei/m@host:33/db", "mysql+pymysql://me:***@host:33/db"),
    ("x=sqlite:///file:a.db?uri=true&password=geheim", "x=sqlite:///file:a.db?uri=true&password=***"),
    ("mssql+pyodbc://?odbc_connect=DRIVER%3D;PWD=geheim", "mssql+pyodbc://?odbc_connect=***"),
    ("a https://me:geheim@host and http://b:geheim@host", "a https://me:***@host and http://b:***@host"),
]
PLAIN = [
    "sqlite:///pairs.db",
    "postgresql://me@host:5432/db",
    "loss=triplet",
    "dataset.query=SELECT a FROM b",
    "http://x:80/y",
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STBENCH_PASSWORD", "STBENCH_PASSWORD_2"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("text", "shown"), HIDDEN)
def test_passwords_of_addresses_are_hidden(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(shown) == shown


@pytest.mark.parametrize("text", PLAIN)
def test_what_has_no_password_stays(text: str) -> None:
    assert redacted(text) == text
    assert shelter([text]) == [text]


@pytest.mark.parametrize("text", [text for text, _ in HIDDEN])
def test_sheltered_words_hold_no_password_and_mean_the_same(text: str) -> None:
    (word,) = shelter([text])
    assert "geheim" not in word
    assert OmegaConf.create({"x": word}).x == text
    assert shelter([word]) == [word]


def test_each_password_has_a_variable_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = shelter(["a://b:one@c", "a://b:two@c", "x://y:one@z"])
    assert first == "a://b:${oc.env:STBENCH_PASSWORD}@c"
    assert second == "a://b:${oc.env:STBENCH_PASSWORD_2}@c"
    assert third == "x://y:${oc.env:STBENCH_PASSWORD}@z"
    assert (os.environ["STBENCH_PASSWORD"], os.environ["STBENCH_PASSWORD_2"]) == ("one", "two")


def test_the_command_line_loses_its_passwords_before_it_is_read() -> None:
    words = check(["dataset=sql", "dataset.connection=postgresql://me:geheim@host/x", "dataset.query=SELECT a, b"])
    assert words == [
        "dataset=sql", 'dataset.connection="postgresql://me:${oc.env:STBENCH_PASSWORD}@host/x"',
        'dataset.query="SELECT a, b"',
    ]  # fmt: skip
    with pytest.raises(Refused) as caught:
        check(["dataset.conection=postgresql://me:geheim@host/x"])
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "query", ["SELECT a, b FROM c WHERE d = 'x' AND e LIKE '%\"f\"\\'", "SELECT [a] FROM {b} -- \\\\", 'a\nb\\d+\\"']
)
def test_a_query_is_taken_as_it_stands(query: str, say: Callable[..., Any]) -> None:
    said = say("dataset=sql", "dataset.connection=sqlite:///a.db", f"dataset.query={query}")
    assert said.sentence.dataset.query == query
    assert (
        say(
            "dataset=sql", "dataset.connection=a", "dataset.query=x", "dataset.test_query=null"
        ).sentence.dataset.test_query
        is None
    )


def test_no_record_of_a_sentence_shows_a_password(say: Callable[..., Any]) -> None:
    said = say("dataset=sql", "dataset.connection=postgresql://me:geheim@host/x", "dataset.query=SELECT a")
    sentence = said.sentence
    assert sentence.dataset.connection == "postgresql://me:geheim@host/x"
    for shown in (sentence.model_dump(mode="json"), meaning(sentence), sentence):
        assert "geheim" not in repr(shown)
    other = sentence.model_dump(by_alias=True)
    other["dataset"]["connection"] = "postgresql://me:other@host/x"
    assert run_name(from_tree(other), said.chosen) == run_name(sentence, said.chosen)


def test_a_wrong_value_with_a_password_is_refused_without_it(say: Callable[..., Any]) -> None:
    tree = say("dataset=sql", "dataset.connection=x", "dataset.query=y").sentence.model_dump(by_alias=True)
    tree["dataset"]["connection"] = ["postgresql://me:geheim@host/x"]
    with pytest.raises(Refused) as caught:
        from_tree(tree)
    assert "geheim" not in str(caught.value)


def test_a_variable_that_is_not_set_is_named(say: Callable[..., Any]) -> None:
    with pytest.raises(Refused) as caught:
        say("dataset=sql", "dataset.connection=${oc.env:NO_SUCH_VARIABLE}", "dataset.query=x")
    (problem,) = caught.value.problems
    assert (problem.where, problem.mend) == ("dataset.connection", "export NO_SUCH_VARIABLE=…")


def test_the_address_of_the_tracking_is_shown_without_its_password(say: Callable[..., Any]) -> None:
    tracker = say("tracker.uri=postgresql://me:geheim@host/mlflow").sentence.tracker
    assert tracker.uri == "postgresql://me:geheim@host/mlflow"
    assert tracker.model_dump(mode="json")["uri"] == "postgresql://me:***@host/mlflow"
    assert "geheim" not in repr(tracker)
