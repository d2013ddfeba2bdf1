"""Ending somebody's lock by force."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.errors import LockLostError
from airflow_codebeamer.ids import Epoch, RoleId
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.locking.ledger import REDUCE
from airflow_codebeamer.locking.roles import RoleEntry


@pytest.mark.trap("T16")
def test_breaking_fences_waits_restores_and_frees(bench, owner, clock):
    before = bench.permissions()
    holder = bench.engine()
    lock = holder.acquire(bench.tracker, owner=owner)
    began = clock.monotonic()
    breaker = bench.engine()
    report = breaker.break_lock(bench.tracker, by="carol", reason="stuck")
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
    report = engine.break_lock(
        bench.tracker, by="carol", reason="x", expect_epoch=lock.epoch
    )
    assert report.released


def test_a_free_tracker_and_a_mere_reservation(bench, owner):
    engine = bench.engine()
    assert not engine.break_lock(bench.tracker, by="carol", reason="x").released
    engine.reserve(bench.tracker, owner=owner, reason="")
    assert engine.break_lock(bench.tracker, by="carol", reason="x").released
    assert bench.operations() == []
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    assert found.state is LockState.FREE
    assert found.breaking is None


def test_accepting_permissions_needs_a_free_tracker(bench, owner):
    engine = bench.engine()
    assert not engine.accept_permissions(bench.tracker, by="carol", reason="x")
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
    assert bench.engine().break_lock(bench.tracker, by="carol", reason="x").released
    assert clock.monotonic() - began == pytest.approx(75)
