"""From granted to held: edits on the way, lost answers, servers with a will."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_codebeamer.errors import (
    LockLostError,
    LockRefusedError,
    OutcomeUnknownError,
    TransportError,
)
from airflow_codebeamer.locking import LockState
from airflow_codebeamer.settings import LockSettings

PUT = "updatePermission"


def _edit(bench, role: str, rights: list[int], *, nth: int = 1, phase: str = "before"):
    """Let an administrator set a role at the nth request of ours that sets one."""
    path = f"/v3/trackers/{bench.tracker}/roles/{bench.place.roles[role]}/permissions"
    bench.server.add_fault(
        {
            "kind": "actor",
            "operation": PUT,
            "user": "generator",
            "nth": nth,
            "phase": phase,
            "request": {
                "user": "root",
                "method": "PUT",
                "path": path,
                "body": {"permissions": [{"id": right} for right in rights]},
            },
        }
    )


@pytest.mark.trap("T10")
def test_what_changed_between_snapshot_and_its_turn_is_the_original(bench, owner):
    _edit(bench, "Writer 2", [0, 3, 25])
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert bench.rights("Writer 2") == [0, 25]
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 2") == [0, 3, 25]


@pytest.mark.trap("T10")
def test_a_reader_who_was_made_a_writer_meanwhile_is_reduced(bench, owner):
    _edit(bench, "Reader 1", [0, 3], nth=2)
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert bench.rights("Reader 1") == [0]
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Reader 1") == [0, 3]


@pytest.mark.trap("T8", "T9")
def test_a_grant_to_a_role_already_reduced_is_taken_and_comes_back(bench, owner):
    _edit(bench, "Writer 1", [0, 5, 25], nth=2)
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert bench.rights("Writer 1") == [0, 25]
    kinds = [e.kind for e in engine.parts.history.list_events(bench.server.url, 2001)]
    assert "amended" in kinds
    engine.release(bench.tracker, owner_key=owner.key)
    rights = bench.rights("Writer 1")
    assert {5, 25} <= set(rights)
    assert not {2, 8, 10} & set(rights)
    assert {1, 3, 4, 6, 7, 11} <= set(rights)


def test_a_new_role_that_may_write_joins(bench, owner):
    world = bench.server.world()
    world["roles"].append(
        {
            "id": 90,
            "project": bench.place.project,
            "name": "New",
            "project_admin": False,
        }
    )
    bench.server.load_world(world)
    bench.place.roles["New"] = 90
    _edit(bench, "New", [0, 1], nth=2, phase="after")
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert bench.rights("New") == [0]
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("New") == [0, 1]


@pytest.mark.parametrize("kind", ["reset", "drop_answer", "garbage"])
@pytest.mark.trap("T6")
def test_one_lost_answer_of_each_request(bench, owner, kind):
    before = bench.permissions()
    for nth in (1, 2):
        bench.server.clear_faults()
        bench.server.add_fault({"kind": kind, "operation": PUT, "nth": nth})
        engine = bench.engine()
        engine.acquire(bench.tracker, owner=owner)
        assert not {1, 3} & set(bench.rights("Writer 1") + bench.rights("Writer 2"))
        engine.release(bench.tracker, owner_key=owner.key)
        assert bench.permissions() == before


@pytest.mark.trap("T5")
def test_a_lost_answer_is_waited_out_before_the_tracker_is_free(bench, owner, clock):
    bench.server.add_fault({"kind": "drop_answer", "operation": PUT, "nth": 1})
    engine = bench.engine()
    began = clock.monotonic()
    engine.acquire(bench.tracker, owner=owner)
    assert clock.monotonic() == began
    engine.release(bench.tracker, owner_key=owner.key)
    assert clock.monotonic() - began == pytest.approx(15)


def test_a_server_that_never_answers_leaves_it_to_the_next_try(bench, owner):
    before = bench.permissions()
    bench.server.add_fault({"kind": "reset", "operation": PUT, "times": 3})
    with pytest.raises(OutcomeUnknownError, match="none of 3 requests"):
        bench.engine().acquire(bench.tracker, owner=owner)
    assert len(bench.operations(PUT)) == 3
    lock = bench.engine().acquire(bench.tracker, owner=owner)
    assert lock.state is LockState.HELD
    bench.engine().release(bench.tracker, owner_key=owner.key)
    assert bench.permissions() == before


def test_a_refusal_half_way_leaves_nothing_reduced(bench, owner):
    before = bench.permissions()
    bench.server.add_fault(
        {"kind": "status", "status": 400, "operation": PUT, "nth": 2, "message": "No."}
    )
    engine = bench.engine()
    with pytest.raises(LockRefusedError, match=r"Writer 2 \(status 400: No"):
        engine.acquire(bench.tracker, owner=owner)
    assert bench.permissions() == before
    lock = engine.parts.store.find(bench.server.url, bench.tracker)
    assert lock.state is LockState.FREE


def test_permissions_that_cannot_be_read_refuse_the_lock(bench, owner):
    fault = {"kind": "status", "status": 400}
    bench.server.add_fault({**fault, "operation": "getTrackerPermissionsWithRoles"})
    engine = bench.engine()
    with pytest.raises(LockRefusedError, match="cannot be read"):
        engine.acquire(bench.tracker, owner=owner)
    lock = engine.parts.store.find(bench.server.url, bench.tracker)
    assert lock.state is LockState.FREE


def test_no_answer_before_anything_was_touched_leaves_no_record(bench, owner, other):
    bench.server.add_fault(
        {"kind": "reset", "operation": "getTrackerPermissionsWithRoles", "times": 4}
    )
    with pytest.raises(TransportError):
        bench.engine().acquire(bench.tracker, owner=owner)
    assert bench.engine().acquire(bench.tracker, owner=other).owner == other


@pytest.mark.trap("T34")
def test_what_a_project_administrator_keeps_is_a_floor(make_bench, owner):
    bench = make_bench(project_admin=True)
    before = bench.permissions()
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert any("Project Admin keeps" in sentence for sentence in bench.said)
    assert not {1, 3, 4, 5, 6, 7} & set(bench.rights("Project Admin"))
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert "data_administration" in report.floors[0]
    assert report.drift == ()
    assert bench.permissions() == before


@pytest.mark.trap("T34")
def test_a_floor_can_refuse_the_lock(make_bench, owner):
    bench = make_bench(project_admin=True)
    before = bench.permissions()
    engine = bench.engine(settings=LockSettings(on_floor="fail"))
    with pytest.raises(LockRefusedError, match="Project Admin keeps"):
        engine.acquire(bench.tracker, owner=owner)
    assert bench.permissions() == before
    assert engine.parts.store.find(bench.server.url, 2001).state is LockState.FREE


@pytest.mark.trap("T34")
def test_a_role_that_keeps_writing_is_asked_three_times(bench, owner):
    rights = bench.rights("Writer 1")
    _edit(bench, "Writer 1", rights, nth=1, phase="after")
    for nth in (3, 4):
        _edit(bench, "Writer 1", rights, nth=nth, phase="after")
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    assert any("Writer 1 keeps" in sentence for sentence in bench.said)
    assert len(bench.operations(PUT)) == 2 + 2 + 3
    bench.server.clear_faults()
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 1") == rights


def test_the_settle_time_is_waited_and_looked_at_again(bench, owner, clock):
    engine = bench.engine(settings=LockSettings(settle=timedelta(seconds=3)))
    began = clock.monotonic()
    engine.acquire(bench.tracker, owner=owner)
    assert clock.monotonic() - began == pytest.approx(3)
    reads = bench.operations("getTrackerPermissionsWithRoles")
    assert len(reads) == 3


def test_a_role_deleted_meanwhile_is_passed_over(bench, owner):
    bench.server.add_fault(
        {"kind": "status", "status": 404, "operation": PUT, "nth": 2}
    )
    _edit(bench, "Writer 2", [], nth=2)
    engine = bench.engine()
    engine.acquire(bench.tracker, owner=owner)
    engine.release(bench.tracker, owner_key=owner.key)
    assert bench.rights("Writer 2") == []


@pytest.mark.trap("T4")
def test_a_holder_that_lost_its_lock_while_it_waited_sends_nothing(bench, owner):
    before = bench.permissions()
    # The server asks for patience until the lease is over, and would obey then.
    bench.server.add_fault(
        {"kind": "status", "status": 429, "operation": PUT, "seconds": 100, "times": 1}
    )
    engine = bench.engine()

    with pytest.raises(LockLostError):
        engine.acquire(bench.tracker, owner=owner)

    assert bench.permissions() == before
    puts = [call for call in bench.server.calls() if call["operation"] == PUT]
    assert {call["status"] for call in puts} == {429}
    found = engine.parts.store.find(bench.server.url, bench.tracker)
    # Whoever comes next need not wait for a request that never was.
    assert engine.parts.ledger.list_unsettled(found.lineage) == []


@pytest.mark.trap("T34")
def test_what_a_server_takes_away_of_its_own_accord_comes_back(bench, owner):
    # This server drops mass edit (5) where there is no right to view; export stays.
    bench.server.assume(lone_permissions="ignore")
    bench.grant("Writer 1", [0, 1, 5, 25])
    before = bench.permissions()
    kept = LockSettings(read_only=frozenset({"issue_mass_edit", "export"}))
    engine = bench.engine(settings=kept)
    engine.acquire(bench.tracker, owner=owner)
    assert bench.rights("Writer 1") == [25]
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert report.drift == ()
    assert bench.permissions() == before


@pytest.mark.trap("T34")
def test_a_role_of_which_the_server_keeps_nothing_gets_all_of_it_back(bench, owner):
    # What we send is dropped whole, and a role without rights is not listed.
    bench.server.assume(lone_permissions="ignore")
    bench.grant("Writer 1", [0, 1, 5])
    before = bench.permissions()
    engine = bench.engine(
        settings=LockSettings(read_only=frozenset({"issue_mass_edit"}))
    )
    engine.acquire(bench.tracker, owner=owner)
    assert bench.rights("Writer 1") == []
    report = engine.release(bench.tracker, owner_key=owner.key)
    assert report.drift == ()
    assert bench.permissions() == before
