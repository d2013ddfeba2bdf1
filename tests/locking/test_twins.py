"""One owner tries several times at once: everybody gets the same lock."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from airflow_codebeamer.locking import LockState, Owner

PUT = "updatePermission"
MINUTE = timedelta(minutes=1)


def test_five_threads_get_one_lock(bench):
    owner = Owner.here("dag/run 1")
    engines = [bench.engine() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        locks = list(
            pool.map(lambda one: one.acquire(bench.tracker, owner=owner), engines)
        )
    assert {lock.epoch for lock in locks} == {1}
    assert {lock.state for lock in locks} == {LockState.HELD}
    assert len(bench.operations(PUT)) == 2
    assert len(bench.operations("getTracker")) == 1


def test_threads_of_one_owner_get_the_same_set(bench):
    owner = Owner.here("dag/run 1")
    engines = [bench.engine() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        sets = list(
            pool.map(lambda one: one.acquire_all([bench.tracker], owner=owner), engines)
        )
    assert len({lock.epoch for locks in sets for lock in locks}) == 1


def _leave(bench, owner, lease=MINUTE):
    """Let a try begin and never end: granted, and nothing more."""
    store = bench.engine().parts.store
    lock = store.grant(bench.server.url, bench.tracker, owner, reason="", lease=lease)
    assert lock is not None
    return store, lock


def test_a_try_of_this_process_that_failed_is_gone_on_with_at_once(bench, clock):
    owner = Owner.here("dag/run 1")
    _leave(bench, owner)
    began = clock.monotonic()
    assert bench.engine().acquire(bench.tracker, owner=owner).epoch == 2
    assert clock.monotonic() == began


def test_a_process_that_is_dead_is_not_waited_for(bench, clock):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    owner = Owner("dag/run 1", host=socket.gethostname(), pid=child)
    _leave(bench, owner)
    began = clock.monotonic()
    assert bench.engine().acquire(bench.tracker, owner=owner).epoch == 2
    assert clock.monotonic() == began


@pytest.mark.parametrize("host", ["another machine", socket.gethostname()])
def test_one_that_may_live_is_waited_for_until_its_lease_stands_still(
    bench, clock, host
):
    owner = Owner("dag/run 1", host=host, pid=os.getppid())
    _leave(bench, owner)
    began = clock.monotonic()
    assert bench.engine().acquire(bench.tracker, owner=owner).epoch == 2
    # Two beats of 15 seconds, looked at every 5.
    assert clock.monotonic() - began == pytest.approx(35)


def test_a_reservation_of_another_machine_is_taken_at_once(bench, clock):
    owner = Owner("dag/run 1", host="another machine", pid=7)
    _leave(bench, owner, lease=30 * MINUTE)
    began = clock.monotonic()
    assert bench.engine().acquire(bench.tracker, owner=owner).state is LockState.HELD
    assert clock.monotonic() == began
