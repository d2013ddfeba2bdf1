"""Permissions of a held tracker are looked at: what others grant is found and told."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_codebeamer.errors import LockDriftedError, LockLostError
from airflow_codebeamer.locking import Heartbeat, RoleWatch
from airflow_codebeamer.settings import LockSettings

PUT = "updatePermission"
READ = "getTrackerPermissionsWithRoles"
WRITER = [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 21]


@pytest.fixture
def make_held(bench, owner):
    """Return a maker of held locks, with a watch that a test steps by hand."""

    def make(**settings):
        before = bench.permissions()
        engine = bench.engine(settings=LockSettings(**settings))
        lock = engine.acquire(bench.tracker, owner=owner)
        failed = []
        watch = RoleWatch(engine.parts, lock, failed.append)
        bench.server.clear_calls()
        return SimpleNamespace(
            engine=engine, lock=lock, before=before, watch=watch, failed=failed
        )

    return make


def _events(bench, kind):
    history = bench.engine().parts.history
    events = history.list_events(bench.server.url, bench.tracker)
    return [event for event in events if event.kind == kind]


def test_a_look_costs_one_request_and_finds_nothing(bench, make_held):
    held = make_held()
    assert held.watch.look() == []
    assert bench.operations() == [READ]
    assert _events(bench, "drift") == []


@pytest.mark.trap("T9")
def test_a_grant_is_taken_again_and_comes_back_with_the_rest(bench, make_held, owner):
    held = make_held()
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    bench.pass_time(minutes=2)
    bench.server.clear_calls()
    assert held.watch.look() == ["Writer 1"]
    # One to look, one to reduce, one to see that it holds.
    assert bench.operations() == [READ, PUT, READ]
    assert bench.rights("Writer 1") == [0, 2, 8, 10, 21]
    (event,) = _events(bench, "drift")
    assert event.detail["role"] == "Writer 1"
    assert event.detail["rights"] == "issue_mass_edit"
    assert event.at == bench.clock.now()
    assert held.watch.look() == []
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == sorted([*WRITER, 5])
    (told,) = report.drift
    assert told.startswith("role Writer 1: somebody added issue_mass_edit while the ")
    assert told.endswith("taken away again)")


def test_the_grant_is_in_the_journal_before_it_is_taken(stored, make_held):
    bench = stored
    held = make_held()
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    bench.server.add_fault({"kind": "status", "status": 403, "operation": PUT})
    with pytest.raises(Exception, match="may not set permissions"):
        held.watch.look()
    roles = held.engine.parts.ledger.list_roles(held.lock.lineage)
    entry = roles[bench.place.roles["Writer 1"]]
    assert 5 in entry.original
    assert entry.granted == {5}
    assert entry.first_original == set(WRITER)
    bench.server.clear_faults()
    assert held.watch.look() == []
    assert bench.rights("Writer 1") == [0, 2, 8, 10, 21]
    assert len(_events(bench, "drift")) == 1


@pytest.mark.trap("T9")
def test_a_crash_after_it_was_taken_costs_nobody_a_right(bench, make_held):
    held = make_held()
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    held.watch.look()
    bench.pass_time(hours=1)
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.rights("Writer 1") == sorted([*WRITER, 5])
    assert len(done.report.drift) == 1


def test_a_role_that_was_read_only_is_reduced_and_gets_its_grant_back(
    bench, make_held, owner
):
    held = make_held()
    bench.grant("Reader 1", [0, 1, 2, 8, 9])
    assert held.watch.look() == ["Reader 1"]
    assert bench.rights("Reader 1") == [0, 2, 8, 9]
    held.engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Reader 1") == [0, 1, 2, 8, 9]


def test_a_new_role_with_write_rights_is_reduced_and_given_back(
    bench, make_held, owner
):
    held = make_held()
    _add_role(bench, "Auditor", [0, 1])
    assert held.watch.look() == ["Auditor"]
    assert bench.rights("Auditor") == [0]
    assert _events(bench, "drift")[0].detail["is_new_role"]
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Auditor") == [0, 1]
    assert report.drift[0].startswith("new role Auditor: somebody added issue_edit_not")


def test_warn_tells_once_and_leaves_it(bench, make_held, owner):
    held = make_held(on_drift="warn")
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    bench.said.clear()
    assert held.watch.look() == ["Writer 1"]
    assert held.watch.look() == []
    assert bench.operations(PUT) == [PUT]
    assert bench.rights("Writer 1") == [0, 2, 5, 8, 10, 21]
    assert len(bench.said) == 1
    assert "role Writer 1 may issue_mass_edit again" in bench.said[0]
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert report.drift == ("role Writer 1: somebody added issue_mass_edit",)


def test_fail_stops_and_the_lock_is_released_as_usual(bench, make_held, owner):
    held = make_held(on_drift="fail")
    bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
    with pytest.raises(LockDriftedError, match="others may write to it: role Writer 1"):
        held.watch.look()
    assert bench.operations(PUT) == [PUT]
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert report.released
    assert bench.rights("Writer 1") == sorted([*WRITER, 5])


def test_read_rights_are_no_drift(bench, make_held):
    held = make_held()
    bench.grant("Writer 1", [0, 2, 8, 9, 25])
    assert held.watch.look() == []
    assert _events(bench, "drift") == []


@pytest.mark.trap("T4")
def test_one_whose_lock_is_gone_tells_and_takes_nothing(bench, make_held):
    held = make_held()
    bench.pass_time(hours=1)
    bench.recovery().recover()
    bench.server.clear_calls()
    with pytest.raises(LockLostError):
        held.watch.look()
    assert bench.operations(PUT) == []
    assert _events(bench, "drift") == []


def _wait(condition):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen")


def test_a_heartbeat_watches_and_a_guard_refuses_under_fail(bench, owner):
    settings = LockSettings(watch=timedelta(milliseconds=30), on_drift="fail")
    engine = bench.engine(settings=settings)
    lock = engine.acquire(bench.tracker, owner=owner)
    lost = []
    with Heartbeat(engine, lock, on_lost=lost.append) as heartbeat:
        heartbeat.guard()
        bench.grant("Writer 1", [0, 2, 5, 8, 10, 21])
        _wait(lambda: heartbeat.is_lost)
        with pytest.raises(LockDriftedError):
            heartbeat.guard()
    assert [type(error) for error in lost] == [LockDriftedError]
    assert engine.release(bench.tracker, owner_key=owner.key).released


def test_a_heartbeat_without_the_setting_asks_the_server_nothing(bench, owner):
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_calls()
    with Heartbeat(engine, lock):
        threading.Event().wait(0.2)
    assert bench.operations() == []


def test_a_server_that_is_down_is_borne_and_told_once(bench, owner):
    settings = LockSettings(watch=timedelta(milliseconds=20))
    engine = bench.engine(settings=settings)
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.said.clear()
    fault = {"kind": "status", "status": 403, "operation": READ}
    with Heartbeat(engine, lock) as heartbeat:
        bench.server.add_fault(fault)
        bench.server.clear_calls()
        _wait(lambda: len(bench.operations(READ)) > 3)
        heartbeat.guard()
    assert len([line for line in bench.said if "are not watched" in line]) == 1


def _add_role(bench, name, rights, number=4999):
    """Let the project have a new role that may do this on the tracker."""
    world = bench.server.world()
    reader = bench.place.roles["Reader 1"]
    (like,) = [role for role in world["roles"] if role["id"] == reader]
    world["roles"].append({**like, "id": number, "name": name})
    world["trackers"][0]["permissions"][str(number)] = rights
    bench.server.load_world(world)
