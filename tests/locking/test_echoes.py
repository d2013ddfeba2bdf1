"""Late requests of a lock that is over: put back, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from airflow_codebeamer.errors import LockRefusedError
from airflow_codebeamer.locking import LockState

PUT = "updatePermission"
READ = "getTrackerPermissionsWithRoles"
FULL = [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 21]


@dataclass
class Past:
    """A lock that is over, whose first request may still be under way."""

    before: str
    locked: dict[str, list[int]]


def _lock_and_release(bench, owner, *, fault=True, granted=(), nth=1):
    before = bench.permissions()
    if fault:
        bench.server.add_fault({"kind": "reset", "operation": PUT, "nth": nth})
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_faults()
    locked = {name: bench.rights(name) for name in ("Writer 1", "Writer 2")}
    for name in granted:
        bench.grant(name, [*locked[name], 5])
    assert engine.release(bench.tracker, owner_key=owner.key).released
    assert granted or bench.permissions() == before
    bench.server.clear_calls()
    return Past(before, locked)


@pytest.fixture
def past(bench, owner):
    """A lock of which the first reduction of Writer 1 was never answered."""
    return _lock_and_release(bench, owner)


def _find(bench):
    return bench.engine().parts.store.find(bench.server.url, bench.tracker)


def _land(bench, past, *, role="Writer 1", more=()):
    bench.grant(role, [*past.locked[role], *more])


def test_what_landed_late_is_put_back(bench, past, owner):
    epoch = _find(bench).epoch
    _land(bench, past)
    (done,) = bench.recovery().recover()
    assert (done.action, done.state, done.owner) == (
        "healed",
        LockState.FREE,
        owner.key,
    )
    assert done.report.restored == ("Writer 1",)
    assert not done.needs_a_person
    assert bench.permissions() == past.before
    found = _find(bench)
    assert (found.state, found.epoch) == (LockState.FREE, epoch + 1)
    history = bench.engine().parts.history
    kinds = [e.kind for e in history.list_events(bench.server.url, bench.tracker)]
    assert kinds[-3:] == ["heal", "restored_verified", "echo_healed"]


def test_a_dry_run_says_it(bench, past, owner):
    _land(bench, past)
    shown = bench.permissions()
    bench.server.clear_calls()
    (found,) = bench.recovery().recover(dry_run=True)
    assert (found.action, found.owner) == ("would heal", owner.key)
    assert bench.permissions() == shown
    assert bench.operations(PUT) == []
    assert _find(bench).state is LockState.FREE


def test_a_lock_that_was_answered_costs_nothing(bench, owner):
    _lock_and_release(bench, owner, fault=False)
    assert bench.recovery().recover() == []
    assert bench.operations() == []


def test_what_is_unsettled_is_looked_at_for_a_day(bench, past):
    for _ in range(2):
        assert bench.recovery().recover() == []
    assert bench.operations() == [READ, READ]
    bench.pass_time(hours=23)
    assert bench.recovery().recover() == []
    assert len(bench.operations()) == 3
    bench.pass_time(hours=1)
    _land(bench, past)
    bench.server.clear_calls()
    assert bench.recovery().recover() == []
    assert bench.operations() == []


def test_an_edit_that_no_request_explains_is_left_alone(bench, past):
    without_view = [right for right in FULL if right not in (0, 2)]
    bench.grant("Writer 1", without_view)
    # The same as our lock did, but of that role every request was answered.
    _land(bench, past, role="Writer 2")
    epoch = _find(bench).epoch
    assert bench.recovery().recover() == []
    assert bench.rights("Writer 1") == without_view
    assert bench.rights("Writer 2") == past.locked["Writer 2"]
    assert _find(bench).epoch == epoch


def test_a_loss_that_a_request_explains_in_part_is_told_and_not_touched(
    bench, past, other
):
    less = [right for right in past.locked["Writer 1"] if right != 2]
    bench.grant("Writer 1", less)
    (told,) = bench.recovery().recover()
    assert told.needs_a_person
    assert "role Writer 1 (lacks" in told.error
    assert f"lock accept {bench.tracker}" in told.error
    assert bench.rights("Writer 1") == less
    # Nor does it become the original of the next lock, unless somebody means it.
    with pytest.raises(LockRefusedError, match="role Writer 1 has no more rights"):
        bench.engine().acquire(bench.tracker, owner=other)
    bench.engine().accept_permissions(bench.tracker, by="admin", reason="meant")
    assert bench.recovery().recover() == []
    bench.engine().acquire(bench.tracker, owner=other)
    bench.engine().release(bench.tracker, owner_key=other.key)
    assert bench.rights("Writer 1") == less


@pytest.mark.trap("T11")
def test_a_request_that_outlives_the_next_lock_is_put_right_too(bench, past, other):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=other)
    engine.release(bench.tracker, owner_key=other.key)
    assert bench.permissions() == past.before
    _land(bench, past)
    (done,) = bench.recovery().recover()
    assert done.action == "healed"
    assert bench.permissions() == past.before


@pytest.mark.trap("T11")
def test_a_request_that_lands_while_the_next_lock_restores(bench, past, other):
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=other)
    _at_the_second_restore(bench, past.locked["Writer 1"])
    report = engine.release(bench.tracker, owner_key=other.key)
    assert bench.permissions() == past.before
    assert report.drift == ()


@pytest.mark.trap("T11")
def test_an_edit_on_top_of_it_while_it_is_restored_costs_nobody_a_right(bench, owner):
    """The model found it: the whole loss was taken for the administrator's."""
    bench.server.add_fault({"kind": "reset", "operation": PUT, "nth": 1})
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_faults()
    locked = bench.rights("Writer 1")
    _at_the_second_restore(bench, [right for right in locked if right != 2])
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == [right for right in FULL if right != 2]
    assert len(report.drift) == 1
    assert "role Writer 1: somebody removed" in report.drift[0]


@pytest.mark.trap("T11")
def test_a_request_that_lands_before_the_next_lock_comes_to_its_role(
    bench, owner, other
):
    """And a right is granted on top of it, so that the role is reduced again."""
    past = _lock_and_release(bench, owner, nth=2)
    engine = bench.engine()
    _act(bench, "Writer 2", [*past.locked["Writer 2"], 5], nth=1)
    engine.acquire(bench.tracker, owner=other)
    bench.server.clear_faults()
    engine.release(bench.tracker, owner_key=other.key)
    assert bench.rights("Writer 2") == sorted([*FULL[:-1], 5, 22])


def _at_the_second_restore(bench, rights):
    _act(bench, "Writer 1", rights, nth=2)


def _act(bench, role, rights, *, nth):
    path = f"/v3/trackers/{bench.tracker}/roles/{bench.place.roles[role]}/permissions"
    body = {"permissions": [{"id": right} for right in rights]}
    bench.server.add_fault(
        {
            "kind": "actor",
            "operation": PUT,
            "user": "generator",
            "nth": nth,
            "request": {"user": "root", "method": "PUT", "path": path, "body": body},
        }
    )


def test_another_roles_edit_survives_the_healing(bench, past):
    _land(bench, past)
    bench.grant("Writer 2", [0, 2, 8])
    assert bench.recovery().recover()[0].action == "healed"
    assert bench.rights("Writer 1") == FULL
    assert bench.rights("Writer 2") == [0, 2, 8]


def test_an_edit_of_a_role_that_somebody_else_gave_back_survives(bench, owner):
    """That role got no request at the release, so what it had must be known."""
    bench.server.add_fault({"kind": "reset", "operation": PUT, "nth": 1})
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    bench.server.clear_faults()
    locked = bench.rights("Writer 1")
    bench.grant("Writer 2", [*FULL[:-1], 22])
    engine.release(bench.tracker, owner_key=owner.key)
    bench.grant("Writer 2", [0, 2])
    bench.grant("Writer 1", locked)
    assert bench.recovery().recover()[0].action == "healed"
    assert bench.rights("Writer 1") == FULL
    assert bench.rights("Writer 2") == [0, 2]


def test_an_edit_on_top_of_it_is_kept(bench, past):
    _land(bench, past, more=[5])
    assert bench.recovery().recover()[0].action == "healed"
    assert bench.rights("Writer 1") == sorted([*FULL, 5])


def test_what_was_granted_under_the_lock_comes_back_too(bench, owner):
    past = _lock_and_release(bench, owner, granted=["Writer 1"])
    given = sorted([*FULL, 5])
    assert bench.rights("Writer 1") == given
    _land(bench, past)
    assert bench.recovery().recover()[0].action == "healed"
    assert bench.rights("Writer 1") == given


def test_one_request_explains_one_echo(bench, past):
    """A person who means it says it twice at most."""
    _land(bench, past)
    assert bench.recovery().recover()[0].action == "healed"
    _land(bench, past)
    bench.server.clear_calls()
    assert bench.recovery().recover() == []
    assert bench.operations() == []
    assert bench.rights("Writer 1") == past.locked["Writer 1"]


def test_what_was_accepted_is_not_undone(bench, past):
    _land(bench, past)
    engine = bench.engine()
    seen = _find(bench)
    assert engine.accept_permissions(bench.tracker, by="admin", reason="meant")
    bench.server.clear_calls()
    assert bench.recovery().recover() == []
    assert bench.operations() == []
    # Nor by one who looked before it was accepted.
    store, ttl = engine.parts.store, engine.parts.settings.ttl
    lineage = seen.fingerprint["lineage"]
    healing = {"lineage": lineage, "ttl": ttl, "detail": {}, "by": "x"}
    assert store.heal(seen, seen.owner, **healing) is None


def test_a_reservation_in_between_hides_nothing(bench, past, other):
    engine = bench.engine()
    granted = engine.reserve(bench.tracker, owner=other, reason="")
    engine.parts.store.give_back(granted)
    _land(bench, past)
    assert bench.recovery().recover()[0].action == "healed"
    assert bench.permissions() == past.before


def test_trouble_is_told_and_the_next_round_goes_on(bench, past):
    _land(bench, past)
    bench.server.add_fault({"kind": "status", "status": 403, "operation": READ})
    (failed,) = bench.recovery().recover()
    assert failed.needs_a_person
    assert _find(bench).state is LockState.FREE
    bench.server.clear_faults()
    bench.server.add_fault({"kind": "status", "status": 403, "operation": PUT})
    assert bench.recovery().recover()[0].action == "failed"
    assert _find(bench).state is LockState.RESTORING
    bench.server.clear_faults()
    bench.pass_time(hours=1)
    assert bench.recovery().recover()[0].action == "recovered"
    assert bench.permissions() == past.before


def test_a_tracker_that_is_gone_needs_nobody(bench, past):
    bench.server.add_fault({"kind": "status", "status": 404, "operation": READ})
    assert bench.recovery().recover() == []


def test_only_the_tracker_that_was_asked_for(bench, past):
    _land(bench, past)
    bench.server.clear_calls()
    assert bench.recovery().recover(tracker_id=bench.tracker + 1) == []
    assert bench.operations() == []
    (done,) = bench.recovery().recover(tracker_id=bench.tracker)
    assert done.action == "healed"
