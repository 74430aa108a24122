"""What is known to be relevant to what, however the texts are spelt, so that it is never mined as a negative.

The pairs of all splits count, held-out ones and those that a limit leaves out too: a document that answers the query of a
training row does so whether or not the pair is trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from stbench.cache import key_of
from stbench.data.convert import listed
from stbench.data.roles import Mapped
from stbench.data.rows import each, values
from stbench.data.splits import content_hash

if TYPE_CHECKING:
    from datasets import Dataset


class Positives:
    """Texts by their content (case and white space do not count), and those that belong together."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = (), groups: Iterable[Iterable[str]] = ()) -> None:
        """`pairs` hold in both directions; every text of a group belongs to every other one."""
        self._of: dict[str, set[str]] = {}
        self._group_of: dict[str, frozenset[str]] = {}
        for one, other in pairs:
            first, second = content_hash(one), content_hash(other)
            self._of.setdefault(first, set()).add(second)
            self._of.setdefault(second, set()).add(first)
        for texts in groups:
            group = frozenset(map(content_hash, texts))
            for key in group:
                before = self._group_of.get(key)
                self._group_of[key] = before | group if before else group

    def of(self, text: str) -> set[str]:
        """Content hashes of what answers `text`, itself among them."""
        key = content_hash(text)
        return {key, *self._of.get(key, ()), *self._group_of.get(key, ())}

    def with_those_of(self, others: Iterable[Positives], texts: Iterable[str]) -> Positives:
        """These, and what `others` say of `texts`; the same object where they say nothing new."""
        found = Positives()
        found._of = {key: set(known) for key, known in self._of.items()}
        found._group_of, told, known_others = self._group_of, False, list(others)
        for text in texts:
            key = content_hash(text)
            new = {other for one in known_others for other in one.of(text)} - self.of(text)
            if new:
                found._of.setdefault(key, set()).update(new)
                told = True
        return found if told else self

    @cached_property
    def digest(self) -> str:
        pairs = [[key, sorted(others)] for key, others in sorted(self._of.items())]
        return key_of(pairs, sorted({",".join(sorted(group)) for group in self._group_of.values()}))


def known_positives(splits: Mapping[str, Dataset], mapped: Mapping[str, Mapped]) -> Positives:
    """What the rows of `splits` say, whatever their shape."""
    pairs: list[tuple[str, str]] = []
    groups: dict[object, list[str]] = {}
    for name, rows in splits.items():
        shape, classes = mapped[name].shape, mapped[name].classes
        if shape == "labeled_text":
            for text, label in values(rows, "text", "label"):
                groups.setdefault(label, []).append(text)
        elif "text" in rows.column_names:
            pairs += values(rows, "text", "translation") if "translation" in rows.column_names else ()
        elif "documents" in rows.column_names:
            pairs += (
                (row["anchor"], text)
                for row in each(rows)
                for text, grade in zip(*listed(row), strict=True)
                if grade > 0
            )
        else:
            pairs += _pairs(rows, classes)
    return Positives(pairs, groups.values())


def _pairs(rows: Dataset, classes: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Anchor and positive of each row; of labelled rows those with label 1, of NLI those that are entailed."""
    found = values(rows, "anchor", "positive")
    if "label" not in rows.column_names:
        return found
    names = tuple(classes)
    relevant = {number for number, name in enumerate(names) if name.lower().startswith("entail")} if names else {1}
    return (pair for pair, label in zip(found, rows["label"], strict=True) if label in relevant)
