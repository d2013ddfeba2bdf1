from __future__ import annotations

import signal
import threading
from itertools import pairwise

import pytest

from airflow_codebeamer.client.pace import Limit, Pace, limits
from airflow_codebeamer.clock import ManualClock, SystemClock


class Recorded(Pace):
    """A pace that notes when each request left, at the moment it was let go."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.left = []

    def _wait_seconds(self):
        wait_seconds = super()._wait_seconds()
        if wait_seconds <= 0:
            self.left.append(self._clock.monotonic())
        return wait_seconds


def most_in_a_span(moments, span_seconds):
    return max(
        sum(1 for other in moments if start <= other < start + span_seconds)
        for start in moments
    )


def run_threads(count, work):
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_eight_threads_never_exceed_either_limit():
    pace = Recorded(limits(3, 120), ManualClock())

    run_threads(8, lambda: [pace.wait() for _ in range(40)])

    assert len(pace.left) == 320
    assert most_in_a_span(pace.left, 1.0) == 3
    assert most_in_a_span(pace.left, 60.0) == 120
    # 120 a minute is what counts in the end: 320 requests need two full minutes.
    assert pace.left[-1] == pytest.approx(120 + 26, abs=1)


def test_no_more_is_waited_than_the_limits_ask():
    clock = ManualClock()
    pace = Pace(limits(3, None), clock)

    for _ in range(7):
        pace.wait()

    assert clock.monotonic() == pytest.approx(2.0, abs=1e-3)


def test_without_limits_nobody_waits():
    clock = ManualClock()
    pace = Pace(limits(None, None), clock)

    for _ in range(1000):
        pace.wait()

    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    ("per_second", "per_minute", "expected"),
    [
        (3, 120, (Limit(3, 1.0), Limit(120, 60.0))),
        (0.5, None, (Limit(1, 2.0),)),
        (2.9, None, (Limit(2, 1.0),)),
        (None, 20, (Limit(20, 60.0),)),
        (None, None, ()),
    ],
)
def test_rates_become_limits(per_second, per_minute, expected):
    assert limits(per_second, per_minute) == expected


def test_a_hold_stops_everybody_for_exactly_that_long():
    clock = ManualClock()
    pace = Recorded(limits(None, None), clock)
    pace.wait()
    pace.hold(7)
    pace.hold(3)

    run_threads(4, pace.wait)

    assert pace.left[0] == 0
    assert pace.left[1:] == [pytest.approx(7.0)] * 4


def test_threads_leave_in_the_order_in_which_they_came():
    clock = SystemClock()
    pace = Pace([Limit(1, 0.05)], clock)
    pace.wait()
    order = []
    started = []

    def work(number):
        pace.wait()
        order.append(number)

    for number in range(6):
        thread = threading.Thread(target=work, args=(number,), daemon=True)
        thread.start()
        started.append(thread)
        clock.sleep(0.005)
    for thread in started:
        thread.join(5)

    assert order == list(range(6))


def test_a_real_clock_keeps_the_distance():
    clock = SystemClock()
    pace = Recorded([Limit(2, 0.1)], clock)

    run_threads(3, lambda: [pace.wait() for _ in range(3)])

    assert len(pace.left) == 9
    assert all(
        later - earlier >= 0.1
        for earlier, later in zip(pace.left, pace.left[2:], strict=False)
    )
    assert all(earlier <= later for earlier, later in pairwise(pace.left))


class InterruptedWaitError(Exception):
    pass


class BreakingClock(ManualClock):
    """Breaks the first sleep, as the signal of a task's timeout does."""

    broken = False

    def sleep(self, seconds):
        if not self.broken:
            self.broken = True
            raise InterruptedWaitError
        super().sleep(seconds)


def test_an_interrupted_wait_does_not_stop_the_others():
    pace = Pace([Limit(1, 1.0)], BreakingClock())
    pace.wait()
    with pytest.raises(InterruptedWaitError):
        pace.wait()

    run_threads(2, pace.wait)


def test_a_signal_while_in_line_does_not_stop_the_others():
    class Slow(ManualClock):
        def sleep(self, seconds):
            sleeping.set()
            go_on.wait(10)
            super().sleep(seconds)

    def interrupt(number, frame):
        raise InterruptedWaitError

    sleeping, go_on = threading.Event(), threading.Event()
    pace = Pace([Limit(1, 1.0)], Slow())
    pace.wait()
    first = threading.Thread(target=pace.wait, daemon=True)
    first.start()
    assert sleeping.wait(10)
    before = signal.signal(signal.SIGUSR1, interrupt)
    main = threading.main_thread().ident
    threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGUSR1)).start()
    try:
        with pytest.raises(InterruptedWaitError):
            pace.wait()
    finally:
        signal.signal(signal.SIGUSR1, before)
    go_on.set()
    first.join(10)

    run_threads(2, pace.wait)
