"""Ending somebody's lock by force."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.errors import LockLostError, RestorePendingError
from airflow_codebeamer.ids import Epoch, RoleId
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.locking.records.ledger import REDUCE
from airflow_codebeamer.locking.roles import RoleEntry
from airflow_codebeamer.settings import LockSettings


def _break(engine, lock, *, reason="x", **more):
    return engine.break_lock(
        lock.tracker_id, expect_epoch=lock.epoch, by="carol", reason=reason, **more
    )


@pytest.mark.trap("T16")
def test_breaking_fences_waits_restores_and_frees(bench, owner, clock):
    before = bench.permissions()
    holder = bench.engine()
    lock = holder.acquire(bench.tracker, owner=owner)
    began = clock.monotonic()
    breaker = bench.engine()
    report = _break(breaker, lock, reason="stuck")
    assert report.released
    assert clock.monotonic() - began == pytest.approx(15)
    assert bench.permissions() == before
    with pytest.raises(LockLostError):
        holder.renew(lock)
    assert not holder.release(bench.tracker, owner_key=owner.key).released
    events = breaker.parts.history.list_events(bench.server.url, bench.tracker)
    (broken,) = [event for event in events if event.kind == "breaking"]
    assert (broken.who, broken.detail["reason"]) == ("carol", "stuck")
    assert bench.permissions() == before


def test_the_holder_is_refused_from_the_first_moment(bench, owner):
    holder = bench.engine()
    lock = holder.acquire(bench.tracker, owner=owner)
    store = holder.parts.store
    store.set_breaking(lock, by="carol", reason="stuck")
    during = bench.permissions()
    with pytest.raises(LockLostError, match="carol is breaking it: stuck"):
        holder.renew(lock)
    report = holder.release(bench.tracker, owner_key=owner.key)
    assert not report.released
    assert "carol is breaking" in report.why
    assert bench.permissions() == during


@pytest.mark.trap("T16")
def test_a_breaker_that_died_is_finished_by_recovery(bench, owner):
    before = bench.permissions()
    holder = bench.engine()
    lock = holder.acquire(bench.tracker, owner=owner)
    holder.parts.store.set_breaking(lock, by="carol", reason="stuck")
    recovery = bench.recovery()
    assert recovery.recover() == []
    bench.pass_time(seconds=15)
    (done,) = recovery.recover()
    assert done.action == "recovered"
    assert bench.permissions() == before


@pytest.mark.trap("T15")
def test_a_lock_that_moved_on_is_not_broken(bench, owner):
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    with pytest.raises(LockLostError, match="look again"):
        engine.break_lock(
            bench.tracker, by="carol", reason="x", expect_epoch=Epoch(lock.epoch - 1)
        )
    engine.renew(lock)
    assert _break(engine, lock).released


def test_a_free_tracker_and_a_mere_reservation(bench, owner):
    engine = bench.engine()
    nothing = engine.break_lock(
        bench.tracker, expect_epoch=Epoch(0), by="carol", reason="x"
    )
    assert not nothing.released
    lock = engine.reserve(bench.tracker, owner=owner, reason="")
    assert _break(engine, lock).released
    assert bench.operations() == []
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    assert found.state is LockState.FREE
    assert found.breaking is None


def test_accepting_permissions_needs_a_free_tracker(bench, owner):
    engine = bench.engine()
    assert engine.accept_permissions(bench.tracker, by="carol", reason="x")
    engine.acquire(bench.tracker, owner=owner)
    assert not engine.accept_permissions(bench.tracker, by="carol", reason="x")


def test_an_intent_still_open_is_given_more_time(bench, owner, clock):
    engine = bench.engine()
    parts, minute = engine.parts, timedelta(minutes=1)
    entry = RoleEntry(RoleId(99), "Writer", original=frozenset())
    lock = parts.ledger.open_lineage(
        engine.reserve(bench.tracker, owner=owner, reason=""),
        [entry],
        lease=minute,
        exclusive_role="Generator",
        digest="",
    )
    parts.ledger.intend(lock, REDUCE, entry, frozenset(), lease=minute)
    began = clock.monotonic()
    assert _break(bench.engine(), lock, at_once=True).released
    assert clock.monotonic() - began == pytest.approx(75)


@pytest.fixture
def beating(bench, owner):
    """A held lock whose holder lives: its lease is the short one of a beat."""
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    return engine, engine.renew(lock)


class _Acting:
    """A clock under which somebody acts at a moment of a breaker's wait."""

    def __init__(self, clock, at, act):
        self._clock = clock
        self._end = clock.monotonic() + at
        self._act = act

    def __getattr__(self, name):
        return getattr(self._clock, name)

    def sleep(self, seconds):
        self._clock.sleep(seconds)
        if self._act is not None and self._clock.monotonic() >= self._end:
            act, self._act = self._act, None
            act()


def test_a_living_holder_gets_time_and_then_none(bench, beating, clock):
    began = clock.monotonic()
    assert _break(bench.engine(), beating[1]).restored
    assert clock.monotonic() - began == pytest.approx(30 + 15)


def test_no_time_is_longer_than_the_lease_that_is_left(bench, beating, clock):
    bench.pass_time(seconds=50)
    began = clock.monotonic()
    assert _break(bench.engine(), beating[1]).restored
    assert clock.monotonic() - began == pytest.approx(10 + 15)


def test_now_leaves_him_none_but_the_lock_delay(bench, beating, clock):
    began = clock.monotonic()
    assert _break(bench.engine(), beating[1], at_once=True).restored
    assert clock.monotonic() - began == pytest.approx(15)


def test_in_that_time_the_holder_restores_by_himself(bench, beating, clock, owner):
    holder, lock = beating
    reports = []

    def release():
        with pytest.raises(LockLostError, match="carol is breaking it: stuck"):
            holder.renew(lock)
        reports.append(holder.release(bench.tracker, owner_key=owner.key))

    breaker = bench.engine(clock=_Acting(clock, 15, release))
    report = _break(breaker, lock, reason="stuck")
    assert report.released
    assert report.restored == ()
    assert report.why == "dag/run 1 put everything back by itself"
    assert reports[0].restored == ("Writer 1", "Writer 2")
    events = breaker.parts.history.list_events(bench.server.url, bench.tracker)
    assert [event.kind for event in events][-2:] == ["restore", "restored_verified"]
    assert events[-2].detail == {"why": "carol breaks it: stuck"}
    found = breaker.parts.store.find(bench.server.url, bench.tracker)
    assert not found.owner_died
    assert found.breaking is None


@pytest.mark.trap("T4")
def test_after_that_time_he_may_not(bench, beating, clock, owner):
    holder, lock = beating
    reports = []

    def release():
        bench.server.clear_calls()
        reports.append(holder.release(bench.tracker, owner_key=owner.key))
        assert bench.operations() == []

    breaker = bench.engine(clock=_Acting(clock, 30, release))
    assert _break(breaker, lock).restored
    assert "carol is breaking the lock" in reports[0].why


def test_a_holder_who_dies_while_he_restores_is_taken_over(
    bench, beating, clock, owner
):
    holder, lock = beating
    store = holder.parts.store

    def begin():
        seen = store.find(bench.server.url, bench.tracker)
        minute = timedelta(minutes=1)
        assert store.start_restoring(seen, ttl=minute, dirty=timedelta())

    began = clock.monotonic()
    breaker = bench.engine(clock=_Acting(clock, 10, begin))
    assert _break(breaker, lock).restored
    assert clock.monotonic() - began == pytest.approx(10 + 60 + 15)


def test_a_lock_is_held_no_longer_than_the_limit(bench, owner):
    limit = LockSettings(hold_limit=timedelta(minutes=10))
    engine = bench.engine(settings=limit)
    lock = engine.acquire(bench.tracker, owner=owner)
    assert lock.lease_until == bench.clock.now() + timedelta(minutes=10)
    for _ in range(11):
        bench.pass_time(seconds=50)
        lock = engine.renew(lock)
    assert lock.lease_until == lock.hold_until
    bench.pass_time(seconds=36)
    # Our own deadline is bounded too, without a question to the store.
    with pytest.raises(LockLostError):
        engine.guard(lock)
    bench.pass_time(seconds=14)
    with pytest.raises(LockLostError, match="as long as hold_limit allows"):
        engine.renew(lock)
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert report.restored == ("Writer 1", "Writer 2")
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    assert found.hold_until is None


def test_the_next_holder_is_told_of_a_death_until_somebody_has_looked(
    bench, owner, other
):
    bench.engine().acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    bench.recovery().recover()
    engine = bench.engine()
    for _ in range(2):
        bench.said.clear()
        lock = engine.acquire(bench.tracker, owner=other)
        assert lock.owner_died
        (told,) = [line for line in bench.said if "did not end its work" in line]
        assert "dag/run 1 (taken over at 20" in told
        engine.release(bench.tracker, owner_key=other.key)
    assert engine.mark_consistent(bench.tracker, by="carol", reason="compared")
    assert not engine.mark_consistent(bench.tracker, by="carol", reason="compared")
    bench.said.clear()
    assert not engine.acquire(bench.tracker, owner=other).owner_died
    assert not [line for line in bench.said if "did not end its work" in line]
    events = engine.parts.history.list_events(bench.server.url, bench.tracker)
    (word,) = [event for event in events if event.kind == "consistent"]
    assert (word.who, word.detail["reason"]) == ("carol", "compared")


def test_nobody_died_who_only_reserved_or_could_not_restore(bench, owner):
    engine = bench.engine()
    engine.reserve(bench.tracker, owner=owner, reason="")
    bench.pass_time(hours=1)
    bench.recovery().recover()
    engine.acquire(bench.tracker, owner=owner)
    fault = {"kind": "status", "status": 403, "method": "PUT"}
    bench.server.add_fault(fault)
    with pytest.raises(RestorePendingError):
        engine.release(bench.tracker, owner_key=owner.key)
    bench.server.clear_faults()
    bench.recovery().recover()
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    assert found.state is LockState.FREE
    assert not found.owner_died


def test_a_lock_of_ones_own_that_ran_out_does_not_hide_who_died(bench, owner, other):
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    _break(bench.engine(), lock)
    bench.engine().acquire(bench.tracker, owner=other)
    bench.pass_time(hours=2)
    again = bench.engine().acquire(bench.tracker, owner=other)
    assert again.state is LockState.HELD
    assert f"{owner.key} (taken over at" in bench.said[-1]
