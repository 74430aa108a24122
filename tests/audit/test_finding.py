from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stbench.audit.finding import LEAK, LONGEST, Audit, Finding, example, percent

LEAKED = Finding(LEAK, 30, 600, "test queries", "stand in the training data", (), "dataset.leaks=drop")


def test_a_finding_says_how_often_there_is_what() -> None:
    assert LEAKED.says == "30 of 600 test queries (5.0 %) stand in the training data"
    assert replace(LEAKED, part="docs").says.startswith("docs: 30 of 600")
    assert (LEAKED.metric, replace(LEAKED, part="docs").metric) == (LEAK, f"docs.{LEAK}")


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0.0 %"), (0.0001, "< 0.1 %"), (0.0005, "0.1 %"), (0.025, "2.5 %"), (1, "100.0 %")]
)
def test_shares_in_words(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(("max_leak", "denied"), [(0.01, True), (0.0499, True), (0.05, False), (1, False)])
def test_more_leaks_than_allowed_are_a_reservation(max_leak: float, denied: bool) -> None:
    audit = Audit((LEAKED,))
    reason = "5.0 % of the test queries stand in the training data (dataset.leaks=drop leaves these training rows out)"
    assert audit.reservations(max_leak) == [reason] * denied
    assert audit.extras(max_leak) == ({"leak": 0.05} if denied else {})


def test_only_samples_that_give_the_verdict_deny_it() -> None:
    others = (replace(LEAKED, name="selection_leak"), replace(LEAKED, part="other"))
    assert Audit(others, decides="docs").reservations(0) == []
    assert Audit((*others, replace(LEAKED, part="docs")), decides="docs").reservations(0)
    assert Audit().reservations(0) == []


def test_an_audit_is_plain_json() -> None:
    shown = example(("test", "a\nlong  " + "text " * 100), ("training", "b"))
    kept = json.loads(
        json.dumps(Audit((replace(LEAKED, examples=(shown,)),), {"rows without text (train)": 2}).as_dict())
    )
    assert kept["cleaned"] == {"rows without text (train)": 2}
    (one,) = kept["findings"]
    assert (one["name"], one["count"], one["share"], one["override"]) == (LEAK, 30, 0.05, "dataset.leaks=drop")
    ((first, second),) = one["examples"]
    assert first["text"].startswith("a long text")
    assert len(first["text"]) <= LONGEST
    assert second == {"is": "training", "text": "b"}
