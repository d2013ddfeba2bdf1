"""Freezes: shared, nobody writes, counted; an exclusive lock waits for all of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_codebeamer.errors import (
    ConfigurationError,
    LockHeldError,
    LockLostError,
    RestorePendingError,
)
from airflow_codebeamer.locking import (
    Heartbeat,
    LockState,
    LockStatus,
    Owner,
    Recovery,
)

PUT = "updatePermission"
MINUTE = timedelta(minutes=1)
FREE, HELD, RESTORING = LockState.FREE, LockState.HELD, LockState.RESTORING
A, B, C = Owner("report a"), Owner("report b"), Owner("report c")


def freeze(bench: Any, owner: Owner, engine: Any = None, **more: Any) -> Any:
    made = engine or bench.engine()
    return made.acquire(bench.tracker, owner=owner, mode="freeze", **more)


def leave(bench: Any, owner: Owner) -> Any:
    return bench.engine().release(bench.tracker, owner_key=owner.key)


def state(bench: Any) -> LockState:
    return bench.engine().parts.store.find(bench.server.url, bench.tracker).state


def test_nobody_may_write_and_the_last_one_restores(bench):
    before = bench.permissions()
    first = freeze(bench, A, reason="monthly report")
    assert (first.mode, first.owner, first.state) == ("freeze", A, HELD)
    assert bench.rights("Writer 1") == [0, 2, 8, 10, 21]
    assert 1 not in bench.rights("Generator"), "the exclusive role is reduced as well"
    frozen = bench.permissions()
    bench.server.clear_calls()
    second = freeze(bench, B)
    third = freeze(bench, C)
    assert bench.operations() == [], "who joins sends nothing"
    assert {second.epoch, third.epoch} == {first.epoch}
    assert not leave(bench, A).released
    assert not leave(bench, C).released
    assert bench.permissions() == frozen
    report = leave(bench, B)
    assert report.released
    assert set(report.restored) == {"Writer 1", "Writer 2", "Generator"}
    assert bench.permissions() == before
    assert state(bench) is FREE
    assert not leave(bench, B).released


def test_again_as_the_same_owner_is_the_same(bench):
    first = freeze(bench, A)
    bench.pass_time(minutes=10)
    again = freeze(bench, A)
    assert again.epoch == first.epoch
    assert again.lease_until == first.lease_until + 10 * MINUTE
    assert leave(bench, A).released


def test_each_who_shares_it_is_listed_with_his_own_lease_and_reason(bench):
    freeze(bench, A, reason="report")
    bench.pass_time(minutes=1)
    freeze(bench, B, reason="audit")
    store = bench.engine().parts.store
    shown = LockStatus(store).list_locks(bench.server.url)
    assert [(one.owner, one.reason) for one in shown] == [(A, "report"), (B, "audit")]
    assert shown[1].lease_until == shown[0].lease_until + MINUTE
    assert [one.owner for one in store.list_of(bench.server.url, "report b")] == [B]
    (released,) = bench.engine().release_all(owner_key="report b")
    assert not released.released
    assert bench.engine().release_all(owner_key="report a")[0].released


def test_an_exclusive_lock_waits_for_all_freezes(bench, owner):
    freeze(bench, A, lease=10 * MINUTE)
    freeze(bench, B, lease=10 * MINUTE)
    leave(bench, A)
    with pytest.raises(LockHeldError, match=f"locked by a freeze of {B.key} since"):
        bench.engine().acquire(bench.tracker, owner=owner, wait_for=MINUTE)
    leave(bench, B)
    assert bench.engine().acquire(bench.tracker, owner=owner).is_mine


def test_a_freeze_waits_for_an_exclusive_lock(bench, owner):
    bench.engine().acquire(bench.tracker, owner=owner)
    with pytest.raises(LockHeldError):
        freeze(bench, A)


def test_no_freeze_starts_while_somebody_waits_for_the_tracker_alone(bench, owner):
    freeze(bench, A)
    ticket = bench.engine().enqueue(bench.tracker, owner=owner)
    with pytest.raises(LockHeldError):
        freeze(bench, B)
    assert freeze(bench, A).owner == A, "who is in stays in"
    leave(bench, A)
    with pytest.raises(LockHeldError):
        freeze(bench, B)
    assert bench.engine().acquire(bench.tracker, owner=owner).is_mine
    assert bench.engine().parts.store.queue.list_tickets() != [ticket]
    leave(bench, owner)
    assert freeze(bench, B).owner == B


def test_one_that_dies_ends_nobody_elses(bench):
    before = bench.permissions()
    freeze(bench, A)
    bench.pass_time(minutes=20)
    engine = bench.engine()
    living = freeze(bench, B, engine)
    bench.pass_time(minutes=20)
    assert Recovery(bench.engine()).recover() == []
    engine.guard(living)
    assert state(bench) is HELD
    assert leave(bench, B).released, "the dead one's lease is over"
    assert bench.permissions() == before


def test_a_dead_one_with_a_good_lease_is_waited_for_then_recovered(bench):
    before = bench.permissions()
    freeze(bench, A, lease=60 * MINUTE)
    freeze(bench, B)
    assert not leave(bench, B).released
    bench.pass_time(minutes=62)
    (done,) = Recovery(bench.engine()).recover()
    assert done.action == "recovered"
    assert bench.permissions() == before


def test_a_short_beat_of_one_does_not_shorten_the_lease_of_another(bench):
    freeze(bench, A, lease=30 * MINUTE)
    engine = bench.engine()
    second = freeze(bench, B, engine, lease=MINUTE)
    renewed = engine.renew(second, lease=MINUTE)
    assert renewed.owner == B
    record = engine.parts.store.find(bench.server.url, bench.tracker)
    assert record.lease_until == bench.clock.now() + 30 * MINUTE


def test_whoever_left_or_lapsed_cannot_renew(bench):
    engine = bench.engine()
    freeze(bench, A, lease=60 * MINUTE)
    second = freeze(bench, B, engine)
    leave(bench, B)
    with pytest.raises(LockLostError):
        engine.renew(second)
    third = freeze(bench, C, engine, lease=MINUTE)
    bench.pass_time(minutes=2)
    with pytest.raises(LockLostError):
        engine.renew(third)


def test_a_heartbeat_renews_a_shared_lock(bench):
    engine = bench.engine()
    freeze(bench, A)
    second = freeze(bench, B, engine)
    with Heartbeat(engine, second) as heartbeat:
        heartbeat.guard()
    (mine,) = engine.parts.store.list_of(bench.server.url, B.key)
    assert mine.lease_until == bench.clock.now() + 30 * MINUTE


def test_breaking_ends_it_for_all(bench):
    before = bench.permissions()
    freeze(bench, A)
    engine = bench.engine()
    second = freeze(bench, B, engine)
    engine.break_lock(bench.tracker, by="bond", reason="now", expect_epoch=second.epoch)
    assert state(bench) is FREE
    assert bench.permissions() == before
    with pytest.raises(LockLostError):
        engine.renew(second)


class Died(BaseException):
    """The process is gone."""


class Dying:
    """A client's trackers that die at the nth change of permissions."""

    def __init__(self, trackers: Any, left: int) -> None:
        self._trackers = trackers
        self._left = left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trackers, name)

    def set_role_permissions(self, *given: Any, **more: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            raise Died
        return self._trackers.set_role_permissions(*given, **more)


@pytest.mark.parametrize("at", [0, 2, 3, 5])
@pytest.mark.parametrize("by", ["recovery", "the same owner", "another"])
def test_a_crash_while_it_begins_or_ends_is_recovered(bench, at, by):
    before = bench.permissions()
    client = bench.client()
    client.trackers = Dying(client.trackers, at)
    engine = bench.engine(client=client)
    with pytest.raises(Died):  # noqa: PT012 -- either of the two
        freeze(bench, A, engine)
        engine.release(bench.tracker, owner_key=A.key)
    if by == "recovery":
        bench.pass_time(minutes=50)
        assert [one.action for one in Recovery(bench.engine()).recover()] == [
            "recovered"
        ]
    elif by == "another":
        assert freeze(bench, B, wait_for=60 * MINUTE).owner == B
        assert leave(bench, B).released
    else:
        assert freeze(bench, A).owner == A
        assert leave(bench, A).released
    assert bench.permissions() == before
    assert state(bench) is FREE


def test_the_last_one_goes_on_with_a_restore_that_did_not_end(bench):
    freeze(bench, A)
    freeze(bench, B)
    leave(bench, A)
    bench.server.add_fault(
        {"kind": "status", "operation": PUT, "status": 403, "times": 1}
    )
    with pytest.raises(RestorePendingError):
        leave(bench, B)
    assert state(bench) is RESTORING
    owed = LockStatus(bench.engine().parts.store).list_locks(bench.server.url)
    assert [one.owner for one in owed] == [B]
    assert not leave(bench, A).released
    assert leave(bench, B).released
    assert state(bench) is FREE


def test_a_reservation_of_the_same_run_is_turned_into_a_freeze(bench):
    bench.engine().reserve(bench.tracker, owner=A, reason="")
    assert freeze(bench, A).mode == "freeze"


def test_what_cannot_be_frozen(make_bench, owner):
    bench = make_bench(trackers=2)
    engine = bench.engine()
    with pytest.raises(ConfigurationError, match="of one tracker"):
        engine.acquire_all(bench.place.trackers, owner=owner, mode="freeze")
    with pytest.raises(ConfigurationError, match="only role_permissions can"):
        freeze(bench, owner, strategy="advisory")
    with pytest.raises(ConfigurationError, match="exclusive or freeze"):
        engine.acquire(bench.tracker, owner=owner, mode="melt")
    assert bench.operations() == []
