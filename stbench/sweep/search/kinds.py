"""Samplers and pruners by a short name, with the arguments that Optuna's classes take."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stbench.config.suggest import did_you_mean
from stbench.errors import Problem, Refused
from stbench.sweep.search.share import WHOLE

Role = Literal["sampler", "pruner"]
SAMPLERS = {
    "tpe": "TPESampler", "random": "RandomSampler", "cmaes": "CmaEsSampler", "qmc": "QMCSampler", "gp": "GPSampler",
    "nsgaii": "NSGAIISampler",
}  # fmt: skip
PRUNERS = {
    "successive_halving": "SuccessiveHalvingPruner", "hyperband": "HyperbandPruner", "median": "MedianPruner",
    "percentile": "PercentilePruner", "threshold": "ThresholdPruner", "none": "NopPruner",
}  # fmt: skip
CLASSES: Mapping[Role, Mapping[str, str]] = {"sampler": SAMPLERS, "pruner": PRUNERS}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # What was sampled together is modelled together, also where some options exist for some choices only.
    "tpe": {"multivariate": True, "group": True},
    "cmaes": {"warn_independent_sampling": False},
    "qmc": {"scramble": True, "warn_independent_sampling": False, "warn_asynchronous_seeding": False},
    "gp": {"warn_independent_sampling": False},
    # Half go on at 10, 20, 40 and 80 %; at 10 % the usual warm-up ends. A third or a quarter from the start loses more of those
    # that begin slowly, and gives the sampler fewer whole trainings to learn from.
    "successive_halving": {"min_resource": 10, "reduction_factor": 2},
    "hyperband": {"min_resource": 10, "max_resource": WHOLE, "reduction_factor": 3},
    "percentile": {"percentile": 25.0},
}
"""Where they are not Optuna's own. Resources and steps of pruners are percents of a training."""
SINGLE = ("cmaes",)
"""Samplers that know one objective only."""
SEQUENTIAL = ("qmc",)
"""Samplers that go on with a sequence of their own: another seed would begin another one."""
WRITTEN = {"int": int, "float": (int, float), "bool": bool, "str": str, "None": type(None), "dict": dict}
"""Types of arguments that can be said on a command line."""


@dataclass(frozen=True)
class Kind:
    """A sampler or a pruner as it was chosen."""

    role: Role
    name: str
    arguments: Mapping[str, Any]
    """As said; `DEFAULTS` stand behind them."""

    @property
    def option(self) -> str:
        return f"hydra.sweeper.{self.role}"

    @property
    def whole(self) -> dict[str, Any]:
        return {**DEFAULTS.get(self.name, {}), **self.arguments}

    @property
    def says(self) -> str:
        told = {name: value for name, value in self.whole.items() if not name.startswith("warn_")}
        return " ".join([self.name, *(f"{name}={value}" for name, value in told.items())])


def kind_of(role: Role, said: Any) -> Kind:
    """What the configuration says of it: a mapping with `kind` and arguments, or the name alone.

    Raises `Refused` where there is no such kind.
    """
    arguments = dict(said) if isinstance(said, Mapping) else {"kind": said}
    name = str(arguments.pop("kind", None) or "none")
    if name not in CLASSES[role]:
        option = f"hydra.sweeper.{role}.kind"
        mend = did_you_mean(name, CLASSES[role], option + "={}")
        raise Refused(Problem(f"there is no {role} called '{name}'", f"{option}={name}", mend))
    return Kind(role, name, arguments)


def problems_of(kind: Kind, objectives: int) -> Iterator[Problem]:
    """Arguments that there are not, or that are of another type, and more objectives than a sampler knows."""
    known = arguments_of(kind)
    for name, value in kind.arguments.items():
        place = f"{kind.option}.{name}"
        if name not in known:
            mend = did_you_mean(name, known, f"{kind.option}.{{}}=…") if known else "leave it out"
            yield Problem(f"the {kind.role} '{kind.name}' has no argument '{name}'", place, mend)
        elif not _is_of(value, known[name]):
            yield Problem(
                f"it is of type {' or '.join(known[name])}, not {value!r}", place, f"{place}={_example(known[name])}"
            )
    if kind.name in SINGLE and objectives > 1:
        others = " or ".join(f"{kind.option}.kind={name}" for name in ("tpe", "nsgaii"))
        yield Problem(f"the sampler '{kind.name}' knows one objective only", f"{kind.option}.kind={kind.name}", others)


def build(kind: Kind, objectives: int, seed: int | None = None) -> Any:
    """Optuna's object. Raises `Refused` where an argument's value cannot be."""
    if found := list(problems_of(kind, objectives)):
        raise Refused(*found)
    more = {"seed": seed} if seed is not None and "seed" in arguments_of(kind) else {}
    try:
        with warnings.catch_warnings():
            # Experimental arguments have been so for years.
            warnings.simplefilter("ignore")
            return _class(kind)(**{**more, **kind.whole})
    except (TypeError, ValueError) as error:
        raise Refused(Problem(str(error), kind.option, "see Optuna's page of this class")) from None
    except ImportError as error:
        first = str(error).splitlines()[0]
        raise Refused(Problem(first, f"{kind.option}.kind={kind.name}", "pip install 'stbench[search]'")) from None


def arguments_of(kind: Kind) -> dict[str, tuple[str, ...]]:
    """Arguments that can be said, each with its types."""
    found = inspect.signature(_class(kind).__init__).parameters
    typed = {
        name: tuple(re.sub(r"\[.*\]", "", _written(one.annotation)).replace(" ", "").split("|"))
        for name, one in found.items()
        if name not in ("self", "args", "kwargs")
    }
    return {name: types for name, types in typed.items() if all(type_ in WRITTEN for type_ in types)}


def _written(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _class(kind: Kind) -> type[Any]:
    import optuna

    found: type[Any] = getattr(getattr(optuna, f"{kind.role}s"), CLASSES[kind.role][kind.name])
    return found


def _is_of(value: Any, types: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "bool" in types
    return any(isinstance(value, WRITTEN[one]) for one in types)  # type: ignore[arg-type]


def _example(types: tuple[str, ...]) -> str:
    return {"int": "10", "float": "0.1", "bool": "true", "str": "…", "dict": "{}"}.get(types[0], "null")
