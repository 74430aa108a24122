"""Rules about how is trained: batches, steps, lengths and the library's own arguments."""

from __future__ import annotations

from collections.abc import Iterator

from stbench.errors import Problem
from stbench.plan.draft import Draft, Rule
from stbench.training.own_arguments import said_twice


def extra_has_no_option_of_its_own(draft: Draft) -> Iterator[Problem]:
    """Of two values for one argument one would be ignored."""
    yield from said_twice(draft.sentence.training.extra)


def in_batch_needs_a_batch(draft: Draft) -> Iterator[Problem]:
    """In a batch of one nothing is a negative."""
    if draft.loss and draft.sampler == "no_duplicates" and draft.sentence.training.batch_size == 1:
        yield Problem(
            "a batch of one row holds no in-batch negatives", "training.batch_size=1", "training.batch_size=32"
        )


def cached_loss_without_checkpointing(draft: Draft) -> Iterator[Problem]:
    """Both compute activations a second time; together they crash."""
    if draft.loss and draft.loss.cached and draft.sentence.training.gradient_checkpointing:
        yield Problem(
            "cached losses and gradient checkpointing exclude each other", f"loss={draft.chosen['loss']}",
            "training.gradient_checkpointing=false",
        )  # fmt: skip


def length_within_base(draft: Draft) -> Iterator[Problem]:
    """Beyond its position embeddings a model cannot read; static embeddings read everything."""
    asked = draft.sentence.training.max_seq_length
    option = "training.max_seq_length" if asked else "base_model.max_seq_length"
    wanted = asked or draft.sentence.base_model.max_seq_length
    if wanted and draft.base.architecture == "static":
        yield Problem("static embeddings read texts of any length", f"{option}={wanted}", "leave it out")
    elif wanted and draft.base.positions and wanted > draft.base.positions:
        yield Problem(
            f"the base model reads at most {draft.base.positions} tokens", f"{option}={wanted}",
            f"{option}={draft.base.positions}",
        )  # fmt: skip


def by_length_where_it_helps(draft: Draft) -> Iterator[Problem]:
    """In-batch negatives of one length are harder than chance has them, and static embeddings pad nothing."""
    if not draft.sentence.training.by_length or not draft.loss:
        return
    if draft.base.architecture == "static":
        yield Problem("static embeddings pad nothing", "training.by_length=true", "training.by_length=null")
    elif draft.sampler != "batch_sampler":
        yield Problem(
            f"loss={draft.chosen['loss']} compares the rows of a batch, which are not to be alike in length",
            "training.by_length=true", "training.by_length=null",
        )  # fmt: skip


def eval_steps_are_whole(draft: Draft) -> Iterator[Problem]:
    """From 1 upwards it counts steps, below 1 it is a share of them; 2.5 is neither."""
    steps = draft.sentence.training.eval_steps
    if steps is not None and steps > 1 and steps != int(steps):
        yield Problem(
            "steps between evaluations are a whole number, or a share below 1", f"training.eval_steps={steps}",
            f"training.eval_steps={int(steps)}",
        )  # fmt: skip


TRAINING_RULES: tuple[Rule, ...] = (
    extra_has_no_option_of_its_own,
    in_batch_needs_a_batch,
    cached_loss_without_checkpointing,
    length_within_base,
    by_length_where_it_helps,
    eval_steps_are_whole,
)
