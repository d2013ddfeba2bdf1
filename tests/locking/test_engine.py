"""LockEngine: acquire, reserve, renew, guard, release, one owner and several."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.errors import (
    ConfigurationError,
    LockHeldError,
    LockLostError,
    LockRefusedError,
)
from airflow_codebeamer.locking import Lock, LockState

PUT = "updatePermission"


@pytest.mark.trap("T30")
def test_a_lock_takes_away_and_a_release_gives_back_byte_for_byte(bench, owner):
    before = bench.permissions()
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner, reason="to generate")
    assert lock.state is LockState.HELD
    assert lock.is_mine
    assert lock.reason == "to generate"
    assert bench.rights("Writer 1") == [0, 2, 8, 10, 21]
    assert bench.rights("Reader 1") == [0, 2, 8, 10, 25]
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert report.released
    assert report.restored == ("Writer 1", "Writer 2")
    assert report.drift == ()
    assert bench.permissions() == before


def test_requests_of_twelve_roles_of_which_six_write(make_bench, owner):
    bench = make_bench(writing=6, reading=5)
    assert len(bench.place.roles) == 12
    engine = bench.engine()
    engine.preflight(bench.tracker).require()
    bench.server.clear_calls()
    made = engine.parts.client.requests_made
    engine.acquire(bench.tracker, owner=owner)
    assert len(bench.operations()) == 6 + 2 + 3
    assert engine.parts.client.requests_made - made == 11
    bench.server.clear_calls()
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert len(bench.operations()) == 6 + 2
    assert report.requests == 8


def test_requests_with_a_project_administrator(make_bench, owner):
    bench = make_bench(writing=5, reading=5, project_admin=True)
    bench.grant("Project Admin", [])
    before = bench.permissions()
    engine = bench.engine()
    engine.preflight(bench.tracker).require()
    bench.server.clear_calls()
    engine.acquire(bench.tracker, owner=owner)
    assert len(bench.operations()) == 6 + 2 + 3
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert "Project Admin" in report.floors[0]
    assert bench.permissions() == before


def test_where_an_answer_holds_one_role_each_is_read(make_bench, owner):
    bench = make_bench(writing=3)
    bench.server.assume(put_permissions_answers="role")
    before = bench.permissions()
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert len(bench.operations(PUT)) == 3
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.permissions() == before


def test_acquiring_again_is_the_same_lock_with_a_longer_lease(bench, owner):
    engine = bench.engine()
    first = engine.acquire(bench.tracker, owner=owner)
    bench.pass_time(minutes=20)
    bench.server.clear_calls()
    again = bench.engine().acquire(bench.tracker, owner=owner)
    assert (again.epoch, again.lineage) == (first.epoch, first.lineage)
    assert again.lease_until == first.lease_until + timedelta(minutes=20)
    assert bench.operations() == []


@pytest.mark.trap("T18")
def test_somebody_else_is_told_who_since_until_and_why(bench, owner, other):
    lock = bench.engine().acquire(bench.tracker, owner=owner, reason="nightly run")
    bench.server.clear_calls()
    with pytest.raises(LockHeldError) as caught:
        bench.engine().acquire(bench.tracker, owner=other)
    assert caught.value.owner == owner.key
    assert caught.value.since == lock.acquired_at
    assert caught.value.deadline == lock.lease_until
    assert caught.value.reason == "nightly run"
    assert bench.operations() == []


@pytest.mark.trap("T28")
def test_a_waiter_waits_so_long_and_no_longer(bench, owner, other, clock):
    bench.engine().acquire(bench.tracker, owner=owner)
    began = clock.monotonic()
    with pytest.raises(LockHeldError):
        bench.engine().acquire(
            bench.tracker, owner=other, wait_for=timedelta(minutes=2)
        )
    assert clock.monotonic() - began == pytest.approx(120)


def test_a_waiter_takes_over_what_a_dead_holder_left(bench, owner, other):
    before = bench.permissions()
    dead = bench.engine().acquire(bench.tracker, owner=owner)
    lock = bench.engine().acquire(
        bench.tracker, owner=other, wait_for=timedelta(minutes=40)
    )
    assert lock.owner == other
    assert lock.lineage != dead.lineage
    assert lock.owner_died
    bench.engine().release(bench.tracker, owner_key=other.key)
    assert bench.permissions() == before


def test_own_lease_that_ran_out_is_restored_and_taken_afresh(bench, owner):
    engine = bench.engine()
    first = engine.acquire(bench.tracker, owner=owner)
    bench.pass_time(minutes=31)
    again = engine.acquire(bench.tracker, owner=owner)
    assert again.lineage != first.lineage
    assert again.epoch > first.epoch
    assert "ran out" in bench.said[0]


def test_a_reservation_touches_nothing_and_is_continued(bench, owner):
    engine = bench.engine()
    reserved = engine.reserve(bench.tracker, owner=owner, reason="soon")
    assert (reserved.state, reserved.is_mine) == (LockState.GRANTED, True)
    assert bench.operations() == []
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    assert (lock.state, lock.lineage) == (LockState.HELD, reserved.lineage)
    assert engine.reserve(bench.tracker, owner=owner, reason="").is_mine


def test_a_reservation_of_somebody_else_is_shown_not_raised(bench, owner, other):
    bench.engine().reserve(bench.tracker, owner=owner, reason="soon")
    found = bench.engine().reserve(bench.tracker, owner=other, reason="too")
    assert not found.is_mine
    assert found.owner == owner


def test_a_reservation_is_released_without_a_request(bench, owner):
    engine = bench.engine()
    engine.reserve(bench.tracker, owner=owner, reason="")
    assert engine.release(bench.tracker, owner_key=owner.key).released
    assert bench.operations() == []


@pytest.mark.trap("T17")
def test_releasing_what_is_not_held_is_quiet(bench, owner, other):
    engine = bench.engine()
    assert not engine.release(bench.tracker, owner_key=owner.key).released
    engine.acquire(bench.tracker, owner=owner)
    during = bench.permissions()
    assert not engine.release(bench.tracker, owner_key=other.key).released
    assert bench.permissions() == during
    assert engine.release(bench.tracker, owner_key=owner.key).released
    assert not engine.release(bench.tracker, owner_key=owner.key).released


@pytest.mark.trap("T17")
def test_an_older_epoch_of_the_same_owner_releases_nothing(bench, owner):
    engine = bench.engine()
    old = engine.acquire(bench.tracker, owner=owner)
    engine.release(bench.tracker, owner_key=owner.key, epoch=old.epoch)
    engine.acquire(bench.tracker, owner=owner)
    report = engine.release(bench.tracker, owner_key=owner.key, epoch=old.epoch)
    assert not report.released
    assert "taken again" in report.why


def test_an_expired_lock_is_still_released_by_its_owner(bench, owner):
    before = bench.permissions()
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=2)
    report = engine.release(bench.tracker, owner_key=owner.key, epoch=lock.epoch)
    assert report.released
    assert bench.permissions() == before


@pytest.mark.trap("T21")
def test_guard_counts_on_our_own_clock(bench, owner):
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    engine.guard(lock)
    engine.renew(lock)
    bench.pass_time(seconds=44)
    engine.guard(lock)
    bench.pass_time(seconds=1)
    with pytest.raises(LockLostError, match="not renewed in time"):
        engine.guard(lock)
    engine.renew(lock)
    engine.guard(lock)


def test_guard_looks_up_a_lock_of_another_process_once(bench, owner):
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    here = bench.engine()
    handed = Lock.from_handle(lock.handle())
    here.guard(handed)
    bench.pass_time(minutes=29, seconds=44)
    here.guard(handed)
    bench.pass_time(seconds=1)
    with pytest.raises(LockLostError):
        here.guard(handed)


@pytest.mark.trap("T12")
def test_a_lease_that_ran_out_is_not_renewed(bench, owner):
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.pass_time(minutes=30)
    with pytest.raises(LockLostError, match="ran out"):
        engine.renew(lock)


@pytest.mark.trap("T4")
def test_a_zombie_changes_nothing(bench, owner, other):
    zombie = bench.engine()
    old = zombie.acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    new = bench.engine().acquire(bench.tracker, owner=other)
    during = bench.permissions()
    bench.server.clear_calls()
    for act in (zombie.renew, zombie.guard):
        with pytest.raises(LockLostError):
            act(old)
    report = zombie.release(bench.tracker, owner_key=owner.key, epoch=old.epoch)
    assert not report.released
    assert other.key in report.why
    assert bench.operations() == []
    assert bench.permissions() == during
    bench.engine().guard(new)


def test_undo_runs_before_permissions_come_back(bench, owner):
    seen = []

    class Report:
        undone = ("item 1",)
        left = ("item 2",)

    def undo(lock: Lock, guard):
        guard()
        seen.append((lock.lineage, bench.rights("Writer 1")))
        return Report()

    engine = bench.engine(undo=undo)
    lock = engine.acquire(bench.tracker, owner=owner)
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert seen == [(lock.lineage, [0, 2, 8, 10, 21])]
    assert report.undone == ("item 1",)
    assert report.not_undone == ("item 2",)


def test_an_undo_with_a_fault_does_not_keep_the_tracker(bench, owner):
    before = bench.permissions()

    def undo(lock, guard):
        raise KeyError("oops")

    engine = bench.engine(undo=undo)
    engine.acquire(bench.tracker, owner=owner)
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert report.not_undone == ("KeyError: 'oops'",)
    assert bench.permissions() == before


@pytest.mark.trap("T29")
def test_an_account_that_may_not_set_permissions_leaves_nothing(make_bench, owner):
    bench = make_bench(generator_admin=False)
    before = bench.permissions()
    engine = bench.engine()
    with pytest.raises(LockRefusedError, match="Trackers - Admin"):
        engine.acquire(bench.tracker, owner=owner)
    assert bench.permissions() == before
    assert engine.parts.store.find(bench.server.url, bench.tracker).state == "free"


def test_a_lease_that_no_guard_could_trust_is_refused(bench, owner):
    with pytest.raises(ConfigurationError, match="at least 0:01:00"):
        bench.engine().acquire(bench.tracker, owner=owner, lease=timedelta(seconds=59))
    assert bench.operations() == []
