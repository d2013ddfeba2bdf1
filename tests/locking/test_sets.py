"""Several trackers in one lock: all or none, no circle of waiting, never growing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_codebeamer.clock import SystemClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.errors import (
    ConfigurationError,
    LockHeldError,
    LockLostError,
    LockRefusedError,
    LockSetError,
    RestorePendingError,
)
from airflow_codebeamer.locking import Heartbeat, LockState, Owner, Recovery
from airflow_codebeamer.settings import LockSettings, StoreSettings
from tests.locking.conftest import Bench

PUT = "updatePermission"


@pytest.fixture
def three(make_bench):
    """Return a server with three trackers of the same roles."""
    return make_bench(trackers=3)


def permissions(bench: Any) -> list[str]:
    return [bench.server.permissions(number) for number in bench.place.trackers]


def states(bench: Any) -> list[LockState | None]:
    store = bench.engine().parts.store
    found = [store.find(bench.server.url, number) for number in bench.place.trackers]
    return [None if lock is None else lock.state for lock in found]


FREE, HELD = LockState.FREE, LockState.HELD


def test_all_are_held_and_all_come_back(three, owner):
    before = permissions(three)
    engine = three.engine()
    locks = engine.acquire_all(reversed(three.place.trackers), owner=owner, reason="x")
    assert [lock.tracker_id for lock in locks] == list(three.place.trackers)
    assert {lock.state for lock in locks} == {HELD}
    assert {lock.members for lock in locks} == {three.place.trackers}
    assert len({lock.lineage for lock in locks}) == 3
    assert permissions(three) != before
    again = three.engine().acquire_all(three.place.trackers, owner=owner)
    assert [lock.epoch for lock in again] == [lock.epoch for lock in locks]
    reports = engine.release_all(owner_key=owner.key)
    assert all(report.released for report in reports)
    assert permissions(three) == before
    assert engine.release_all(owner_key=owner.key) == ()
    assert states(three) == [FREE] * 3


def test_each_tracker_costs_what_it_costs_alone(three, owner):
    engine = three.engine()
    engine.preflight(three.tracker).require()
    three.server.clear_calls()
    engine.acquire_all(three.place.trackers, owner=owner)
    assert len(three.operations()) == 3 * (3 + 2 + 2)
    three.server.clear_calls()
    engine.release_all(owner_key=owner.key)
    assert len(three.operations()) == 3 * (2 + 2)


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_one_that_is_taken_leaves_all_untouched(three, owner, other, taken):
    three.engine().acquire(three.place.trackers[taken], owner=other, reason="mine")
    before, was = permissions(three), states(three)
    three.server.clear_calls()
    with pytest.raises(LockHeldError) as caught:
        three.engine().acquire_all(three.place.trackers, owner=owner)
    assert caught.value.tracker_id == three.place.trackers[taken]
    assert caught.value.owner == other.key
    assert three.operations() == []
    assert permissions(three) == before
    after = [state or FREE for state in states(three)]
    assert after == [state or FREE for state in was]


def test_whoever_waits_for_a_set_holds_none_of_it(three, owner, other, clock):
    first, second, third = three.place.trackers
    three.engine().acquire(third, owner=other)
    began = clock.monotonic()
    with pytest.raises(LockHeldError):
        three.engine().acquire_all(
            [first, second, third], owner=owner, wait_for=timedelta(minutes=2)
        )
    assert clock.monotonic() - began == pytest.approx(120)
    assert three.engine().acquire(first, owner=Owner("dag/run 3")).is_mine


@pytest.mark.trap("T28")
def test_runs_that_want_overlapping_sets_never_wait_for_each_other(three, tmp_path):
    clock = SystemClock()
    before = permissions(three)
    store = StoreSettings(url=f"sqlite:///{tmp_path / 'real.db'}")
    database = Database(store, clock=clock)
    bench = Bench(three.server, three.place, database, clock)
    quick = LockSettings(poll=timedelta(milliseconds=20))
    first, second, third = three.place.trackers
    wanted = {"a": [first, second], "b": [second, third], "c": [third, first]}
    done: list[str] = []

    def rounds(name: str) -> None:
        engine = bench.engine(settings=quick)
        for _ in range(4):
            engine.acquire_all(
                wanted[name], owner=Owner(name), wait_for=timedelta(seconds=50)
            )
            engine.release_all(owner_key=name)
            done.append(name)

    workers = [threading.Thread(target=rounds, args=(name,)) for name in wanted]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    bench.close()
    database.close()
    assert sorted(done) == sorted([*wanted] * 4)
    assert permissions(three) == before


def test_a_set_never_grows_or_shrinks(three, owner):
    first, second, third = three.place.trackers
    engine = three.engine()
    engine.acquire_all([first, second], owner=owner)
    for wanted in ([first, second, third], [third], [first], [second, third]):
        with pytest.raises(LockSetError) as caught:
            engine.acquire_all(wanted, owner=owner, wait_for=timedelta(hours=1))
        assert caught.value.held == (first, second)
        assert caught.value.wanted == tuple(wanted)
        with pytest.raises(LockSetError):
            engine.reserve_all(wanted, owner=owner, reason="")
    assert states(three)[2] in (None, FREE)


def test_locks_taken_alone_stand_beside_each_other_but_make_no_set(three, owner):
    first, second, third = three.place.trackers
    engine = three.engine()
    engine.acquire(first, owner=owner)
    engine.acquire(second, owner=owner)
    with pytest.raises(LockSetError):
        engine.acquire_all([second, third], owner=owner)


def test_no_tracker_at_all_is_refused(three, owner):
    with pytest.raises(ConfigurationError, match="at least one"):
        three.engine().acquire_all([], owner=owner)


def test_one_that_is_refused_gives_the_others_back(three, owner):
    before = permissions(three)
    last = three.place.trackers[2]
    reserved = three.engine().reserve_all(three.place.trackers, owner=owner, reason="")
    assert {lock.state for lock in reserved} == {LockState.GRANTED}
    assert three.operations(PUT) == []
    path = f"/v3/trackers/{last}/roles/{three.place.roles['Generator']}/permissions"
    body = {"permissions": [{"id": 2}]}
    assert three.server.act("root", "PUT", path, body) == 200
    changed = permissions(three)
    with pytest.raises(LockRefusedError) as caught:
        three.engine().acquire_all(three.place.trackers, owner=owner)
    assert caught.value.tracker_id == last
    assert permissions(three) == changed
    assert changed[:2] == before[:2]
    assert states(three) == [FREE] * 3


def test_a_reservation_of_a_set_is_continued_by_the_lock(three, owner, other):
    engine = three.engine()
    reserved = engine.reserve_all(three.place.trackers, owner=owner, reason="soon")
    assert three.operations() == []
    locks = three.engine().acquire_all(three.place.trackers, owner=owner)
    assert [one.lineage for one in locks] == [one.lineage for one in reserved]
    seen = three.engine().reserve_all(three.place.trackers, owner=other, reason="")
    assert [lock.is_mine for lock in seen] == [False] * 3


def test_a_reservation_of_a_set_takes_nothing_when_one_is_taken(three, owner, other):
    three.engine().acquire(three.place.trackers[1], owner=other)
    seen = three.engine().reserve_all(three.place.trackers, owner=owner, reason="")
    assert [one.state for one in seen] == [FREE, HELD, FREE]
    assert [one.is_mine for one in seen] == [False] * 3
    assert three.engine().parts.store.list_of(three.server.url, owner.key) == []


class Died(BaseException):
    """The process is gone."""


def died() -> None:
    raise Died


class Stopping:
    """A client's trackers that stop before the nth request to change permissions."""

    def __init__(self, trackers: Any, left: int, act: Callable[[], None]) -> None:
        self._trackers = trackers
        self._left = left
        self._act = act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trackers, name)

    def set_role_permissions(self, *given: Any, **more: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            self._act()
        return self._trackers.set_role_permissions(*given, **more)


@pytest.mark.parametrize("sent", [0, 1, 4, 6])
@pytest.mark.parametrize("by", ["recovery", "the same owner"])
def test_a_crash_at_any_request_is_recovered_tracker_by_tracker(three, owner, sent, by):
    before = permissions(three)
    client = three.client()
    client.trackers = Stopping(client.trackers, sent, died)
    engine = three.engine(client=client)
    if sent < 6:
        with pytest.raises(Died):
            engine.acquire_all(three.place.trackers, owner=owner)
    else:
        engine.acquire_all(three.place.trackers, owner=owner)
    assert states(three).count(HELD) == sent // 2
    if by == "recovery":
        three.pass_time(hours=1)
        done = Recovery(three.engine()).recover()
        assert {one.action for one in done} == {"recovered"}
    else:
        three.pass_time(seconds=20)
        locks = three.engine().acquire_all(three.place.trackers, owner=owner)
        assert {lock.state for lock in locks} == {HELD}
        three.engine().release_all(owner_key=owner.key)
    assert permissions(three) == before
    assert states(three) == [FREE] * 3


def test_what_recovery_took_from_a_set_is_taken_afresh_whole(three, owner):
    before = permissions(three)
    first = three.engine().acquire_all(three.place.trackers, owner=owner)
    three.engine().release(three.place.trackers[1], owner_key=owner.key)
    again = three.engine().acquire_all(three.place.trackers, owner=owner)
    assert {lock.state for lock in again} == {HELD}
    assert not {lock.lineage for lock in again} & {lock.lineage for lock in first}
    three.engine().release_all(owner_key=owner.key)
    assert permissions(three) == before


def test_a_zombie_of_the_same_owner_gives_nothing_of_the_newer_try_back(three, owner):
    """What a try gives back when it fails are locks of its own epoch."""

    def newer() -> None:
        three.engine().acquire_all(three.place.trackers, owner=owner)

    client = three.client()
    client.trackers = Stopping(client.trackers, 3, newer)
    with pytest.raises(LockLostError):
        three.engine(client=client).acquire_all(three.place.trackers, owner=owner)
    assert states(three) == [HELD] * 3


def test_a_heartbeat_renews_and_guards_the_whole_set(three, owner):
    engine = three.engine()
    locks = engine.acquire_all(three.place.trackers, owner=owner)
    lost: list[LockLostError] = []
    with Heartbeat(engine, locks[0], on_lost=lost.append) as heartbeat:
        heartbeat.guard()
        store = engine.parts.store
        leases = {
            store.find(three.server.url, number).lease_until
            for number in three.place.trackers
        }
        assert leases == {three.clock.now() + timedelta(seconds=60)}
        three.engine().release(three.place.trackers[2], owner_key=owner.key)
        with pytest.raises(LockLostError) as caught:
            heartbeat.guard()
    assert caught.value.tracker_id == three.place.trackers[2]
    assert heartbeat.is_lost
    assert len(lost) == 1


def test_a_heartbeat_leaves_the_bridge_for_the_whole_set(three, owner):
    engine = three.engine()
    locks = engine.acquire_all(three.place.trackers, owner=owner)
    with Heartbeat(engine, locks[1]):
        pass
    store = engine.parts.store
    ends = [store.find(three.server.url, n).lease_until for n in three.place.trackers]
    assert ends == [three.clock.now() + timedelta(minutes=30)] * 3


def test_no_heartbeat_begins_under_a_set_of_which_one_is_lost(three, owner):
    engine = three.engine()
    locks = engine.acquire_all(three.place.trackers, owner=owner)
    three.engine().release(three.place.trackers[0], owner_key=owner.key)
    with pytest.raises(LockLostError), Heartbeat(engine, locks[2]):
        pass


def test_releasing_goes_on_past_one_that_cannot_be_put_back(three, owner):
    engine = three.engine()
    engine.acquire_all(three.place.trackers, owner=owner)
    three.server.add_fault(
        {"kind": "status", "operation": PUT, "status": 403, "times": 1}
    )
    with pytest.raises(RestorePendingError) as caught:
        engine.release_all(owner_key=owner.key)
    assert caught.value.tracker_id == three.place.trackers[0]
    assert states(three) == [LockState.RESTORING, FREE, FREE]
    assert all(one.released for one in engine.release_all(owner_key=owner.key))
    assert states(three) == [FREE] * 3
