"""Sets and freezes in each kind of store: what two do at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_codebeamer.clock import ManualClock
from airflow_codebeamer.database import Database
from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import Lock, LockState, LockStore, Owner
from airflow_codebeamer.settings import LockSettings, StoreSettings

SERVER = "https://alm.example.com/cb"
TRACKERS = (TrackerId(7), TrackerId(8), TrackerId(9))
MINUTE = timedelta(minutes=1)
FROZEN = {"strategy": "", "options": None, "mode": "freeze"}


@pytest.fixture
def store(store_url: str, clock: ManualClock) -> Iterator[LockStore]:
    """Yield a store on each dialect whose time is ours."""
    database = Database(StoreSettings(url=store_url), clock=clock)
    yield LockStore(database)
    database.close()


def grant(store: LockStore, name: str, *trackers: TrackerId) -> tuple[Lock, ...]:
    return store.grant_all(SERVER, trackers, Owner(name), reason="", lease=MINUTE)


def test_a_set_is_granted_whole_or_not_at_all(store: LockStore) -> None:
    first, second, third = TRACKERS
    (taken,) = grant(store, "a", second)
    assert grant(store, "b", *TRACKERS) == ()
    for number in (first, third):
        found = store.find(SERVER, number)
        assert found is not None
        assert (found.state, found.epoch) == (LockState.FREE, 0)
        assert store.history.list_events(SERVER, number) == []
    assert store.give_back(taken)
    locks = grant(store, "b", third, first, second, first)
    assert [lock.tracker_id for lock in locks] == list(TRACKERS)
    assert {lock.members for lock in locks} == {TRACKERS}
    assert [one.tracker_id for one in store.list_of(SERVER, "b")] == list(TRACKERS)
    assert store.give_back(locks[0])
    free = store.find(SERVER, first)
    assert free is not None
    assert free.members == ()


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all at the same moment, each in a thread; return what each returned."""
    gate = threading.Barrier(len(acts))
    found: dict[int, Any] = {}

    def run(number: int) -> None:
        gate.wait()
        found[number] = acts[number]()

    workers = [threading.Thread(target=run, args=(n,)) for n in range(len(acts))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    return [found[number] for number in range(len(acts))]


def test_of_many_that_want_overlapping_sets_one_gets_each_tracker(
    store: LockStore,
) -> None:
    first, second, third = TRACKERS
    wanted = [(first, second), (second, third), (third, first), TRACKERS] * 2
    granted = at_once(
        *(
            lambda nth=nth, trackers=trackers: grant(store, f"run {nth}", *trackers)
            for nth, trackers in enumerate(wanted)
        )
    )
    (locks,) = [one for one in granted if one]
    assert len(locks) in (2, 3)


def begin(store: LockStore, clock: ManualClock) -> Lock:
    """Return a held freeze that nobody shares yet."""
    (lock,) = store.grant_all(
        SERVER,
        TRACKERS[:1],
        Owner("freeze/a"),
        reason="",
        lease=MINUTE,
        means=FROZEN,
    )
    with store.fenced(lock, MINUTE) as connection:
        lock = store.to_locking(lock, connection, role="", policy="")
    return store.hold(lock, lease=MINUTE)


def join(store: LockStore, freeze: Lock, name: str) -> Lock | None:
    return store.join_freeze(
        freeze,
        Owner(name),
        ticket_of=f"freeze/{name}",
        in_turn=True,
        reason="",
        lease=2 * MINUTE,
    )


def leave(store: LockStore, freeze: Lock, name: str) -> tuple[bool, Lock | None]:
    return store.leave_freeze(freeze, name, ttl=MINUTE, dirty=timedelta())


def test_a_freeze_is_counted(store: LockStore, clock: ManualClock) -> None:
    freeze = begin(store, clock)
    mine = join(store, freeze, "a")
    assert mine is not None
    assert (mine.owner.key, mine.group) == ("a", "freeze/a")
    assert join(store, freeze, "b")
    assert leave(store, freeze, "c") == (False, None)
    assert leave(store, freeze, "a") == (True, None)
    assert leave(store, freeze, "a") == (False, None)
    was_in, restoring = leave(store, freeze, "b")
    assert was_in
    assert restoring is not None
    assert restoring.state is LockState.RESTORING
    assert join(store, freeze, "c") is None


def test_nobody_joins_while_somebody_waits(
    store: LockStore, clock: ManualClock
) -> None:
    freeze = begin(store, clock)
    assert join(store, freeze, "a")
    store.queue.enqueue(SERVER, TRACKERS[:1], Owner("alone"), settings=LockSettings())
    assert join(store, freeze, "b") is None


def test_joining_and_leaving_at_once_leaves_nobody_behind(
    store: LockStore, clock: ManualClock
) -> None:
    """Either the one who comes is in, or the one who goes restores; never neither."""
    for nth in range(5):
        freeze = begin(store, clock)
        assert join(store, freeze, "a")
        joined, last = at_once(
            lambda freeze=freeze: join(store, freeze, "b"),
            lambda freeze=freeze: leave(store, freeze, "a")[1],
        )
        assert (joined is None) == (last is not None), nth
        restoring = last or leave(store, freeze, "b")[1]
        assert restoring is not None
        store.free(restoring, fingerprint={}, detail=None)
