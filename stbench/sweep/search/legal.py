"""Which choices go together, and which options each of them takes: found by planning, before any of them is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from stbench.errors import Problem, Refused
from stbench.sweep.search.space import Space

MOST = 200
"""Combinations that are all planned beforehand; of more each is planned when it is drawn."""


@dataclass(frozen=True)
class Facts:
    """What the plan of a sentence tells a search."""

    metric: str
    greater_is_better: bool
    judged: str
    """By what and on which data, in words: scores of other ones say nothing beside these."""
    eval_steps: float
    """As in the training's plan: a share of the steps (below 1), or a number of them."""


Try = Callable[[Sequence[str]], Facts]
"""Plans a sentence. Raises `Refused`."""
Why = tuple[Problem, ...]


def in_one_line(why: Why) -> str:
    return Refused(*why).in_one_line()


@dataclass(frozen=True)
class Legal:
    """A combination that runs."""

    picks: Mapping[str, str]
    """Value of each choice, but for those that are left out."""
    takes: tuple[str, ...]
    """Quantities that are drawn with it."""
    left_out: Mapping[str, Why]
    """Options that it refuses whatever their values, and why."""
    facts: Facts


@dataclass(frozen=True)
class Illegal:
    """A combination that is refused, and why."""

    picks: Mapping[str, str]
    why: Why


class Law:
    """Plans combinations of choices, each once."""

    def __init__(self, space: Space, attempt: Try) -> None:
        self._space = space
        self._attempt = attempt
        self._known: dict[tuple[tuple[str, str], ...], Legal | Illegal] = {}

    def of(self, picks: Mapping[str, str]) -> Legal | Illegal:
        """What `picks` come to, with every option that they do not refuse."""
        key = tuple(picks.items())
        if key not in self._known:
            self._known[key] = self._judged(picks)
        return self._known[key]

    def _judged(self, picks: Mapping[str, str]) -> Legal | Illegal:
        lowest = {one.name: one.ends[0] for one in self._space.quantities}
        values, first = {**picks, **lowest}, Refused()
        left_out: dict[str, Why] = {}
        while True:
            try:
                return self._legal(picks, values, left_out, self._attempt(self._space.words(values)))
            except Refused as refusal:
                first = first if first.problems else refusal
                named = self._named(refusal, values)
            if not named:
                break
            for name, why in named.items():
                left_out[name] = why
                del values[name]
        return self._built_up(picks, values, left_out) or Illegal(picks, tuple(first.problems))

    def _built_up(self, picks: Mapping[str, str], values: Mapping[str, str], before: Mapping[str, Why]) -> Legal | None:
        """The refusal named no option: without any of them, then one more at a time, as long as they are taken."""
        options = [name for name in self._space.options if name in values]
        kept = {name: value for name, value in values.items() if name not in options}
        if not options:
            return None
        try:
            facts = self._attempt(self._space.words(kept))
        except Refused:
            return None
        left_out = dict(before)
        for name in options:
            try:
                facts = self._attempt(self._space.words({**kept, name: values[name]}))
                kept[name] = values[name]
            except Refused as refusal:
                left_out[name] = tuple(refusal.problems)
        return self._legal(picks, kept, left_out, facts)

    def _legal(
        self, picks: Mapping[str, str], values: Mapping[str, str], left_out: Mapping[str, Why], facts: Facts
    ) -> Legal:
        taken = {name: value for name, value in picks.items() if name in values}
        numbers = tuple(one.name for one in self._space.quantities if one.name in values)
        return Legal(taken, numbers, dict(left_out), facts)

    def _named(self, refusal: Refused, values: Mapping[str, str]) -> dict[str, Why]:
        """Options among `values` that problems stand at, with these."""
        found: dict[str, Why] = {}
        for one in refusal.problems:
            places = {word.partition("=")[0].lstrip("+~") for word in one.where.split()}
            for name in self._space.options:
                if name in values and name in places:
                    found[name] = (*found.get(name, ()), one)
        return found


def all_of(law: Law, space: Space, advance: Callable[[int], None]) -> Iterator[Legal | Illegal]:
    """Every combination of the choices; `advance` is told how many are planned."""
    names = [choice.name for choice in space.choices]
    for number, values in enumerate(product(*(choice.values for choice in space.choices)), 1):
        yield law.of(dict(zip(names, values, strict=True)))
        advance(number)


def fullest(found: Sequence[Legal]) -> list[Legal]:
    """Each combination once, and none that leaves an option out where one of its values would do."""
    once = list({tuple(one.picks.items()): one for one in found}.values())
    return [one for one in once if not any(_is_more(other, one) for other in once)]


def _is_more(other: Legal, one: Legal) -> bool:
    return len(other.picks) > len(one.picks) and one.picks.items() <= other.picks.items()
