"""What an audit found, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

TOLD = 3
"""Examples of one finding."""
LONGEST = 240
"""Characters of a text in an example."""
LEAK = "test_leak"

Example = tuple[tuple[str, str], ...]
"""Texts, each behind what it is."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault in the data: how often there is, and what removes it."""

    name: str
    count: int
    of: int
    """How many there could be."""
    unit: str
    """What is counted: "test queries"."""
    what: str
    """What is wrong with them: "stand in the training data"."""
    examples: tuple[Example, ...] = ()
    override: str = ""
    """Removes it; empty where nothing does."""
    part: str = ""
    """Of a mixture."""

    @property
    def share(self) -> float:
        return self.count / max(1, self.of)

    @property
    def metric(self) -> str:
        """Its name for a tracker."""
        return f"{self.part}.{self.name}" if self.part else self.name

    @property
    def says(self) -> str:
        part = f"{self.part}: " if self.part else ""
        return f"{part}{self.count:,} of {self.of:,} {self.unit} ({percent(self.share)}) {self.what}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        shown = [[{"is": label, "text": text} for label, text in example] for example in self.examples]
        return {
            "name": self.name, "part": self.part, "count": self.count, "of": self.of, "share": self.share, "says": self.says,
            "override": self.override, "examples": shown,
        }  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """All that was found in the data of a run."""

    findings: tuple[Finding, ...] = ()
    cleaned: Mapping[str, int] = field(default_factory=dict)
    """What was left out before anything was trained, by name."""
    decides: str = ""
    """The part of a mixture that gives the verdict."""

    @property
    def leak(self) -> Finding | None:
        """Of the samples that give the verdict."""
        return next((one for one in self.findings if one.name == LEAK and one.part == self.decides), None)

    def reservations(self, max_leak: float) -> list[str]:
        """Why a score on these samples proves nothing: more than the share `max_leak` of them was trained on."""
        leak = self.leak
        if leak is None or leak.share <= max_leak:
            return []
        return [
            f"{percent(leak.share)} of the {leak.unit} {leak.what} ({leak.override} leaves these training rows out)"
        ]

    def extras(self, max_leak: float) -> dict[str, float]:
        """What the line of the verdict tells of it."""
        return {"leak": self.leak.share} if self.leak and self.reservations(max_leak) else {}

    def with_more(self, findings: Iterable[Finding]) -> Audit:
        return replace(self, findings=(*self.findings, *findings))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"findings": [one.as_dict() for one in self.findings], "cleaned": dict(self.cleaned)}


def percent(share: float) -> str:
    """One decimal, and never none of something."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def shown(text: str) -> str:
    """On one line, cut."""
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 2].rstrip() + " …"


def example(*texts: tuple[str, str]) -> Example:
    return tuple((label, shown(text)) for label, text in texts)
