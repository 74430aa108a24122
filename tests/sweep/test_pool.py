"""Jobs in processes of their own: at most as many as there are slots, and what happens to one is no matter of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest
from sweep import children

from stbench.records.folder import RunFolder
from stbench.sweep.messages import Message, Score, Stage
from stbench.sweep.pool import Job, Pool, Ready, died_of
from stbench.sweep.slots import Slot
from stbench.task import Ending

pytestmark = pytest.mark.slow


def pool(number: int = 2) -> Pool:
    return Pool([Slot((place,)) for place in range(number)], {"OF_THE_SWEEP": "7"}, searched=True, work=children.work)


def heard(some: Pool, seconds: float = 60) -> Iterator[tuple[Job, Message]]:
    """All that is said until every job has ended."""
    end = time.monotonic() + seconds
    while some.running:
        assert time.monotonic() < end, "a job has not ended"
        yield from some.wait(0.1)


def endings(names: Sequence[str], places: int = 2) -> dict[str, Ending]:
    some, waiting, found = pool(places), list(enumerate(names)), {}
    while waiting or some.running:
        while waiting and some.has_room:
            number, name = waiting.pop(0)
            some.start(number, name, Ready(name, RunFolder(name)))
        for job, message in some.wait(0.1):
            if isinstance(message, Ending):
                found[job.label] = message
    return found


def test_each_job_ends_in_its_own_way() -> None:
    names = ["good", "breaks", "is_killed", "leaves", "needs_too_much"]
    found = endings([*names, "tells_its_place"])
    assert found["good"] == Ending(0)
    assert found["breaks"].code == found["is_killed"].code == found["leaves"].code == 1
    assert "SIGSEGV" in found["breaks"].reason
    assert "SIGKILL" in found["is_killed"].reason
    assert "want of memory" in found["is_killed"].reason
    assert "exit code 7" in found["leaves"].reason
    assert found["needs_too_much"] == Ending(1, "MemoryError")
    assert found["tells_its_place"].reason in ("(0,) 7", "(1,) 7")


def test_no_more_jobs_run_than_there_are_slots() -> None:
    some = pool(1)
    some.start(1, "waits", Ready("waits", RunFolder("waits")))
    assert not some.has_room
    with pytest.raises(IndexError):
        some.start(2, "good", Ready("good", RunFolder("good")))
    next(heard(some))
    some.stop()
    assert not some.has_room
    ((job, last),) = [one for one in heard(some) if isinstance(one[1], Ending)]
    assert (job.number, last) == (1, Ending(130, "terminated"))


def test_a_job_that_has_not_begun_is_stopped_too() -> None:
    some = pool()
    some.start(1, "waits", Ready("begins_late", RunFolder("waits")))
    some.stop()
    ((_, last),) = heard(some)
    assert last == Ending(130, "stopped before it had begun")


def test_what_a_job_says_is_heard_in_order() -> None:
    some = pool()
    some.start(1, "good", Ready("good", RunFolder("good")))
    said = [message for _, message in heard(some)]
    assert said == [Stage("training", 1, 2, ""), Ending(0)]


def test_a_job_that_does_not_stop_is_killed_the_second_time() -> None:
    some = pool()
    some.start(1, "waits", Ready("waits_for_ever", RunFolder("waits")))
    next(heard(some))
    some.stop()
    assert not [message for _, message in some.wait(0.5) if isinstance(message, Ending)]
    some.stop()
    assert "SIGKILL" in [message for _, message in heard(some)][-1].reason  # type: ignore[union-attr]


@pytest.mark.parametrize(("stop", "code"), [("", 0), ("no hope", 130)])
def test_a_score_is_answered(stop: str, code: int) -> None:
    some = pool()
    some.start(1, "is_scored", Ready("is_scored", RunFolder("scored")))
    said = []
    for job, message in heard(some):
        said.append(message)
        if isinstance(message, Score):
            assert job.score == 0.5
            some.reply(job, stop)
    assert said == [Score(10, 0.5), Ending(code, stop)]


def test_a_signal_without_a_story_is_named() -> None:
    assert died_of(-15) == "killed by a signal (SIGTERM)"
    assert died_of(-250) == "killed by signal 250"
    assert "exit code 3" in died_of(3)
