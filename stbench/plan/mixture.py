"""What the parts of a mixture need of each other: somebody who uses what was asked for, one head, one order of batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stbench.config.discovery import load
from stbench.config.mixture import PARTS
from stbench.config.sentence import Loss, Sampling
from stbench.errors import Problem
from stbench.plan.data_rules import mined_where_said, teacher_is_asked
from stbench.plan.draft import OFFERED, Draft, Rule
from stbench.plan.fault_rules import near_positives_can_be
from stbench.plan.helpers import helpers_fit
from stbench.plan.look import Look
from stbench.plan.loss_rules import in_batch_needs_such_a_loss
from stbench.plan.plan import Decision, TrainingPlan
from stbench.plan.rules import RULES, problems
from stbench.plan.spoken import Spoken
from stbench.plan.ways import entry_for, losses_for

ONCE: tuple[Rule, ...] = (teacher_is_asked, mined_where_said, in_batch_needs_such_a_loss, near_positives_can_be)
"""What one part at least must meet: a teacher or mined negatives, where they were asked for, are used where they can be."""


def problems_of(looks: Sequence[Look]) -> list[Problem]:
    """Everything that is wrong with the data sets; what is wrong with all of them alike is told once."""
    if len(looks) == 1:
        return [*problems(looks[0].draft), *helpers_fit(looks[0].draft), *looks[0].problems]
    rules = [rule for rule in (*RULES, helpers_fit) if rule not in ONCE]
    found = [[problem for rule in rules for problem in rule(look.draft)] for look in looks]
    shared = [one for one in found[0] if "dataset" not in str(one) and all(one in others for others in found)]
    own = [
        look.said.told(one)
        for look, some in zip(looks, found, strict=True)
        for one in (*some, *look.problems)
        if one not in shared
    ]
    return [*shared, *_met_nowhere(looks), *own] or list(_disagreements(looks))


def _met_nowhere(looks: Sequence[Look]) -> Iterator[Problem]:
    for rule in ONCE:
        found = [list(rule(look.asked)) for look in looks]
        if all(some == found[0] for some in found):
            yield from found[0]
        elif all(found):
            yield from (look.said.told(one) for look, some in zip(looks, found, strict=True) for one in some)


@dataclass(frozen=True)
class Head:
    """What a part needs of the one head of a cross-encoder."""

    labels: int
    activation: str
    classes: tuple[str, ...] = ()
    """Names of the classes by id, where the labels are classes."""

    def __str__(self) -> str:
        classes = f" ({', '.join(self.classes)})" if self.classes else ""
        return f"{self.labels} label{'s' * (self.labels != 1)}{classes} with {self.activation} activation"


def _head(look: Look) -> Head:
    entry, classes = look.loss, look.mapped["train"].classes
    activation = entry.activation or "identity"
    return (
        Head(len(classes), activation, classes)
        if entry.num_labels == "classes"
        else Head(entry.num_labels or 1, activation)
    )


def _disagreements(looks: Sequence[Look]) -> Iterator[Problem]:
    """A cross-encoder has one head, which must suit every part."""
    if looks[0].sentence.model.type != "cross_encoder":
        return
    first, *others = [(look.said.name, look, _head(look)) for look in looks]
    for name, look, head in others:
        if head != first[2]:
            what = f"{first[0]} needs {first[2]}, {name} {head}: a cross-encoder has one head"
            yield Problem(what, f"{PARTS}.{name}", _mend(name, look.draft, head, first[2]))


def _mend(name: str, draft: Draft, own: Head, wanted: Head) -> str:
    place = f"{PARTS}.{name}"
    if own.classes and sorted(own.classes) == sorted(wanted.classes):
        return f"{place}.classes=[{','.join(wanted.classes)}]"
    fitting = [] if wanted.classes else _losses_with(wanted, draft)
    return ", ".join(f"{place}.loss={loss}" for loss in fitting[:OFFERED]) or f"a run of its own for {name}"


def _losses_with(head: Head, draft: Draft) -> list[str]:
    """Losses that can be fed with the data of `draft` and train a head like `head`."""
    found = []
    for name in losses_for("cross_encoder", draft.shape, base=draft.base.architecture, means=draft.means):
        sentence = draft.sentence.model_copy(update={"loss": Loss.model_validate(load("loss", name))})
        entry = entry_for(sentence, draft.architecture, draft.base.architecture, draft.shape)
        if (
            entry
            and entry.num_labels != "classes"
            and Head(entry.num_labels or 1, entry.activation or "identity") == head
        ):
            found.append(name)
    return found


def batches(rows: Sequence[int], batch_size: int, sampling: Sampling) -> int:
    """Batches of an epoch over parts with so many rows each."""
    return sum(_batches_of_each(rows, batch_size, sampling))


def _batches_of_each(rows: Sequence[int], batch_size: int, sampling: Sampling) -> list[int]:
    each = [max(1, -(-number // batch_size)) for number in rows]
    return each if sampling == "proportional" else [min(each)] * len(each)


def explain_mixture(said: Sequence[Spoken], training: TrainingPlan, rows: Sequence[int]) -> Iterator[Decision]:
    """The plan's lines about the parts as a whole; `rows` are those to train on, of each."""
    decides = next(one.name for one in said if one.decides)
    why = f"{decides} decides (dataset.decides); the others are reported beside it"
    yield Decision("mixture", ", ".join(one.name for one in said), why)
    each = _batches_of_each(rows, training.batch_size, training.sampling)
    numbers = ", ".join(f"{number:,} of {one.name}" for one, number in zip(said, each, strict=True))
    shown = f"{training.sampling.replace('_', ' ')}: about {numbers}"
    yield Decision("batches", shown, f"an epoch; {_SAMPLING[training.sampling]} (dataset.sampling)")


_SAMPLING = {
    "proportional": "every row once",
    "round_robin": "as many of each, until the smallest has no more",
}
