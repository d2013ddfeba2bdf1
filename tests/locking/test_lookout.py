"""Whoever holds a lock watches it: a set, a freeze, item locks; and what is not."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_codebeamer.errors import DatabaseError, LockDriftedError, LockLostError
from airflow_codebeamer.generator.parts import Parts as RunParts
from airflow_codebeamer.locking import Heartbeat, LockStatus, Owner, RoleWatch
from airflow_codebeamer.locking.rights.reducing import Reducing
from airflow_codebeamer.locking.rights.writing import RoleWriter
from airflow_codebeamer.locking.strategies import ItemWatch, watch_of
from airflow_codebeamer.settings import LockSettings

PUT, READ = "updatePermission", "getTrackerPermissionsWithRoles"
LOOK, LOCK = "checkTrackerItemLock", "lockTrackerItem"
QUICK = timedelta(milliseconds=30)
A, B = Owner("report a"), Owner("report b")


def _threads():
    """Return how often each tracker is watched."""
    names = [one.name for one in threading.enumerate()]
    return sorted(name for name in names if name.startswith("watch-"))


def _wait(condition):
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen")


def _grant(bench, tracker, rights=(0, 2, 5, 8, 10, 21), role="Writer 1"):
    path = f"/v3/trackers/{tracker}/roles/{bench.place.roles[role]}/permissions"
    body = {"permissions": [{"id": number} for number in rights]}
    assert bench.server.act("root", "PUT", path, body) == 200


# A set of several trackers


@pytest.fixture
def three(make_bench, owner):
    """Three trackers held in one lock, and an engine that watches."""
    bench = make_bench(trackers=3)
    engine = bench.engine(settings=LockSettings(watch=QUICK))
    locks = engine.acquire_all(bench.place.trackers, owner=owner)
    bench.server.clear_calls()
    return SimpleNamespace(bench=bench, engine=engine, locks=locks)


def test_each_tracker_of_a_set_is_watched_and_one_request_is_one_look(three):
    bench, last = three.bench, three.locks[-1].tracker_id
    for lock in three.locks:
        watch = watch_of(three.engine.parts, lock, lambda error: None)
        assert watch.look() == []
    assert bench.operations() == [READ] * 3
    _grant(bench, last)
    with Heartbeat(three.engine, three.locks[0]):
        _wait(lambda: bench.server.permissions(last) and _taken(bench, last))
    found = LockStatus(three.engine.parts.store).list_drift(three.locks[-1])
    assert [(one.role, one.done) for one in found] == [("Writer 1", "taken away again")]
    assert LockStatus(three.engine.parts.store).list_drift(three.locks[0]) == []


def _taken(bench, tracker):
    history = bench.engine().parts.history
    events = history.list_events(bench.server.url, tracker)
    return any(event.kind == "drift_taken" for event in events)


def test_a_run_on_a_set_has_one_watch_for_each_tracker(three):
    """Each lock of a set brings the others: three locks are not nine looks."""
    parts = RunParts(
        client=three.engine.parts.client,
        engine=three.engine,
        journal=None,
        runs=None,
        application=None,
        rollbacks=None,
        clock=three.bench.clock,
        say=print,
        progress=print,
        stop=threading.Event(),
    )
    with parts.renewed(three.locks) as guard:
        guard()
        assert _threads() == [f"watch-{n}" for n in three.bench.place.trackers]
    assert _threads() == []


# A freeze


@pytest.fixture
def frozen(bench):
    """A tracker that two have frozen, each with a watch that is stepped by hand."""
    before = bench.permissions()
    engines = [bench.engine(settings=LockSettings(watch=QUICK)) for _ in range(2)]
    locks = [
        engine.acquire(bench.tracker, owner=owner, mode="freeze")
        for engine, owner in zip(engines, (A, B), strict=True)
    ]
    bench.server.clear_calls()
    watches = [
        RoleWatch(engine.parts, lock, lambda error: None)
        for engine, lock in zip(engines, locks, strict=True)
    ]
    return SimpleNamespace(engines=engines, locks=locks, watches=watches, before=before)


def test_in_a_freeze_the_holders_own_role_is_drift_as_well(bench, frozen):
    reduced = bench.rights("Generator")
    bench.server.clear_calls()
    assert frozen.watches[1].look() == []
    assert bench.operations() == [READ]
    _grant(bench, bench.tracker, rights=[*reduced, 1], role="Generator")
    bench.server.clear_calls()
    assert frozen.watches[1].look() == ["Generator"]
    assert bench.operations() == [READ, PUT, READ]
    assert bench.rights("Generator") == reduced
    for engine, owner in zip(frozen.engines, (A, B), strict=True):
        report = engine.release(bench.tracker, owner_key=owner.key)
    assert report.released
    # Had before, and granted meanwhile: it is there as it was.
    assert bench.permissions() == frozen.before


def test_in_a_freeze_fail_stops_whoever_looks(bench, frozen):
    settings = LockSettings(on_drift="fail")
    engine = bench.engine(settings=settings)
    watch = RoleWatch(engine.parts, frozen.locks[0], lambda error: None)
    _grant(bench, bench.tracker)
    with pytest.raises(LockDriftedError, match="role Writer 1"):
        watch.look()


def test_those_who_share_a_freeze_look_together_as_often_as_one(bench, frozen):
    first, second = frozen.watches
    assert first.pause() == second.pause() == 2 * QUICK
    frozen.engines[1].release(bench.tracker, owner_key=B.key)
    assert first.pause() == QUICK


def test_of_two_who_take_the_same_role_again_the_later_looks_again(bench, frozen):
    """Else the one that read earlier would write over what the other amended."""
    early = frozen.engines[0].parts
    _grant(bench, bench.tracker, rights=[0, 2, 3, 8, 10, 21])
    lock = frozen.locks[0]
    writer = RoleWriter(
        early,
        lock,
        early.ledger.list_roles(lock.lineage),
        early.read(bench.tracker),
    )
    _grant(bench, bench.tracker, rights=[0, 2, 3, 5, 8, 10, 21])
    assert frozen.watches[1].look() == ["Writer 1"]
    with pytest.raises(DatabaseError, match="look again"):
        Reducing(early, lock).take_again(writer)
    assert frozen.watches[0].look() == []
    for engine, owner in zip(frozen.engines, (A, B), strict=True):
        engine.release(bench.tracker, owner_key=owner.key)
    assert 5 in bench.rights("Writer 1"), "what was granted meanwhile comes back"


def test_a_heartbeat_of_a_freeze_watches(bench, frozen):
    with Heartbeat(frozen.engines[0], frozen.locks[0]):
        _grant(bench, bench.tracker)
        _wait(lambda: _taken(bench, bench.tracker))
    assert bench.rights("Writer 1") == [0, 2, 8, 10, 21]


# Locks of items


@pytest.fixture
def make_items(make_bench, owner):
    """Return a maker of locks of two items, with a watch that is stepped by hand."""

    def make(**settings):
        bench = make_bench(items=4)
        chosen = [one["id"] for one in bench.server.items(bench.tracker)][:2]
        engine = bench.engine(settings=LockSettings(watch=QUICK, **settings))
        lock = engine.acquire(
            bench.tracker, owner=owner, strategy="item_locks", options={"items": chosen}
        )
        bench.server.clear_calls()
        watch = watch_of(engine.parts, lock, lambda error: None)
        assert isinstance(watch, ItemWatch)
        return SimpleNamespace(
            bench=bench, engine=engine, lock=lock, watch=watch, chosen=chosen
        )

    return make


def _unlock(bench, item):
    bench.client().items.unlock(item)
    bench.server.clear_calls()


def test_a_lock_of_an_item_that_was_taken_off_is_put_on_again(make_items, owner):
    held = make_items()
    bench, item = held.bench, held.chosen[0]
    assert held.watch.look() == []
    assert bench.operations() == [LOOK, LOOK], "one request for each item"
    _unlock(bench, item)
    assert held.watch.look() == [f"item {item}"]
    assert bench.operations() == [LOOK, LOOK, LOCK]
    assert held.watch.look() == []
    assert held.engine.verify(held.lock) == ()
    (found,) = LockStatus(held.engine.parts.store).list_drift(held.lock)
    assert str(found).startswith(f"item {item}: locked by nobody while it was held")
    assert found.done == "locked again"
    assert any("taken off while it is held" in line for line in bench.said)
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert report.drift == (str(found),)


def test_an_item_that_somebody_else_has_stops_the_work(make_items):
    held = make_items()
    bench, item = held.bench, held.chosen[0]
    _unlock(bench, item)
    path = f"/v3/items/{item}/lock"
    assert bench.server.act("alice", "PUT", path, {"hard": True}) == 200
    with pytest.raises(LockLostError, match=f"alice has locked item {item}"):
        held.watch.look()
    (found,) = LockStatus(held.engine.parts.store).list_drift(held.lock)
    assert found.rights == "locked by alice while it was held"
    assert found.done == "to be locked again"


def test_warn_only_tells_of_an_item_and_fail_stops(make_items):
    held = make_items(on_drift="warn")
    _unlock(held.bench, held.chosen[1])
    assert held.watch.look() == [f"item {held.chosen[1]}"]
    assert held.watch.look() == []
    assert held.bench.operations(LOCK) == []
    held = make_items(on_drift="fail")
    _unlock(held.bench, held.chosen[1])
    with pytest.raises(LockDriftedError, match="is locked by nobody"):
        held.watch.look()


# Nothing to watch


def test_an_advisory_lock_says_that_nothing_is_watched(bench, owner):
    engine = bench.engine(settings=LockSettings(watch=QUICK))
    lock = engine.acquire(bench.tracker, owner=owner, strategy="advisory")
    bench.server.clear_calls()
    with Heartbeat(engine, lock) as heartbeat:
        heartbeat.guard()
        assert _threads() == []
    assert bench.operations() == []
    (line,) = [line for line in bench.said if "nothing is watched" in line]
    assert "advisory" in line


# The holder's lease


def test_a_look_that_writes_leaves_the_lease_of_who_keeps_it(bench, owner):
    """Who keeps a lock between tasks has a long lease; writing sets a short one."""
    engine = bench.engine(settings=LockSettings(watch=QUICK))
    lock = engine.acquire(bench.tracker, owner=owner)
    lease = timedelta(hours=2)
    (watch,) = engine.look_out(lock, lambda error: None, lease=lease)
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    _wait(lambda: _taken(bench, bench.tracker))
    watch.stop()
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    assert found.lease > timedelta(hours=1)


def test_nobody_looks_for_work_that_has_ended(bench, owner):
    engine = bench.engine(settings=LockSettings(watch=QUICK))
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_calls()
    (watch,) = engine.look_out(lock, lambda error: None, is_wanted=lambda: False)
    _wait(lambda: _threads() == [])
    watch.stop()
    assert bench.operations() == []
