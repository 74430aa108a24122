"""What happens beside the optimiser's steps, callback by callback."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerControl, TrainerState

from stbench.training.callbacks import (
    CHECKSUM,
    Checksums,
    EvaluateAtEnd,
    Report,
    StopOnSignal,
    StopWhenNoBetter,
    checksum,
)

KEY = "eval_score"


def state(**given: Any) -> TrainerState:
    found = TrainerState()
    for name, value in given.items():
        setattr(found, name, value)
    return found


def stops_at(scores: list[float], patience: int, greater_is_better: bool = True, known: int = 0) -> int | None:
    """The evaluation (from 1) after which training stops; the first `known` come from an earlier process's log."""
    history: list[dict[str, float]] = []
    callback = StopWhenNoBetter(KEY, patience, greater_is_better)
    for number, score in enumerate(scores, 1):
        history += [{"loss": 1.0}, {KEY: score}]
        control = TrainerControl()
        if number > known:
            callback.on_evaluate(None, state(log_history=history), control)
        if control.should_training_stop:
            return number
    return None


@pytest.mark.parametrize(
    ("scores", "patience", "expected"),
    [
        ([0.1, 0.2, 0.3, 0.4], 1, None),
        ([0.1, 0.3, 0.2], 1, 3),
        ([0.1, 0.3, 0.2, 0.2], 2, 4),
        ([0.1, 0.3, 0.2, 0.4, 0.3, 0.3], 2, 6),
        ([0.3, 0.3, 0.3], 2, 3),
        ([0.5, 0.1, 0.2, 0.3, 0.4], 3, 4),
    ],
)
def test_training_stops_after_so_many_evaluations_without_a_gain(
    scores: list[float], patience: int, expected: int | None
) -> None:
    assert stops_at(scores, patience) == expected
    assert stops_at([-score for score in scores], patience, greater_is_better=False) == expected
    # A process that goes on with the run, having seen none of the first evaluations, stops at the same one.
    assert stops_at(scores, patience, known=2) == expected


@pytest.mark.parametrize(
    ("step", "epoch", "evaluated", "stopping", "expected"),
    [
        (7, 0.7, 5, False, False),
        (10, 1.0, 5, False, False),
        (20, 2.0, 15, False, True),
        (20, 2.0, 20, False, False),
        # The sampler yielded 7 batches of the 10 it had announced.
        (17, 1.7, 15, False, True),
        (17, 1.7, 17, False, False),
        # A stop from outside in the last epoch.
        (17, 1.7, 15, True, False),
    ],
)
def test_the_end_of_the_last_epoch_is_evaluated(
    step: int, epoch: float, evaluated: int, stopping: bool, expected: bool
) -> None:
    """Two epochs of ten steps."""
    callback, control = EvaluateAtEnd(), TrainerControl(should_training_stop=stopping)
    callback.on_evaluate(None, state(global_step=evaluated), control)
    callback.on_epoch_end(None, state(global_step=step, max_steps=20, num_train_epochs=2, epoch=epoch), control)
    assert (control.should_evaluate, control.should_save) == (expected, expected)


def test_steps_and_log_entries_are_handed_on() -> None:
    steps: list[tuple[int, int]] = []
    entries: list[tuple[dict[str, Any], int]] = []
    report = Report(lambda done, total: steps.append((done, total)), lambda entry, step: entries.append((entry, step)))
    report.on_step_end(None, state(global_step=3, max_steps=9), TrainerControl())
    logged = {"loss": 0.5}
    report.on_log(None, state(global_step=3), TrainerControl(), logs=logged)
    logged["loss"] = 0.0
    assert steps == [(3, 9)]
    assert entries == [({"loss": 0.5}, 3)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_end_then_saves_and_stops(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop, control = StopOnSignal(), TrainerControl()
    with stop.listening():
        stop.on_step_end(None, state(), control)
        assert not control.should_training_stop
        os.kill(os.getpid(), number)
        assert stop.stopped
        stop.on_step_end(None, state(), control)
        assert control.should_training_stop
        assert control.should_save
        assert not control.should_evaluate
    assert signal.getsignal(number) == before


def test_a_second_signal_stops_at_once() -> None:
    stop = StopOnSignal()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_each_checkpoint_tells_the_checksum_of_its_weights(tmp_path: Path) -> None:
    import torch

    class Arguments:
        output_dir = str(tmp_path)

    (tmp_path / "checkpoint-12").mkdir()
    model = torch.nn.Linear(3, 2)
    Checksums().on_save(Arguments(), state(global_step=12), TrainerControl(), model=model)
    assert (tmp_path / "checkpoint-12" / CHECKSUM).read_text() == checksum(model)


def test_a_checksum_sees_the_smallest_change_of_any_weight() -> None:
    import torch

    torch.manual_seed(0)
    model, same = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    same.load_state_dict(model.state_dict())
    assert checksum(same) == checksum(model)
    with torch.no_grad():
        same.bias[1] = torch.nextafter(same.bias[1], torch.tensor(torch.inf))
    assert checksum(same) != checksum(model)
