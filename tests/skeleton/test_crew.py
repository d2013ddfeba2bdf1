from __future__ import annotations

import signal
import threading
import time
from functools import partial

import pytest

from airflow_codebeamer.client import Before
from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.errors import OutcomeUnknownError
from airflow_codebeamer.skeleton.crew import Crew


def crew(size: int = 4, guard=lambda: None, clock: ManualClock | None = None) -> Crew:
    return Crew(size, guard, clock or ManualClock(), 15.0)


def lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("lost", address="http://x")


def test_tasks_and_what_they_add_are_all_done():
    mine, done = crew(), set()

    def task(depth: int, number: int):
        done.add((depth, number))
        if depth < 4:
            for n in range(2):
                mine.add(partial(task, depth + 1, number * 2 + n))

    mine.run([lambda: task(0, 0)])
    assert len(done) == 31


def test_nothing_to_do_ends_at_once():
    crew().run([])


def test_the_first_error_stops_the_others():
    mine, begun = crew(2), []
    gate = threading.Event()

    def fail() -> None:
        gate.wait(5)
        raise ValueError("first")

    def go_on() -> None:
        gate.set()
        for _ in range(1000):
            mine.check()
            begun.append(1)
            time.sleep(0.01)

    with pytest.raises(ValueError, match="first"):
        mine.run([fail, go_on, *[lambda: begun.append(2)] * 50])
    assert len(begun) < 100
    assert 2 not in begun


def test_no_write_follows_a_guard_that_objected():
    asked = []

    def guard() -> None:
        asked.append(1)
        raise RuntimeError("lost")

    mine = crew(1, guard)
    with pytest.raises(RuntimeError):
        mine.run([mine.check, mine.check, mine.check])
    assert len(asked) == 1


def test_a_signal_in_the_waiting_thread_stops_the_workers():
    mine, sent = crew(2), []

    def work() -> None:
        for _ in range(500):
            mine.check()
            sent.append(1)
            time.sleep(0.01)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            mine.run([work, work])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(sent) < 500


def test_a_lost_answer_is_looked_for_at_once():
    clock = ManualClock()

    def send(_: Before) -> str:
        raise lost()

    assert crew(clock=clock).write(send, lambda: "found") == ("found", False)
    assert clock.monotonic() == 0


def test_a_late_effect_is_found_after_the_wait():
    clock = ManualClock()

    def send(_: Before) -> str:
        raise lost()

    found = crew(clock=clock).write(
        send, lambda: "late" if clock.monotonic() >= 15 else None
    )
    assert found == ("late", False)


def test_a_request_is_repeated_only_after_looking_twice():
    clock, sent, looked = ManualClock(), [], []

    def send(_: Before) -> str:
        sent.append(1)
        if len(sent) == 1:
            raise lost()
        return "sent"

    assert crew(clock=clock).write(send, lambda: looked.append(1)) == ("sent", True)
    assert (len(sent), len(looked), clock.monotonic()) == (2, 2, 15)


def test_it_gives_up_after_three():
    sent = []

    def send(_: Before) -> str:
        sent.append(1)
        raise lost()

    with pytest.raises(OutcomeUnknownError):
        crew().write(send, lambda: None)
    assert len(sent) == 3


@pytest.mark.parametrize("looks", [0, 1])
def test_nobody_looks_once_the_lock_is_lost(looks):
    happened: list[str] = []

    def guard() -> None:
        if len(happened) > looks:
            raise RuntimeError("lock lost")

    def send(before: Before) -> str:
        before()
        happened.append("sent")
        raise lost()

    with pytest.raises(RuntimeError, match="lock lost"):
        crew(guard=guard).write(send, lambda: happened.append("looked"))
    assert happened == ["sent", "looked"][: looks + 1]
