"""Recovery: who is taken over, who is not, and one trouble after another."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_codebeamer.ids import TrackerId
from airflow_codebeamer.locking import LockState, Owner, Recovery


def _state(bench, tracker=None):
    store = bench.engine().parts.store
    return store.find(bench.server.url, tracker or bench.tracker).state


def test_a_living_holder_is_left_alone(bench, owner):
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.pass_time(minutes=29)
    assert bench.recovery(login="generator").recover() == []
    engine.renew(lock)
    (left,) = bench.recovery().recover(tracker_id=bench.tracker)
    assert left.action == "left"


@pytest.mark.trap("T21")
def test_a_lease_that_ran_out_is_believed_after_a_second_look(bench, owner):
    before = bench.permissions()
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    engine.renew(lock)
    bench.pass_time(seconds=61)
    resident, fresh = bench.recovery(), bench.recovery
    assert resident.recover() == []
    bench.pass_time(seconds=14)
    # The lock-delay is over, but nobody has watched for a whole ttl yet.
    assert resident.recover() == []
    assert fresh().recover(dry_run=True) == []
    (found,) = Recovery(bench.engine(), trust_store=True).recover(dry_run=True)
    assert found.action == "would recover"
    bench.pass_time(seconds=46)
    (done,) = resident.recover()
    assert (done.action, done.owner, done.state) == (
        "recovered",
        owner.key,
        LockState.HELD,
    )
    assert bench.permissions() == before
    assert not done.needs_a_person
    assert done.to_json()["report"]["restored"] == ["Writer 1", "Writer 2"]


def test_one_who_has_watched_needs_only_the_lock_delay(bench, owner):
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    engine.renew(lock)
    resident = bench.recovery()
    assert resident.recover() == []
    bench.pass_time(seconds=74)
    assert resident.recover() == []
    bench.pass_time(seconds=1)
    assert resident.recover()[0].action == "recovered"


def test_a_dry_run_only_lists(bench, owner):
    bench.engine().acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    bench.server.clear_calls()
    (found,) = bench.recovery().recover(dry_run=True)
    assert found.action == "would recover"
    assert bench.operations() == []
    assert _state(bench) is LockState.HELD


def test_a_forgotten_reservation_is_freed_without_a_request(bench, owner):
    bench.engine().reserve(bench.tracker, owner=owner, reason="")
    bench.pass_time(hours=1)
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.operations() == []
    assert _state(bench) is LockState.FREE


def test_runs_are_undone_by_recovery_too(bench, owner):
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    seen = []

    def undo(lock, guard):
        guard()
        seen.append(lock.lineage)
        return SimpleNamespace(undone=(), left=("item 3",))

    (done,) = bench.recovery(undo=undo).recover()
    assert seen == [lock.lineage]
    assert done.needs_a_person


def test_one_trouble_does_not_stop_the_next_lock(make_bench, owner):
    bench = make_bench()
    world = bench.server.world()
    second = {**world["trackers"][0], "id": 2002, "key": "B", "children": []}
    world["trackers"].append(second)
    bench.server.load_world(world)
    engine = bench.engine()
    before = bench.permissions(), bench.server.permissions(2002)
    engine.acquire(bench.tracker, owner=owner)
    engine.acquire(TrackerId(2002), owner=Owner("another"))
    bench.pass_time(hours=1)
    bench.server.add_fault(
        {
            "kind": "status",
            "status": 403,
            "operation": "getTrackerPermissionsWithRoles",
            "times": 1,
        }
    )
    first, other = bench.recovery().recover()
    assert (first.action, other.action) == ("failed", "recovered")
    assert "status 403" in first.error
    assert first.needs_a_person
    bench.pass_time(hours=1)
    (again,) = bench.recovery().recover()
    assert again.action == "recovered"
    assert (bench.permissions(), bench.server.permissions(2002)) == before


def test_a_restore_under_way_is_not_stolen(bench, owner):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    stolen = []

    def undo(lock, guard):
        bench.pass_time(seconds=50)
        engine.parts.store.renew(lock, engine.parts.settings.ttl)
        bench.pass_time(seconds=50)
        stolen.extend(bench.recovery(undo=None).recover())
        return SimpleNamespace(undone=(), left=())

    bench.engine(undo=undo).release(bench.tracker, owner_key=owner.key)
    assert stolen == []


def test_the_record_says_who_died(bench, owner):
    bench.engine().acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    bench.recovery().recover()
    store = bench.engine().parts.store
    assert store.find(bench.server.url, bench.tracker).owner_died
    events = store.history.list_events(bench.server.url, bench.tracker)
    (taken,) = [event for event in events if event.kind == "take_over"]
    assert taken.detail["owner"] == owner.key
    assert taken.detail["was"] == "held"


@pytest.mark.parametrize("server", ["other"])
def test_locks_of_another_server_are_not_ours(bench, owner, server):
    store = bench.engine().parts.store
    store.grant(server, bench.tracker, owner, reason="", lease=timedelta(seconds=60))
    bench.pass_time(hours=1)
    assert bench.recovery().recover() == []


def test_what_recovery_could_not_finish_is_still_the_owners(bench, owner):
    before = bench.permissions()
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    bench.server.add_fault(
        {"kind": "status", "status": 403, "operation": "updatePermission"}
    )
    assert bench.recovery().recover()[0].action == "failed"
    store = bench.engine().parts.store
    owed = store.find(bench.server.url, bench.tracker)
    assert (owed.state, owed.owner.key) == (LockState.RESTORING, owner.key)
    bench.server.clear_faults()
    report = bench.engine().release(
        bench.tracker, owner_key=owner.key, epoch=lock.epoch
    )
    assert report.released
    assert bench.permissions() == before


def test_a_server_that_is_away_needs_no_person_until_an_hour_is_over(bench, owner):
    before = bench.permissions()
    bench.engine().acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    fault = bench.server.add_fault({"kind": "status", "status": 503})
    (waiting,) = bench.recovery().recover()
    assert (waiting.action, waiting.may_pass) == ("failed", True)
    assert not waiting.needs_a_person
    # Nobody has to wait for the lease of whoever gave up.
    (again,) = bench.recovery().recover()
    assert again.may_pass
    store = bench.engine().parts.store
    said = [e.kind for e in store.history.list_events(bench.server.url, bench.tracker)]
    assert said.count("restore_pending") == 1
    bench.pass_time(hours=1)
    (stuck,) = bench.recovery().recover()
    assert stuck.needs_a_person
    bench.server.remove_fault(fault)
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.permissions() == before


@pytest.mark.trap("T32")
def test_a_refusal_needs_a_person_at_once(bench, owner):
    bench.engine().acquire(bench.tracker, owner=owner)
    bench.pass_time(hours=1)
    bench.server.add_fault(
        {"kind": "status", "status": 403, "operation": "updatePermission"}
    )
    (refused,) = bench.recovery().recover()
    assert refused.needs_a_person
    assert not refused.may_pass
