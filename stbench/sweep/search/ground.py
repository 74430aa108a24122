"""The ground that a search covers: its space without what cannot run, surveyed before the first trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from stbench.errors import Problem, Refused
from stbench.sweep.search.legal import MOST, Facts, Illegal, Law, Legal, Try, all_of, fullest
from stbench.sweep.search.space import Choice, Space


@dataclass(frozen=True)
class Ground:
    """What may be drawn."""

    space: Space
    law: Law
    legal: tuple[Legal, ...]
    """Combinations that run; of too many to plan the first that does."""
    illegal: tuple[Illegal, ...]
    whole: bool
    """Whether all combinations are planned; otherwise each is when it is drawn."""

    @property
    def facts(self) -> Facts:
        return self.legal[0].facts

    def allowed(self, choice: Choice, picked: Mapping[str, str]) -> list[str]:
        """Values of `choice` that something legal goes on from, after the earlier ones in `picked`."""
        if not self.whole:
            return list(choice.values)
        before = [one.name for one in self.space.choices[: self.space.choices.index(choice)]]
        fitting = [one for one in self.legal if all(one.picks.get(name) == picked.get(name) for name in before)]
        there = {one.picks.get(choice.name) for one in fitting}
        return [value for value in choice.values if value in there]

    def of(self, picked: Mapping[str, str]) -> Legal | Illegal:
        """What a complete pick comes to."""
        if not self.whole:
            return self.law.of(picked)
        return next(one for one in self.legal if one.picks == picked)


def survey(space: Space, attempt: Try, advance: Callable[[int], None] = lambda _: None) -> Ground:
    """Plans the combinations of `space`.

    Raises `Refused` where none of them runs, where an option is refused with all of them, and where their scores cannot be
    told better from worse in one way.
    """
    law = Law(space, attempt)
    ground = _all(space, law, advance) if space.combinations <= MOST else _first(space, law, advance)
    if not ground.legal:
        raise Refused(*dict.fromkeys(problem for one in ground.illegal for problem in one.why))
    problems = [*_useless(ground), *_two_ways(ground)]
    if problems:
        raise Refused(*problems)
    _try_highest(ground, attempt)
    return ground


def _all(space: Space, law: Law, advance: Callable[[int], None]) -> Ground:
    found = list(all_of(law, space, advance))
    legal = fullest([one for one in found if isinstance(one, Legal)])
    illegal = [one for one in found if isinstance(one, Illegal)]
    return Ground(space, law, tuple(legal), (*illegal, *_bad_values(space, found, legal)), whole=True)


def _bad_values(space: Space, found: Sequence[Legal | Illegal], legal: Sequence[Legal]) -> list[Illegal]:
    """Values of options that run with no choice, where others of the same option do."""
    bad: list[Illegal] = []
    for choice in space.choices:
        good = {one.picks[choice.name] for one in legal if choice.name in one.picks}
        whys = [one.left_out[choice.name] for one in found if isinstance(one, Legal) and choice.name in one.left_out]
        if good and not choice.is_group and whys:
            bad += [Illegal({choice.name: value}, whys[-1]) for value in choice.values if value not in good]
    return bad


def _first(space: Space, law: Law, advance: Callable[[int], None]) -> Ground:
    """The first combination that runs, of as many as would all be planned in a smaller space."""
    illegal: list[Illegal] = []
    for one in islice(all_of(law, space, advance), MOST):
        if isinstance(one, Legal):
            return Ground(space, law, (one,), tuple(illegal), whole=False)
        illegal.append(one)
    return Ground(space, law, (), tuple(illegal), whole=False)


def _useless(ground: Ground) -> list[Problem]:
    """Options of the space that nothing takes."""
    taken = {name for one in ground.legal for name in (*one.picks, *one.takes)}
    why = {name: found for one in ground.legal for name, found in one.left_out.items()}
    lost = [name for name in ground.space.options if ground.whole and name not in taken]
    return list(dict.fromkeys(problem for name in lost for problem in why[name]))


def _two_ways(ground: Ground) -> list[Problem]:
    ways = {one.facts.greater_is_better: one.facts.metric for one in ground.legal}
    if len(ways) < 2:
        return []
    what = f"{ways[True]} counts upwards and {ways[False]} downwards: no score is the best of both"
    return [Problem(what, "evaluator.metric", "search each alone, or say one metric for all")]


def _try_highest(ground: Ground, attempt: Try) -> None:
    """The survey took the least of each number; the greatest is tried once."""
    one = ground.legal[0]
    highest = {other.name: other.ends[1] for other in ground.space.quantities if other.name in one.takes}
    if highest:
        attempt(ground.space.words({**one.picks, **highest}))


def questions(ground: Ground) -> list[str]:
    """By what and on which data trials are judged; several are several questions."""
    return list(dict.fromkeys(one.facts.judged for one in ground.legal))
