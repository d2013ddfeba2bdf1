"""Back to everybody's permissions: edits, servers that are down, roles gone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_codebeamer.errors import NotSentError, RestorePendingError
from airflow_codebeamer.locking import LockState

PUT = "updatePermission"
READ = "getTrackerPermissionsWithRoles"


@pytest.fixture
def held(bench, owner):
    """A held lock, with the engine and the permissions before."""
    before = bench.permissions()
    engine = bench.engine()
    lock = engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_calls()
    return SimpleNamespace(engine=engine, lock=lock, before=before)


def _state(bench):
    return bench.engine().parts.store.find(bench.server.url, bench.tracker).state


def _events(bench):
    engine = bench.engine()
    events = engine.parts.history.list_events(bench.server.url, bench.tracker)
    return {event.kind: event for event in events}


def test_digests_before_and_after_are_in_the_last_event(bench, held, owner):
    held.engine.release(bench.tracker, owner_key=owner.key)
    detail = _events(bench)["restored_verified"].detail
    assert detail["before"] == detail["after"] != ""
    assert detail["drift"] == []
    assert detail["restored"] == ["Writer 1", "Writer 2"]


@pytest.mark.trap("T7")
def test_edits_of_an_administrator_survive_and_are_told(bench, held, owner):
    bench.grant("Writer 1", [0, 2, 8, 21, 5])
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert report.drift == (
        "role Writer 1: somebody added issue_mass_edit and removed "
        "issue_attachment_view",
    )
    assert bench.rights("Writer 1") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 21]
    assert _events(bench)["restored_verified"].detail["drift"] == list(report.drift)


def test_a_role_that_is_back_already_gets_no_request(bench, held, owner):
    bench.grant("Writer 1", [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 21])
    bench.server.clear_calls()
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert len(bench.operations(PUT)) == 1
    assert report.restored == ("Writer 2",)
    assert bench.permissions() == held.before


def test_roles_that_were_never_touched_are_not_written(bench, held, owner):
    bench.grant("Reader 1", [0])
    held.engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Reader 1") == [0]


def test_a_right_granted_to_a_role_that_was_read_only_is_told(bench, held, owner):
    bench.grant("Reader 1", [0, 1, 2, 8, 25])
    bench.server.clear_calls()
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert report.requests == len(bench.operations()) == 4
    (told,) = report.drift
    assert told == (
        "role Reader 1: somebody added issue_edit_not_own and removed "
        "issue_attachment_view"
    )
    assert _events(bench)["restored_verified"].detail["drift"] == [told]
    assert bench.rights("Reader 1") == [0, 1, 2, 8, 25]


def test_a_role_that_is_new_since_the_lock_is_told(bench, held, owner):
    world = bench.server.world()
    reader = bench.place.roles["Reader 1"]
    (like,) = [role for role in world["roles"] if role["id"] == reader]
    world["roles"].append({**like, "id": 4999, "name": "Auditor"})
    world["trackers"][0]["permissions"]["4999"] = [0, 1]
    bench.server.load_world(world)
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    (told,) = report.drift
    assert told.startswith("role Auditor: somebody added issue_")


def test_the_exclusive_roles_rights_are_no_drift(bench, held, owner):
    bench.grant("Generator", [0, 1])
    assert held.engine.release(bench.tracker, owner_key=owner.key).drift == ()


@pytest.mark.parametrize("kind", ["reset", "drop_answer", "truncate"])
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.trap("T6")
def test_one_lost_answer_of_a_restore(bench, held, owner, kind, nth, clock):
    bench.server.add_fault({"kind": kind, "operation": PUT, "nth": nth})
    began = clock.monotonic()
    held.engine.release(bench.tracker, owner_key=owner.key)
    assert bench.permissions() == held.before
    assert clock.monotonic() - began >= 15


@pytest.mark.parametrize("operation", [PUT, READ])
@pytest.mark.trap("T3", "T32")
def test_a_server_that_refuses_leaves_a_restore_owed(bench, held, owner, operation):
    bench.server.add_fault({"kind": "status", "status": 403, "operation": operation})
    with pytest.raises(RestorePendingError, match=r"role Writer 1 \(status 403\)"):
        held.engine.release(bench.tracker, owner_key=owner.key)
    assert _state(bench) is LockState.RESTORING
    assert "restore_pending" in _events(bench)
    bench.server.clear_faults()
    assert held.engine.release(bench.tracker, owner_key=owner.key).released
    assert bench.permissions() == held.before


@pytest.mark.trap("T34")
def test_a_server_that_will_not_take_a_right_back_needs_a_person(bench, held, owner):
    path = f"/v3/trackers/{bench.tracker}/roles/{bench.place.roles['Writer 2']}"
    body = {"permissions": [{"id": 0}, {"id": 2}, {"id": 8}, {"id": 10}]}
    bench.server.add_fault(
        {
            "kind": "actor",
            "operation": PUT,
            "user": "generator",
            "phase": "after",
            "request": {
                "user": "root",
                "method": "PUT",
                "path": f"{path}/permissions",
                "body": body,
            },
        }
    )
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    # He took it back each time after we had given it, and he has the last word.
    assert report.released
    assert bench.rights("Writer 2") == [0, 2, 8, 10]
    assert "Writer 2" in report.drift[0]


def test_a_role_that_was_deleted_is_passed_over(bench, held, owner):
    world = bench.server.world()
    gone = bench.place.roles["Writer 1"]
    world["roles"] = [role for role in world["roles"] if role["id"] != gone]
    for project in world["projects"]:
        for roles in project["members"].values():
            roles[:] = [role for role in roles if role != gone]
    del world["trackers"][0]["permissions"][str(gone)]
    bench.server.load_world(world)
    report = held.engine.release(bench.tracker, owner_key=owner.key)
    assert report.released
    assert report.restored == ("Writer 2",)
    assert "role Writer 1 does not exist any more" in report.drift
    assert _events(bench)["role_gone"].detail == {"role": "Writer 1"}


def test_a_tracker_that_is_gone_stays_owed(bench, held, owner):
    bench.server.add_fault({"kind": "status", "status": 404, "operation": READ})
    with pytest.raises(RestorePendingError, match="status 404"):
        held.engine.release(bench.tracker, owner_key=owner.key)
    assert _state(bench) is LockState.RESTORING


def test_an_undo_that_the_server_kept_from_ending_is_tried_again(bench, owner):
    before = bench.permissions()
    troubles = [NotSentError("no way", address="x")]

    def undo(lock, guard):
        if troubles:
            raise troubles.pop()
        return SimpleNamespace(undone=("item 1",), left=())

    engine = bench.engine(undo=undo)
    engine.acquire(bench.tracker, owner=owner)
    with pytest.raises(RestorePendingError, match="no way"):
        engine.release(bench.tracker, owner_key=owner.key)
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert report.undone == ("item 1",)
    assert bench.permissions() == before


@pytest.mark.trap("T1")
def test_acquiring_finishes_an_owed_restore_first(bench, held, owner):
    bench.server.add_fault(
        {"kind": "status", "status": 403, "operation": PUT, "times": 1}
    )
    with pytest.raises(RestorePendingError):
        held.engine.release(bench.tracker, owner_key=owner.key)
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    assert lock.lineage != held.lock.lineage
    bench.engine().release(bench.tracker, owner_key=owner.key)
    assert bench.permissions() == held.before


def test_nothing_is_asked_of_a_lock_under_which_nothing_was_sent(bench, owner):
    for name in ("Writer 1", "Writer 2"):
        bench.grant(name, [0])
    engine = bench.engine()
    engine.accept_permissions(bench.tracker, by="ann", reason="nobody else writes")
    engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_calls()
    assert engine.release(bench.tracker, owner_key=owner.key).requests == 0
    assert bench.operations() == []


@pytest.mark.trap("T4")
def test_a_release_that_lost_its_lock_while_it_waited_sends_nothing(bench, held):
    locked = bench.permissions()
    bench.server.add_fault(
        {"kind": "status", "status": 429, "operation": PUT, "seconds": 100, "times": 1}
    )

    report = held.engine.release(bench.tracker, owner_key=held.lock.owner.key)

    assert not report.released
    assert "not renewed in time" in report.why
    assert bench.permissions() == locked
    bench.pass_time(hours=1)
    bench.recovery().recover()
    assert bench.permissions() == held.before
