"""The heartbeat: renews in time, says at once when the lock is lost."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from airflow_codebeamer.errors import DatabaseError, LockLostError
from airflow_codebeamer.locking import Heartbeat, Lock
from airflow_codebeamer.settings import LockSettings

FAST = LockSettings(
    ttl=timedelta(seconds=60),
    beat=timedelta(milliseconds=20),
    margin=timedelta(seconds=15),
)


class Flaky:
    """A store in front of the real one that can be told not to answer."""

    def __init__(self, database):
        self._database = database
        self.now = database.now
        self.is_down = False

    def begin(self):
        if self.is_down:
            raise DatabaseError("The store does not answer.")
        return self._database.begin()

    def read(self):
        if self.is_down:
            raise DatabaseError("The store does not answer.")
        return self._database.read()


@pytest.fixture
def flaky(bench):
    return Flaky(bench.database)


@pytest.fixture
def engine(bench, flaky):
    return bench.engine(settings=FAST, database=flaky)


@pytest.fixture
def lock(bench, engine, owner):
    return engine.acquire(bench.tracker, owner=owner)


def _wait(condition):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen")


def test_it_shortens_the_lease_renews_and_leaves_a_bridge(bench, engine, lock):
    store = engine.parts.store
    with Heartbeat(engine, Lock.from_handle(lock.handle())) as heartbeat:
        now = store.find(lock.server, lock.tracker_id)
        assert now.lease_until == bench.clock.now() + timedelta(seconds=60)
        bench.pass_time(seconds=40)
        _wait(
            lambda: (
                store.find(lock.server, lock.tracker_id).lease_until
                == bench.clock.now() + timedelta(seconds=60)
            )
        )
        heartbeat.guard()
        assert not heartbeat.is_lost
        assert heartbeat.age < timedelta(seconds=60)
    after = store.find(lock.server, lock.tracker_id)
    assert after.lease_until == bench.clock.now() + timedelta(minutes=30)
    engine.guard(lock)


def test_an_error_inside_leaves_the_short_lease(bench, engine, lock):
    with pytest.raises(KeyError), Heartbeat(engine, lock):
        raise KeyError("work")
    after = engine.parts.store.find(lock.server, lock.tracker_id)
    assert after.lease_until <= bench.clock.now() + timedelta(seconds=60)


@pytest.mark.trap("T31")
def test_a_lock_that_is_taken_is_said_once_and_at_once(bench, engine, lock):
    lost = []
    heartbeat = Heartbeat(engine, lock, on_lost=lost.append)
    with heartbeat:
        engine.parts.store.set_breaking(lock, by="carol", reason="stuck")
        _wait(lambda: heartbeat.is_lost)
        with pytest.raises(LockLostError, match="carol is breaking it"):
            heartbeat.guard()
        with pytest.raises(LockLostError):
            engine.guard(lock)
    assert len(lost) == 1


@pytest.mark.trap("T13")
def test_a_store_that_is_down_is_borne_until_our_own_deadline(
    bench, engine, lock, flaky
):
    lost = []
    with Heartbeat(engine, lock, on_lost=lost.append) as heartbeat:
        flaky.is_down = True
        threading.Event().wait(0.1)
        heartbeat.guard()
        bench.pass_time(seconds=46)
        with pytest.raises(LockLostError):
            heartbeat.guard()
        _wait(lambda: heartbeat.is_lost)
        flaky.is_down = False
    assert len(lost) == 1


def test_a_lock_that_is_not_ours_cannot_be_entered(bench, engine, lock, owner):
    engine.release(bench.tracker, owner_key=owner.key)
    with pytest.raises(LockLostError, match="released"), Heartbeat(engine, lock):
        raise AssertionError("not entered")


@pytest.mark.trap("T22")
def test_a_release_by_the_same_run_is_seen_by_the_next_write(bench, owner):
    # No beat comes in this time: the guard itself has to look.
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    lost = []
    with Heartbeat(engine, lock, on_lost=lost.append) as heartbeat:
        heartbeat.guard()
        bench.engine().release(bench.tracker, owner_key=owner.key)
        with pytest.raises(LockLostError, match="released"):
            heartbeat.guard()
        with pytest.raises(LockLostError, match="released"):
            heartbeat.guard()
    assert len(lost) == 1


def test_a_guard_bears_a_store_that_is_down(bench, engine, lock, flaky):
    with Heartbeat(engine, lock) as heartbeat:
        flaky.is_down = True
        heartbeat.guard()
        flaky.is_down = False


@pytest.mark.trap("T13")
def test_work_ends_in_time_when_no_beat_comes_any_more(bench, owner):
    # The first beat is 15 real seconds away: as good as a thread that has died.
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    with Heartbeat(engine, lock) as heartbeat:
        bench.pass_time(seconds=44)
        heartbeat.guard()
        assert heartbeat.age == timedelta(seconds=44)
        bench.pass_time(seconds=1)
        with pytest.raises(LockLostError, match="not renewed in time"):
            heartbeat.guard()
        # The store would still have let it, and does so from now on too.
        assert engine.parts.store.lease_left(lock) == timedelta(seconds=15)
