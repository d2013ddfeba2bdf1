from __future__ import annotations

import inspect
import re
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_codebeamer.clock import ManualClock, SystemClock


def test_the_system_clock_is_aware_and_runs():
    clock = SystemClock()
    before, began = clock.now(), clock.monotonic()

    clock.sleep(0.01)

    assert clock.now().utcoffset() == timedelta(0)
    assert clock.now() > before
    assert clock.monotonic() - began >= 0.01


@pytest.mark.trap("T22")
def test_the_system_clock_counts_time_asleep_where_it_can():
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("this system has no such clock")
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)

    assert SystemClock().monotonic() == pytest.approx(boot, abs=1)


@pytest.mark.trap("T22")
def test_the_system_clock_reads_the_clock_that_does_not_stand_still():
    # On a machine that never slept both clocks agree: only the source can tell.
    source = inspect.getsource(SystemClock.monotonic)
    assert re.search(r"clock_gettime\(boottime\)", source)
    assert re.search(r"boottime = getattr\(time, .CLOCK_BOOTTIME., None\)", source)


@pytest.mark.parametrize("seconds", [0, -5])
def test_no_time_is_slept_at_once(seconds):
    began = time.monotonic()

    SystemClock().sleep(seconds)

    assert time.monotonic() - began < 0.5


def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))

    clock.sleep(90)
    clock.advance(0.5)
    clock.advance(-7)

    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, 500_000, tzinfo=UTC)
    assert clock.monotonic() == 90.5


def test_a_manual_clock_serves_many_threads():
    clock = ManualClock()
    threads = [
        threading.Thread(target=lambda: [clock.sleep(1) for _ in range(500)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.monotonic() == 4000
