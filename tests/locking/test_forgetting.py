"""A tracker that is gone: looked for first, forgotten by name, and never for good."""

from __future__ import annotations

import pytest

from airflow_codebeamer.errors import (
    ConfigurationError,
    ForgetRefusedError,
    LockLostError,
    LockRefusedError,
    RestorePendingError,
    ServerError,
)
from airflow_codebeamer.locking import LockState

PUT = "updatePermission"
LOOK = "getTrackerPermissionsWithRoles"


def _record(bench):
    return bench.engine().parts.store.find(bench.server.url, bench.tracker)


def _forget(bench, epoch=None):
    return bench.engine().forget(
        bench.tracker,
        expect_epoch=_record(bench).epoch if epoch is None else epoch,
        by="carol",
        reason="the project was closed",
    )


@pytest.fixture
def gone(bench, owner):
    """Return the world in which a tracker was, that was deleted while it was held."""
    engine = bench.engine()
    before = bench.permissions()
    engine.acquire(bench.tracker, owner=owner)
    world = bench.server.world()
    empty = {**world, "trackers": [], "items": []}
    bench.server.load_world(empty)
    with pytest.raises(RestorePendingError, match="lock forget"):
        engine.release(bench.tracker, owner_key=owner.key)
    bench.pass_time(minutes=5)
    bench.server.clear_calls()
    return before, world


def test_a_tracker_that_is_gone_is_forgotten_and_its_journal_kept(bench, gone):
    epoch, lineage = _record(bench).epoch, _record(bench).lineage
    freed = _forget(bench)
    assert (freed.state, freed.epoch, freed.owner.key) == (
        LockState.FREE,
        epoch + 1,
        "",
    )
    # A first 404 makes the client ask whether it is Codebeamer that answers.
    assert bench.operations() == ["getTracker", "getProjects", LOOK]
    entries = bench.engine().parts.ledger.list_roles(lineage)
    assert [entry.is_owed for entry in entries.values()].count(True) == 2
    event = bench.engine().parts.history.find_event(lineage, "forget")
    assert (event.who, event.detail["reason"]) == ("carol", "the project was closed")
    bench.server.clear_calls()
    assert bench.recovery().recover() == []
    assert bench.operations() == []


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("operation", ["getTracker", LOOK])
def test_a_refusal_does_not_say_that_it_is_gone(bench, gone, status, operation):
    bench.server.add_fault({"kind": "status", "status": status, "operation": operation})
    with pytest.raises(ForgetRefusedError, match="does not say it is gone") as caught:
        _forget(bench)
    assert caught.value.status == status
    assert _record(bench).state is LockState.RESTORING


def test_a_server_that_stumbles_does_not_say_so_either(bench, gone):
    bench.server.add_fault({"kind": "status", "status": 500, "operation": "getTracker"})
    with pytest.raises(ServerError):
        _forget(bench)
    assert _record(bench).state is LockState.RESTORING


def test_a_tracker_that_is_there_is_not_forgotten(bench, gone):
    bench.server.load_world(gone[1])
    with pytest.raises(ForgetRefusedError, match="the server has it") as caught:
        _forget(bench)
    assert caught.value.status == 200
    assert _record(bench).state is LockState.RESTORING


def test_one_look_that_finds_nothing_is_not_enough(bench, gone):
    bench.server.load_world(gone[1])
    bench.server.add_fault({"kind": "status", "status": 404, "operation": "getTracker"})
    with pytest.raises(ForgetRefusedError, match="the server has it"):
        _forget(bench)


def test_only_what_waits_for_its_restore_is_forgotten(bench, owner):
    with pytest.raises(ConfigurationError, match="it is free"):
        _forget(bench, epoch=1)
    bench.engine().acquire(bench.tracker, owner=owner)
    bench.server.load_world({**bench.server.world(), "trackers": [], "items": []})
    with pytest.raises(ConfigurationError, match="it is held"):
        _forget(bench)
    bench.server.clear_calls()
    assert bench.operations() == []


def test_not_under_an_epoch_that_nobody_has_seen(bench, gone):
    with pytest.raises(LockLostError):
        _forget(bench, epoch=77)
    assert bench.operations() == []
    assert _record(bench).state is LockState.RESTORING


def test_nothing_is_forgotten_that_somebody_restores_just_now(bench, gone, owner):
    store = bench.engine().parts.store
    settings = bench.engine().parts.settings
    seen = _record(bench)
    store.resume_restoring(seen, owner, ttl=settings.ttl, dirty=settings.lock_delay)
    with pytest.raises(LockLostError, match="somebody is at it"):
        _forget(bench)


def test_one_that_is_there_after_all_is_not_locked_before_it_is_remembered(
    bench, gone, other
):
    """Its reduced permissions would be taken for its own, and the rest be lost."""
    before, world = gone
    _forget(bench)
    bench.server.load_world(world)
    # Not even if somebody has put a part of it right: nothing is guessed here.
    bench.grant("Writer 1", [0, 1, 2])
    bench.server.clear_calls()
    with pytest.raises(LockRefusedError, match=f"lock remember {bench.tracker}"):
        bench.engine().acquire(bench.tracker, owner=other)
    assert bench.operations(PUT) == []
    bench.server.load_world(world)
    engine = bench.engine()
    report = engine.remember(bench.tracker, by="carol", reason="it was in the trash")
    assert report.restored == ("Writer 1", "Writer 2")
    assert bench.permissions() == before
    assert engine.acquire(bench.tracker, owner=other).state is LockState.HELD
    engine.release(bench.tracker, owner_key=other.key)
    assert bench.permissions() == before


def test_a_remembering_that_dies_is_finished_by_recovery(bench, gone):
    before, world = gone
    _forget(bench)
    bench.server.load_world(world)
    number = bench.server.add_fault(
        {"kind": "status", "status": 403, "operation": PUT, "nth": 2}
    )
    with pytest.raises(RestorePendingError):
        bench.engine().remember(bench.tracker, by="carol", reason="it is there")
    bench.server.remove_fault(number)
    bench.pass_time(minutes=5)
    (done,) = bench.recovery().recover()
    assert done.action == "recovered"
    assert bench.permissions() == before


def test_what_was_not_forgotten_is_not_remembered(bench, owner):
    engine = bench.engine()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="nothing to remember"):
            engine.remember(bench.tracker, by="carol", reason="?")
        engine.acquire(bench.tracker, owner=owner)
        engine.release(bench.tracker, owner_key=owner.key)


def test_accept_lets_a_forgotten_tracker_be_locked_as_it_is(bench, gone, other):
    _forget(bench)
    bench.server.load_world(gone[1])
    engine = bench.engine()
    assert engine.accept_permissions(bench.tracker, by="carol", reason="so be it")
    assert engine.acquire(bench.tracker, owner=other).state is LockState.HELD
