"""The plan's line on faulty training rows."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.audit.cleaning import Cleaning
from stbench.plan.plan import Decision


def explain_cleaning(cleaning: Cleaning) -> Iterator[Decision]:
    """What is left out of the training rows, where anything is."""
    found = [(what, option) for value, what, option in _faults(cleaning) if value == "drop"]
    if found:
        yield Decision(
            "left out", ", ".join(what for what, _ in found), ", ".join(f"{option}=drop" for _, option in found)
        )


def _faults(cleaning: Cleaning) -> Iterator[tuple[str, str, str]]:
    yield cleaning.leaks, "training rows like held-out ones", "dataset.leaks"
    yield cleaning.duplicates, "training rows with the texts of another", "dataset.duplicates"
    yield cleaning.contradictions, "training rows that contradict each other", "dataset.contradictions"
    yield cleaning.near_positives, "negatives like positives", "negatives.near_positives"
